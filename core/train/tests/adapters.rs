//! Every adapter method against torch and PEFT: logits, gradients and twenty steps of AdamW.
//! `tests/oracles/adapters.py` makes the files under `tests/fixtures/adapters/`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use luthier_model::{Adapter, Combination, Model, SequenceBatch, TrainableModel, logits};
use luthier_train::adamw::{AdamW, AdamWConfig};
use serde::Deserialize;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Largest difference of a logit, relative to the largest logit.
const LOGITS: f64 = 1e-5;

/// The same for PiSSA: PEFT rounds the residual `W - s B A` to f32, which we never form.
const PISSA_LOGITS: f64 = 5e-5;

/// Largest norm of a gradient's difference, relative to the gradient's norm.
const GRADIENTS: f64 = 1e-4;

/// Largest difference of a loss, relative to the loss.
const CURVE: f64 = 1e-4;

#[derive(Deserialize)]
struct Expected {
    base: String,
    quantized: bool,
    learning_rate: f64,
    input_ids: Vec<u32>,
    labels: Vec<i32>,
    logits: Vec<f64>,
    gradients: BTreeMap<String, Vec<f64>>,
    curve: Vec<f64>,
}

struct Case {
    trainable: TrainableModel,
    expected: Expected,
    batch: SequenceBatch,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

fn case(name: &str) -> Case {
    let dir = fixtures().join("adapters").join(name);
    let text = std::fs::read_to_string(dir.join("expected.json")).unwrap();
    let expected: Expected = serde_json::from_str(&text).unwrap();
    let base = Model::load(&fixtures().join("models").join(&expected.base)).unwrap();
    let base = if expected.quantized { base.quantize_nf4(true).unwrap() } else { base };
    let trainable = match name {
        "full" => TrainableModel::Full { model: base },
        _ => TrainableModel::Adapter { adapter: Adapter::load(&dir, &base).unwrap(), base },
    };
    let batch = SequenceBatch::from_sequences([(&expected.input_ids[..], &expected.labels[..])]);
    Case { trainable, expected, batch }
}

/// The mean loss and its gradients.
fn step(trainable: &TrainableModel, batch: &SequenceBatch, gradients: &mut [Vec<f32>]) -> f64 {
    gradients.iter_mut().for_each(|gradient| gradient.fill(0.0));
    let n_targets = batch.labels[1..].iter().filter(|&&label| label >= 0).count();
    let loss = trainable.accumulate_gradients(batch, 1.0 / n_targets as f32, None, gradients, &NEVER).unwrap();
    assert_eq!(loss.n_targets, n_targets);
    loss.nll_sum / n_targets as f64
}

fn check(name: &str) {
    let Case { mut trainable, expected, batch } = case(name);
    let found = logits(trainable.model(), trainable.adapter(), &expected.input_ids, &NEVER).unwrap();
    let largest = expected.logits.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    let pairs = found.iter().zip(&expected.logits);
    let error = pairs.map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max) / largest;
    let allowed = if name == "pissa" { PISSA_LOGITS } else { LOGITS };
    assert!(error <= allowed, "{name}: logits differ by {error:.1e}");

    let parameters = trainable.parameters();
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected.gradients.keys().collect::<Vec<_>>(), "{name}: trained tensors");
    let mut gradients: Vec<Vec<f32>> = (0..names.len()).map(|i| vec![0.0; trainable.values(i).len()]).collect();
    step(&trainable, &batch, &mut gradients);
    let mut worst_gradient = 0.0f64;
    for (tensor, gradient) in names.iter().zip(&gradients) {
        let expected = &expected.gradients[*tensor];
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
        let difference = norm(&mut gradient.iter().zip(expected).map(|(a, b)| f64::from(*a) - b));
        let error = difference / norm(&mut expected.iter().copied());
        assert!(error <= GRADIENTS, "{name}: the gradient of {tensor} differs by {error:.1e}");
        worst_gradient = worst_gradient.max(error);
    }

    let config = AdamWConfig { betas: (0.9, 0.999), epsilon: 1e-8, weight_decay: 0.0 };
    let mut optimizer = AdamW::new(config, gradients.iter().map(Vec::len));
    let mut worst_loss = 0.0f64;
    for (i, &expected_loss) in expected.curve.iter().enumerate() {
        let loss = step(&trainable, &batch, &mut gradients);
        let difference = (loss - expected_loss).abs() / expected_loss;
        assert!(difference <= CURVE, "{name}: loss {i} is {loss}, expected {expected_loss}");
        worst_loss = worst_loss.max(difference);
        optimizer.begin_step();
        for (index, gradient) in gradients.iter().enumerate() {
            optimizer.update(index, trainable.values_mut(index), gradient, 1.0, expected.learning_rate, false);
        }
    }
    assert!(expected.curve[19] < 0.95 * expected.curve[0], "{name}: the curve does not fall");
    eprintln!("{name:12} logits {error:.1e}  gradients {worst_gradient:.1e}  curve {worst_loss:.1e}");
}

#[derive(Deserialize)]
struct Combined {
    base: String,
    weights: Vec<f64>,
    input_ids: Vec<u32>,
    linear: Vec<f64>,
    cat: Vec<f64>,
}

#[test]
fn combinations_are_those_of_add_weighted_adapter() {
    let dir = fixtures().join("adapters/combined");
    let text = std::fs::read_to_string(dir.join("expected.json")).unwrap();
    let expected: Combined = serde_json::from_str(&text).unwrap();
    let base = Model::load(&fixtures().join("models").join(&expected.base)).unwrap();
    let [a, b] = ["a", "b"].map(|name| Adapter::load(&dir.join(name), &base).unwrap());
    let parts = [(&a, expected.weights[0]), (&b, expected.weights[1])];
    for (how, theirs) in [(Combination::Linear, &expected.linear), (Combination::Cat, &expected.cat)] {
        let combined = Adapter::combine(&base, &parts, how).unwrap();
        let ours = logits(&base, Some(&combined), &expected.input_ids, &NEVER).unwrap();
        let largest = theirs.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        let error = ours.iter().zip(theirs).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max) / largest;
        assert!(error <= LOGITS, "{how:?}: {error:.1e}");
    }
}

#[test]
fn lora_and_rslora() {
    check("lora");
    check("rslora");
}

#[test]
fn dora() {
    check("dora");
}

#[test]
fn pissa() {
    check("pissa");
}

#[test]
fn ia3() {
    check("ia3");
}

#[test]
fn nf4_bases() {
    check("qlora");
    check("qdora");
}

#[test]
fn patterns_and_layers() {
    check("patterns");
}

#[test]
fn regular_expressions_exclusions_and_biases() {
    check("regex-bias");
}

#[test]
fn trained_copies_of_modules() {
    check("saved");
    check("saved-head");
}

#[test]
fn all_weights() {
    check("full");
}
