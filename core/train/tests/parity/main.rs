//! Every adapter method on every architecture against torch and PEFT: logits, gradients, and the losses of
//! twenty steps of AdamW. `tests/oracles/parity.py` makes the files under `tests/fixtures/parity/`; the page
//! `docs/parity.md` is what was measured here.

mod page;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use luthier_model::{Adapter, Architecture, Model, SequenceBatch, TrainableModel, logits};
use luthier_train::adamw::{AdamW, AdamWConfig};
use serde::Deserialize;

static NEVER: AtomicBool = AtomicBool::new(false);

/// The fixture of each architecture.
const ARCHITECTURES: [(Architecture, &str); 11] = [
    (Architecture::Llama, "llama"),
    (Architecture::Mistral, "mistral"),
    (Architecture::SmolLm3, "smollm3"),
    (Architecture::Qwen2, "qwen2"),
    (Architecture::Qwen3, "qwen3"),
    (Architecture::Qwen3Moe, "qwen3-moe"),
    (Architecture::Gemma2, "gemma2"),
    (Architecture::Gemma3, "gemma3"),
    (Architecture::Phi3, "phi3"),
    (Architecture::Gpt2, "gpt2"),
    (Architecture::GptNeoX, "gpt-neox"),
];

/// The methods' names in the fixtures, and in words.
const METHODS: [(&str, &str); 8] = [
    ("lora", "LoRA"),
    ("rslora", "rsLoRA"),
    ("dora", "DoRA"),
    ("pissa", "PiSSA"),
    ("ia3", "IA3"),
    ("qlora", "QLoRA"),
    ("lora-ends", "LoRA on embedding and head"),
    ("full", "all weights"),
];

/// What one cell was measured to be, or may be at most.
#[derive(Clone, Copy)]
struct Errors {
    /// Largest difference of a logit, relative to the largest logit.
    logits: f64,
    /// Largest norm of a gradient's difference, relative to the gradient's norm.
    gradients: f64,
    /// Largest difference of a loss, relative to the loss.
    curve: f64,
}

impl Errors {
    fn named(self) -> [(&'static str, f64); 3] {
        [("logits", self.logits), ("gradients", self.gradients), ("curve", self.curve)]
    }
}

/// PEFT rounds PiSSA's residual `W - s B A` to f32, which we never form.
fn tolerance(method: &str) -> Errors {
    Errors { logits: if method == "pissa" { 5e-5 } else { 1e-5 }, gradients: 1e-4, curve: 1e-4 }
}

type Tensors = BTreeMap<String, Vec<f32>>;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

fn tensors(file: &Path) -> Tensors {
    let bytes = std::fs::read(file).unwrap();
    let read = |data: &[u8]| data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    tensors.iter().map(|(name, view)| (name.to_owned(), read(view.data()))).collect()
}

#[derive(Deserialize)]
struct Sequence {
    input_ids: Vec<u32>,
    labels: Vec<i32>,
}

/// A base with its tokens, and what was expected of it.
struct Base {
    model: Model,
    batch: SequenceBatch,
    dir: PathBuf,
    /// Of the base itself: `logits`, and `grad.NAME` of the loss summed over the targets.
    own: Tensors,
    /// Of the methods, `METHOD.` before each name, gradients of the mean loss.
    expected: Tensors,
}

impl Base {
    fn load(fixture: &str) -> Base {
        let (base, dir) = (fixtures().join("architectures").join(fixture), fixtures().join("parity").join(fixture));
        let text = std::fs::read_to_string(base.join("expected.json")).unwrap();
        let Sequence { input_ids, labels } = serde_json::from_str(&text).unwrap();
        Base {
            model: Model::load(&base).unwrap(),
            batch: SequenceBatch::from_sequences([(&input_ids[..], &labels[..])]),
            own: tensors(&base.join("expected.safetensors")),
            expected: tensors(&dir.join("expected.safetensors")),
            dir,
        }
    }

    fn trainable(&self, method: &str) -> TrainableModel {
        let base = match method {
            "qlora" => self.model.quantize_nf4(true).unwrap(),
            _ => self.model.clone(),
        };
        match method {
            "full" => TrainableModel::Full { model: base },
            _ => TrainableModel::Adapter { adapter: Adapter::load(&self.dir.join(method), &base).unwrap(), base },
        }
    }

    fn n_targets(&self) -> usize {
        self.batch.labels[1..].iter().filter(|&&label| label >= 0).count()
    }

    /// The expected gradients by name, and what the loss is multiplied by.
    fn gradients(&self, method: &str) -> (BTreeMap<&str, &Vec<f32>>, f32) {
        let (from, prefix) = match method {
            "full" => (&self.own, "grad.".to_owned()),
            _ => (&self.expected, format!("{method}.grad.")),
        };
        let named = from.iter().filter_map(|(name, values)| Some((name.strip_prefix(&prefix)?, values)));
        (named.collect(), if method == "full" { 1.0 } else { 1.0 / self.n_targets() as f32 })
    }

    fn measure(&self, fixture: &str, method: &str) -> Errors {
        let mut trainable = self.trainable(method);
        let found = logits(trainable.model(), trainable.adapter(), &self.batch.input_ids, &NEVER).unwrap();
        let expected = match method {
            "full" => &self.own["logits"],
            _ => &self.expected[&format!("{method}.logits")],
        };
        let (expected_gradients, scale) = self.gradients(method);
        let parameters = trainable.parameters();
        let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        let wanted: Vec<&str> = expected_gradients.keys().copied().collect();
        assert_eq!(sorted, wanted, "{fixture} {method}: trained tensors");
        let mut buffers: Vec<Vec<f32>> = (0..names.len()).map(|i| vec![0.0; trainable.values(i).len()]).collect();
        self.step(&trainable, scale, &mut buffers);
        let errors = names.iter().zip(&buffers).map(|(name, found)| norm_error(found, expected_gradients[name]));
        let gradients = errors.fold(0.0, f64::max);
        let curve = self.curve(&mut trainable, &mut buffers, &self.expected[&format!("{method}.curve")]);
        Errors { logits: largest_error(&found, expected), gradients, curve }
    }

    /// The mean loss; the gradients of the sum times `scale`.
    fn step(&self, trainable: &TrainableModel, scale: f32, gradients: &mut [Vec<f32>]) -> f64 {
        gradients.iter_mut().for_each(|gradient| gradient.fill(0.0));
        let loss = trainable.accumulate_gradients(&self.batch, scale, None, gradients, &NEVER).unwrap();
        assert_eq!(loss.n_targets, self.n_targets());
        loss.nll_sum / loss.n_targets as f64
    }

    /// The largest relative difference of a loss over steps of AdamW with torch's defaults.
    fn curve(&self, trainable: &mut TrainableModel, gradients: &mut [Vec<f32>], expected: &[f32]) -> f64 {
        let config = AdamWConfig { betas: (0.9, 0.999), epsilon: 1e-8, weight_decay: 0.0 };
        let mut optimizer = AdamW::new(config, gradients.iter().map(Vec::len));
        assert!(expected[19] < 0.97 * expected[0], "the curve does not fall");
        let mut worst = 0.0f64;
        for &expected in expected {
            let loss = self.step(trainable, 1.0 / self.n_targets() as f32, gradients);
            worst = worst.max((loss / f64::from(expected) - 1.0).abs());
            optimizer.begin_step();
            for (index, gradient) in gradients.iter().enumerate() {
                optimizer.update(index, trainable.values_mut(index), gradient, 1.0, 5e-3, false);
            }
        }
        worst
    }
}

/// Relative to the largest magnitude expected; NaN is infinitely far away.
fn largest_error(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(0f32, |m, x| m.max(x.abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| f64::from((a - b).abs()));
    differences.fold(0.0, |worst, d| if d.is_nan() { f64::INFINITY } else { worst.max(d) }) / f64::from(scale)
}

fn norm_error(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    let error = difference / norm(&mut expected.iter().map(|x| f64::from(*x)));
    if error.is_nan() { f64::INFINITY } else { error }
}

/// What was measured on one architecture, by method.
fn measure(fixture: &str) -> Vec<Errors> {
    let base = Base::load(fixture);
    let errors: Vec<Errors> = METHODS.iter().map(|(method, _)| base.measure(fixture, method)).collect();
    let mut faults = Vec::new();
    for ((method, _), found) in METHODS.iter().zip(&errors) {
        for ((what, found), (_, allowed)) in found.named().into_iter().zip(tolerance(method).named()) {
            if found > allowed {
                faults.push(format!("{fixture}, {method}: {what} differ by {found:.1e}, at most {allowed:.0e}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    errors
}

#[test]
fn every_method_on_every_architecture_agrees_with_peft() {
    for (architecture, fixture) in ARCHITECTURES {
        assert_eq!(Base::load(fixture).model.config().architecture, architecture);
        measure(fixture);
    }
    assert!(Architecture::ALL.iter().all(|known| ARCHITECTURES.iter().any(|(here, _)| here == known)));
}
