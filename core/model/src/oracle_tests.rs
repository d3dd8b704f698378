//! Agreement with transformers and PEFT on tiny random models: `tests/oracles/llama_fixture.py` makes
//! the files under `tests/fixtures/models/`.

use crate::infer::cache::KvCache;
use crate::infer::{Inference, Segment};
use crate::{Adapter, Control, GenerateInput, GenerateOptions, Model, SequenceBatch, TrainableModel, generate};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Largest difference from the f32 reference, relative to the largest magnitude compared (at least 1).
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Expected {
    input_ids: Vec<u32>,
    labels: Vec<i32>,
    logits: Vec<f64>,
    loss: f64,
    greedy: Vec<u32>,
    adapter_logits: Vec<f64>,
    adapter_loss: f64,
    adapter_gradients: BTreeMap<String, Vec<f64>>,
}

struct Fixture {
    dir: PathBuf,
    model: Model,
    expected: Expected,
}

fn fixture(name: &str) -> Fixture {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/models");
    let dir = root.join(name);
    let text = std::fs::read_to_string(dir.join("expected.json")).unwrap();
    let expected = serde_json::from_str(&text).unwrap();
    Fixture { model: Model::load(&dir).unwrap(), dir, expected }
}

#[track_caller]
fn assert_close(what: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0f64, |m, x| m.max(x.abs()));
    for (i, (&a, &b)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(a) - b).abs() < TOLERANCE * scale, "{what}[{i}]: {a}, expected {b}");
    }
}

fn logits(model: &Model, adapter: Option<&Adapter>, ids: &[u32]) -> Vec<f32> {
    let mut inference = Inference::new(model, adapter);
    let mut cache = KvCache::new(model.config(), 1);
    let x = inference.forward(&mut [Segment { ids, cache: &mut cache, length: ids.len() }], &NEVER).unwrap();
    inference.logits(&x, &(0..ids.len()).collect::<Vec<_>>())
}

fn check(name: &str) {
    let Fixture { dir, model, expected } = fixture(name);
    let ids = &expected.input_ids;
    let adapter = Adapter::load(&dir.join("adapter"), &model).unwrap();
    assert_close("logits", &logits(&model, None, ids), &expected.logits);
    assert_close("adapter logits", &logits(&model, Some(&adapter), ids), &expected.adapter_logits);

    let batch = SequenceBatch::from_sequences([(&ids[..], &expected.labels[..])]);
    let full = TrainableModel::Full { model: model.clone() };
    let loss = full.loss(&batch, &NEVER).unwrap();
    assert_close("loss", &[(loss.nll_sum / loss.n_targets as f64) as f32], &[expected.loss]);

    let lora = TrainableModel::Adapter { base: model.clone(), adapter };
    let parameters = lora.parameters();
    let mut gradients: Vec<_> = (0..parameters.len()).map(|i| vec![0.0; lora.values(i).len()]).collect();
    let loss = lora.accumulate_gradients(&batch, 1.0, None, &mut gradients, &NEVER).unwrap();
    assert_close("adapter loss", &[(loss.nll_sum / loss.n_targets as f64) as f32], &[expected.adapter_loss]);
    assert_eq!(parameters.len(), expected.adapter_gradients.len());
    for (parameter, gradient) in parameters.iter().zip(&gradients) {
        assert_close(&parameter.name, gradient, &expected.adapter_gradients[&parameter.name]);
    }

    let options = GenerateOptions { max_new_tokens: expected.greedy.len(), ..GenerateOptions::default() };
    let inputs = [GenerateInput { prompt_ids: ids[..12].to_vec(), options }];
    let answers = generate(&model, None, &inputs, &mut |_, _| Control::Continue, &NEVER).unwrap();
    assert_eq!(answers[0].ids, expected.greedy);
}

#[test]
fn llama_with_llama3_rope_and_grouped_heads() {
    check("llama");
}

#[test]
fn llama_with_biases_and_linear_rope() {
    check("llama-bias");
}

#[test]
fn mistral_with_a_sliding_window() {
    check("mistral");
}

#[test]
fn qwen2_with_qkv_biases() {
    check("qwen2");
}
