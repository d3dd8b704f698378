//! Every gradient against central differences in f64, and the invariances of the loss.

mod variants;

use super::*;
use crate::lora::{LoraAdapter, LoraConfig};
use crate::testing::{random_batch, randomized, tiny_config};
use crate::{Model, TrainableModel};

static NEVER: AtomicBool = AtomicBool::new(false);

/// Largest allowed |analytic - numeric| / (1e-3 + |numeric|). In f64 with a step of 1e-5 the
/// truncation error of central differences is near 1e-10 times the third derivative.
const TOLERANCE: f64 = 1e-5;

/// Compares `gradients` with central differences of `loss` for every value that `value` reaches.
fn check(names: &[String], gradients: &[Vec<f64>], mut loss_with: impl FnMut(usize, usize, f64) -> f64) {
    let step = 1e-5;
    for (tensor, gradient) in gradients.iter().enumerate() {
        assert!(gradient.iter().any(|&g| g != 0.0), "{} has no gradient", names[tensor]);
        for (i, &analytic) in gradient.iter().enumerate() {
            let numeric = (loss_with(tensor, i, step) - loss_with(tensor, i, -step)) / (2.0 * step);
            let error = (analytic - numeric).abs() / (1e-3 + numeric.abs());
            assert!(error < TOLERANCE, "{}[{i}]: analytic {analytic}, numeric {numeric}", names[tensor]);
        }
    }
}

fn zeros(tensors: &[crate::weights::NamedTensor<f64>]) -> Vec<Vec<f64>> {
    tensors.iter().map(|tensor| vec![0.0; tensor.values.len()]).collect()
}

fn check_full(tie: bool) {
    let mut config = tiny_config();
    config.tie_word_embeddings = tie;
    let model = randomized(Model::init(config.clone(), 1), 2);
    let mut weights = model.weights().cast::<f64>();
    let batch = random_batch(config.vocab_size, &[5, 7, 1], 3);
    let mut gradients = zeros(&weights.tensors);
    let decoder = Decoder { config: &config, weights: &weights, lora: None };
    let loss = decoder.accumulate(&batch, 0.7, None, Gradients::Full(&mut gradients), &NEVER).unwrap();
    assert!((loss.nll_sum - decoder.loss(&batch, &NEVER).unwrap().nll_sum).abs() < 1e-12);
    let names: Vec<_> = weights.tensors.iter().map(|tensor| tensor.name.clone()).collect();
    check(&names, &gradients, |tensor, i, step| {
        weights.tensors[tensor].values.as_mut_slice()[i] += step;
        let decoder = Decoder { config: &config, weights: &weights, lora: None };
        let loss = decoder.loss(&batch, &NEVER).unwrap().nll_sum;
        weights.tensors[tensor].values.as_mut_slice()[i] -= step;
        0.7 * loss
    });
}

#[test]
fn gradients_of_all_weights_match_finite_differences() {
    check_full(false);
}

#[test]
fn gradients_with_a_tied_embedding_match_finite_differences() {
    check_full(true);
}

/// With dropout the mask is the same in both passes, so the check holds for it as well.
fn check_lora(dropout: f64) {
    let config = tiny_config();
    let model = randomized(Model::init(config.clone(), 4), 5);
    let lora_config = LoraConfig { r: 3, alpha: 5.0, dropout, ..LoraConfig::default() };
    let adapter = LoraAdapter::init(&model, &lora_config, 6).unwrap();
    let mut lora = adapter.weights.cast::<f64>();
    for (tensor, seed) in lora.tensors.iter_mut().zip(100..) {
        let rng = CounterRng::new(seed, 0);
        (0..).zip(tensor.values.as_mut_slice()).for_each(|(i, x)| *x = 0.3 * rng.normal_at(i));
    }
    let weights = model.weights().cast::<f64>();
    let batch = random_batch(config.vocab_size, &[6, 4], 7);
    let key = Some(DropoutKey { seed: 8, step: 9, micro: 10, neftune_alpha: 0.0 });
    let mut gradients = zeros(&lora.tensors);
    let decoder = Decoder { config: &config, weights: &weights, lora: Some(&lora) };
    decoder.accumulate(&batch, 1.0, key, Gradients::Lora(&mut gradients), &NEVER).unwrap();
    let names: Vec<_> = lora.tensors.iter().map(|tensor| tensor.name.clone()).collect();
    check(&names, &gradients, |tensor, i, step| {
        lora.tensors[tensor].values.as_mut_slice()[i] += step;
        let decoder = Decoder { config: &config, weights: &weights, lora: Some(&lora) };
        let mut unused = zeros(&lora.tensors);
        let loss = decoder.accumulate(&batch, 1.0, key, Gradients::Lora(&mut unused), &NEVER).unwrap();
        lora.tensors[tensor].values.as_mut_slice()[i] -= step;
        loss.nll_sum
    });
}

#[test]
fn gradients_of_adapters_match_finite_differences() {
    check_lora(0.0);
}

#[test]
fn gradients_of_adapters_under_dropout_match_finite_differences() {
    check_lora(0.4);
}

#[test]
fn gradients_of_any_function_of_log_probabilities_match_finite_differences() {
    let config = tiny_config();
    let model = randomized(Model::init(config.clone(), 21), 22);
    let mut weights = model.weights().cast::<f64>();
    let batch = random_batch(config.vocab_size, &[6, 4], 23);
    // Not a sum: the derivative by each depends on the others. f = Σ logp²/4 + (Σ logp)/3
    let value = |logps: &[f64]| logps.iter().map(|x| x * x / 4.0 + x / 3.0).sum::<f64>();
    let mut derivative = |logps: &[f64]| logps.iter().map(|x| (x / 2.0 + 1.0 / 3.0) as f32).collect();
    let mut gradients = zeros(&weights.tensors);
    let decoder = Decoder { config: &config, weights: &weights, lora: None };
    let objective = Objective::Of(&mut derivative);
    decoder.accumulate_of(&batch, objective, None, Gradients::Full(&mut gradients), &NEVER).unwrap();
    let names: Vec<_> = weights.tensors.iter().map(|tensor| tensor.name.clone()).collect();
    check(&names, &gradients, |tensor, i, step| {
        weights.tensors[tensor].values.as_mut_slice()[i] += step;
        let decoder = Decoder { config: &config, weights: &weights, lora: None };
        let nll = decoder.nll(&batch, &NEVER).unwrap();
        weights.tensors[tensor].values.as_mut_slice()[i] -= step;
        value(&nll.iter().map(|nll| -nll).collect::<Vec<_>>())
    });
}

fn loss_and_gradients(trainable: &TrainableModel, batch: &SequenceBatch) -> (f64, Vec<Vec<f32>>) {
    let mut gradients: Vec<_> =
        (0..trainable.parameters().len()).map(|i| vec![0.0; trainable.values(i).len()]).collect();
    let loss = trainable.accumulate_gradients(batch, 1.0, None, &mut gradients, &NEVER).unwrap();
    (loss.nll_sum, gradients)
}

/// A size at which products are cut into tiles and loops into tasks.
fn medium_model() -> Model {
    let mut config = tiny_config();
    (config.vocab_size, config.hidden_size, config.intermediate_size) = (300, 64, 96);
    randomized(Model::init(config, 11), 12)
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let model = medium_model();
    let batch = random_batch(300, &[150, 70, 33, 200], 13);
    let full = TrainableModel::Full { model: model.clone() };
    let adapter = LoraAdapter::init(&model, &LoraConfig::default(), 14).unwrap();
    let lora = TrainableModel::Lora { base: model, adapter };
    for trainable in [full, lora] {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| loss_and_gradients(&trainable, &batch))
        };
        let one = run(1);
        assert!(one == run(2) && one == run(3));
    }
}

#[test]
fn packed_sequences_equal_separate_ones() {
    let trainable = TrainableModel::Full { model: medium_model() };
    let lengths = [20, 90, 7];
    let packed = random_batch(300, &lengths, 15);
    let (loss, gradients) = loss_and_gradients(&trainable, &packed);
    let mut separate_loss = 0.0;
    let mut separate: Vec<Vec<f32>> = gradients.iter().map(|g| vec![0.0; g.len()]).collect();
    for range in packed.ranges() {
        let (ids, labels) = (&packed.input_ids[range.clone()], &packed.labels[range]);
        let batch = SequenceBatch::from_sequences([(ids, labels)]);
        let part = trainable.accumulate_gradients(&batch, 1.0, None, &mut separate, &NEVER);
        separate_loss += part.unwrap().nll_sum;
    }
    assert!((loss - separate_loss).abs() / loss < 1e-5);
    let largest = gradients.iter().flatten().fold(0.0f32, |m, g| m.max(g.abs()));
    for (a, b) in gradients.iter().flatten().zip(separate.iter().flatten()) {
        assert!((a - b).abs() < 1e-5 * largest, "{a} {b}");
    }
}

#[test]
fn a_batch_without_targets_has_no_loss_and_no_gradient() {
    let trainable = TrainableModel::Full { model: medium_model() };
    let ids = [1, 2, 3];
    let batch = SequenceBatch::from_sequences([(&ids[..], &[crate::IGNORE_INDEX; 3][..])]);
    let (loss, gradients) = loss_and_gradients(&trainable, &batch);
    assert_eq!(loss, 0.0);
    assert!(gradients.iter().flatten().all(|&g| g == 0.0));
}

#[test]
fn a_set_cancel_token_interrupts() {
    let trainable = TrainableModel::Full { model: medium_model() };
    let batch = random_batch(300, &[9], 16);
    let cancel = AtomicBool::new(true);
    assert!(matches!(trainable.loss(&batch, &cancel), Err(Error::Interrupted)));
}
