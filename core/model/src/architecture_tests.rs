//! Agreement with transformers on tiny random models of every architecture, and proof that the
//! comparison can fail: `tests/oracles/architectures.py` makes the files under
//! `tests/fixtures/architectures/`.

mod mutations;
mod table;

use crate::infer::cache::KvCache;
use crate::infer::{Inference, Segment};
use crate::{Control, GenerateInput, GenerateOptions, Model, SequenceBatch, TrainableModel, generate};
use safetensors::SafeTensors;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Largest difference of a logit from the f32 reference, relative to the largest logit.
const LOGIT_TOLERANCE: f64 = 1e-5;

/// Norm of a gradient's difference relative to the reference's norm.
const GRADIENT_TOLERANCE: f64 = 1e-4;

/// The fixtures' names.
pub(crate) const ALL: [&str; 18] = [
    "llama",
    "llama-bias",
    "llama-yarn",
    "mistral",
    "smollm3",
    "qwen2",
    "qwen3",
    "qwen3-moe",
    "qwen3-moe-sparse",
    "gemma2",
    "gemma3",
    "phi3",
    "phi3-window",
    "gpt2",
    "gpt2-scaled",
    "gpt-neox",
    "gpt-neox-sequential",
    "llama-dynamic",
];

#[derive(Deserialize)]
struct Expected {
    input_ids: Vec<u32>,
    labels: Vec<i32>,
    loss: f64,
    greedy: Vec<u32>,
}

struct Fixture {
    dir: PathBuf,
    model: Model,
    expected: Expected,
    tensors: BTreeMap<String, Vec<f32>>,
}

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/architectures").join(name)
}

fn fixture(name: &str) -> Fixture {
    let dir = directory(name);
    let expected = serde_json::from_str(&std::fs::read_to_string(dir.join("expected.json")).unwrap()).unwrap();
    let bytes = std::fs::read(dir.join("expected.safetensors")).unwrap();
    let read = |data: &[u8]| data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let tensors = SafeTensors::deserialize(&bytes)
        .unwrap()
        .iter()
        .map(|(name, view)| (name.to_owned(), read(view.data())))
        .collect();
    Fixture { model: Model::load(&dir).unwrap(), dir, expected, tensors }
}

fn logits(model: &Model, ids: &[u32]) -> crate::Result<Vec<f32>> {
    let mut inference = Inference::new(model, None);
    let mut cache = KvCache::new(model.config(), 1);
    let x = inference.forward(&mut [Segment { ids, cache: &mut cache, length: ids.len() }], &NEVER)?;
    Ok(inference.logits(&x, &(0..ids.len()).collect::<Vec<_>>()))
}

/// Largest difference, relative to the largest magnitude expected. NaN is infinitely far away.
fn relative_difference(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(0f32, |m, x| m.max(x.abs()));
    let difference = |(a, b): (&f32, &f32)| match a.is_nan() {
        true => f64::INFINITY,
        false => f64::from((a - b).abs()),
    };
    found.iter().zip(expected).map(difference).fold(0.0, f64::max) / f64::from(scale)
}

fn norm(x: impl Iterator<Item = f32>) -> f64 {
    x.map(|x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
}

/// Gradients of the summed loss by every weight.
fn gradients(model: &Model, batch: &SequenceBatch) -> (f64, BTreeMap<String, Vec<f32>>) {
    let full = TrainableModel::Full { model: model.clone() };
    let parameters = full.parameters();
    let mut gradients: Vec<_> = (0..parameters.len()).map(|i| vec![0.0; full.values(i).len()]).collect();
    let loss = full.accumulate_gradients(batch, 1.0, None, &mut gradients, &NEVER).unwrap();
    let named = parameters.into_iter().map(|parameter| parameter.name).zip(gradients).collect();
    (loss.nll_sum / loss.n_targets as f64, named)
}

/// What was measured on one fixture.
struct Measured {
    logits: f64,
    worst_gradient: f64,
}

fn check(name: &str) -> Measured {
    let Fixture { model, expected, tensors, .. } = fixture(name);
    let ids = &expected.input_ids;
    let mut worst_logit = 0f64;
    for (key, ids) in [("logits", &ids[..]), ("short.logits", &ids[..12])] {
        let difference = relative_difference(&logits(&model, ids).unwrap(), &tensors[key]);
        assert!(difference <= LOGIT_TOLERANCE, "{name}: {key} differ by {difference:.1e}");
        worst_logit = worst_logit.max(difference);
    }

    let batch = SequenceBatch::from_sequences([(&ids[..], &expected.labels[..])]);
    let (loss, gradients) = gradients(&model, &batch);
    assert!((loss - expected.loss).abs() < 1e-5 * expected.loss, "{name}: loss {loss}, expected {}", expected.loss);
    let mut worst_gradient = 0f64;
    for (key, gradient) in &gradients {
        let reference = &tensors[&format!("grad.{key}")];
        let difference = norm(gradient.iter().zip(reference).map(|(a, b)| a - b)) / norm(reference.iter().copied());
        assert!(difference <= GRADIENT_TOLERANCE, "{name}: gradient of {key} differs by {difference:.1e}");
        worst_gradient = worst_gradient.max(difference);
    }
    let n_gradients = tensors.keys().filter(|key| key.starts_with("grad.")).count();
    assert_eq!(gradients.len(), n_gradients, "{name}: one gradient per tensor of the checkpoint");

    let options = GenerateOptions { max_new_tokens: expected.greedy.len(), ..GenerateOptions::default() };
    let inputs = [GenerateInput { prompt_ids: ids[..12].to_vec(), options }];
    let answers = generate(&model, None, &inputs, &mut |_, _| Control::Continue, &NEVER).unwrap();
    assert_eq!(answers[0].ids, expected.greedy, "{name}: greedy continuation");
    Measured { logits: worst_logit, worst_gradient }
}

#[test]
fn every_architecture_agrees_with_transformers() {
    for name in ALL {
        check(name);
    }
}

/// Feeding a sequence in pieces, and beside another one, gives the bits of one pass over it alone.
#[test]
fn cached_steps_equal_the_whole_sequence() {
    for name in ALL {
        let Fixture { model, expected, .. } = fixture(name);
        let ids = &expected.input_ids[..14];
        let whole = logits(&model, ids).unwrap();
        let mut inference = Inference::new(&model, None);
        let [mut cache, mut other] = [(); 2].map(|()| KvCache::new(model.config(), 1));
        let vocab = model.config().vocab_size;
        let mut start = 0;
        for n in [5, 1, 1, 7] {
            let mut segments = [
                Segment { ids: &expected.input_ids[20 + start..20 + start + n], cache: &mut other, length: 14 },
                Segment { ids: &ids[start..start + n], cache: &mut cache, length: 14 },
            ];
            let x = inference.forward(&mut segments, &NEVER).unwrap();
            let rows: Vec<usize> = (n..2 * n).collect();
            let piece = inference.logits(&x, &rows);
            assert!(piece == whole[start * vocab..(start + n) * vocab], "{name}: positions {start}..{}", start + n);
            start += n;
        }
    }
}

/// Rewrites a fixture's weights under other names, with further tensors, and loads them.
fn reload(name: &str, rename: impl Fn(&str) -> String, extra: &[&str]) -> crate::Result<Model> {
    let Fixture { dir, model, .. } = fixture(name);
    let mut tensors = model.weights().tensors.clone();
    tensors.iter_mut().for_each(|tensor| tensor.name = rename(&tensor.name));
    for &name in extra {
        tensors.push(crate::weights::NamedTensor { name: name.to_owned(), ..tensors[0].clone() });
    }
    let to = tempfile::tempdir().unwrap();
    std::fs::copy(dir.join("config.json"), to.path().join("config.json")).unwrap();
    let weights = to.path().join("model.safetensors");
    crate::io::serialize(&weights, &tensors, crate::SaveDtype::F32).unwrap();
    Model::load(to.path())
}

#[test]
fn old_checkpoints_are_understood() {
    let short = |name: &str| name.trim_start_matches("transformer.").to_owned();
    let extra = ["h.0.attn.bias", "h.1.attn.masked_bias", "lm_head.weight"];
    let gpt2 = reload("gpt2", short, &extra).unwrap();
    assert_eq!(gpt2.fingerprint(), fixture("gpt2").model.fingerprint());
    let buffers = ["gpt_neox.layers.0.attention.bias", "gpt_neox.layers.0.attention.rotary_emb.inv_freq"];
    let neox = reload("gpt-neox", str::to_owned, &buffers).unwrap();
    assert_eq!(neox.fingerprint(), fixture("gpt-neox").model.fingerprint());
    let unknown = reload("gpt-neox", str::to_owned, &["gpt_neox.layers.0.attention.q_proj.weight"]);
    assert!(matches!(unknown, Err(crate::Error::UnexpectedTensor { .. })));
}

/// A checkpoint of Gemma 3 with a vision tower is its text model.
#[test]
fn the_text_part_of_a_multimodal_model() {
    check("gemma3-multimodal");
    let Fixture { dir, model, expected, .. } = fixture("gemma3-multimodal");
    assert_eq!(model.config().architecture, crate::Architecture::Gemma3);
    let saved = tempfile::tempdir().unwrap();
    model.save(saved.path(), crate::SaveDtype::F32).unwrap();
    let again = Model::load(saved.path()).unwrap();
    assert!(logits(&model, &expected.input_ids).unwrap() == logits(&again, &expected.input_ids).unwrap());
    let config = std::fs::read_to_string(saved.path().join("config.json")).unwrap();
    assert!(config.contains("gemma3_text") && !config.contains("vision_config"), "{config}");
    // The names that transformers 5 has in memory.
    let renamed = |name: &str| name.replacen("model.", "model.language_model.", 1);
    let extra = ["model.vision_tower.embeddings.patch_embedding.bias", "model.multi_modal_projector.norm.weight"];
    let again = reload("gemma3", renamed, &extra).unwrap();
    assert_eq!(again.fingerprint(), fixture("gemma3").model.fingerprint());
    assert!(reload("gemma2", renamed, &[]).is_err(), "Gemma 2 has no such parts");
    let without_text = std::fs::read_to_string(dir.join("config.json")).unwrap().replace("text_config", "other");
    let error = crate::ModelConfig::from_json(&without_text).unwrap_err().to_string();
    assert!(error.contains("model_type"), "{error}");
}

#[test]
fn learned_positions_end() {
    let Fixture { model, .. } = fixture("gpt2");
    let error = logits(&model, &[5; 65]).unwrap_err().to_string();
    assert!(error.contains("at most 64"), "{error}");
}

#[test]
fn a_saved_model_is_the_same_model() {
    for name in ALL {
        let Fixture { model, expected, .. } = fixture(name);
        let dir = tempfile::tempdir().unwrap();
        model.save(dir.path(), crate::SaveDtype::F32).unwrap();
        let again = Model::load(dir.path()).unwrap();
        assert!(logits(&model, &expected.input_ids).unwrap() == logits(&again, &expected.input_ids).unwrap(), "{name}");
    }
}

/// PEFT's adapters on all linear modules: fused ones, and paths of every family.
#[test]
fn adapters_agree_with_peft() {
    for name in ["gemma3", "phi3", "gpt-neox"] {
        let Fixture { dir, model, expected, tensors } = fixture(name);
        let ids = &expected.input_ids;
        let adapter = crate::Adapter::load(&dir.join("adapter"), &model).unwrap();
        let found = crate::logits(&model, Some(&adapter), ids, &NEVER).unwrap();
        let difference = relative_difference(&found, &tensors["adapter.logits"]);
        assert!(difference <= LOGIT_TOLERANCE, "{name}: logits differ by {difference:.1e}");

        let lora = TrainableModel::Adapter { base: model, adapter };
        let parameters = lora.parameters();
        let mut gradients: Vec<_> = (0..parameters.len()).map(|i| vec![0.0; lora.values(i).len()]).collect();
        let batch = SequenceBatch::from_sequences([(&ids[..], &expected.labels[..])]);
        lora.accumulate_gradients(&batch, 1.0, None, &mut gradients, &NEVER).unwrap();
        for (parameter, gradient) in parameters.iter().zip(&gradients) {
            let reference = &tensors[&format!("adapter.grad.{}", parameter.name)];
            let difference = norm(gradient.iter().zip(reference).map(|(a, b)| a - b)) / norm(reference.iter().copied());
            assert!(difference <= GRADIENT_TOLERANCE, "{name}: {} differs by {difference:.1e}", parameter.name);
        }
    }
}
