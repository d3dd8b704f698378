//! Every gradient against central differences in f64, and the invariances of the loss.

mod checkpointing;
mod variants;

use super::*;
use crate::testing::{random_adapter, random_batch, randomized, tiny_config};
use crate::{Adapter, AdapterConfig, AdapterKind, Bias, LoraInit, Model, TrainableModel};

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
    let decoder = Decoder::new(&config, &weights, None);
    let loss = decoder.accumulate(&batch, 0.7, None, Gradients::Full(&mut gradients), &NEVER).unwrap();
    assert!((loss.nll_sum - decoder.loss(&batch, &NEVER).unwrap().nll_sum).abs() < 1e-12);
    let names: Vec<_> = weights.tensors.iter().map(|tensor| tensor.name.clone()).collect();
    check(&names, &gradients, |tensor, i, step| {
        weights.tensors[tensor].values.as_mut_slice()[i] += step;
        let decoder = Decoder::new(&config, &weights, None);
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

/// With dropout the mask is the same in both passes, so the check holds for it as well. What the
/// method holds constant for the gradient, DoRA's norms, is held constant here too.
fn check_adapter(model: &Model, adapter_config: AdapterConfig) {
    let config = model.config();
    let adapter = random_adapter(model, &adapter_config, 6);
    let mut own = adapter.weights.cast::<f64>();
    let weights = model.weights().cast::<f64>();
    let batch = random_batch(config.vocab_size, &[6, 4], 7);
    let key = Some(DropoutKey { seed: 8, step: 9, micro: 10, neftune_alpha: 0.0 });
    let mut gradients = zeros(&own.tensors);
    let decoder = Decoder::new(config, &weights, Some(&own));
    let norms = decoder.norms.clone();
    decoder.accumulate(&batch, 1.0, key, Gradients::Adapter(&mut gradients), &NEVER).unwrap();
    let names: Vec<_> = own.tensors.iter().map(|tensor| tensor.name.clone()).collect();
    check(&names, &gradients, |tensor, i, step| {
        own.tensors[tensor].values.as_mut_slice()[i] += step;
        let decoder = Decoder {
            config,
            weights: &weights,
            adapter: Some(&own),
            norms: norms.clone(),
            gradient_checkpointing: false,
        };
        let mut unused = zeros(&own.tensors);
        let loss = decoder.accumulate(&batch, 1.0, key, Gradients::Adapter(&mut unused), &NEVER).unwrap();
        own.tensors[tensor].values.as_mut_slice()[i] -= step;
        loss.nll_sum
    });
}

fn adapted_model() -> Model {
    randomized(Model::init(tiny_config(), 4), 5)
}

fn lora() -> AdapterConfig {
    AdapterConfig { r: 3, alpha: 5.0, ..AdapterConfig::default() }
}

#[test]
fn gradients_of_low_rank_adapters_match_finite_differences() {
    check_adapter(&adapted_model(), lora());
    check_adapter(&adapted_model(), AdapterConfig { dropout: 0.4, ..lora() });
}

#[test]
fn gradients_of_embedding_and_head_match_finite_differences() {
    let names = ["q_proj", "embed_tokens", "lm_head"].map(str::to_owned).to_vec();
    let config = AdapterConfig { dropout: 0.4, target_modules: names, ..lora() };
    check_adapter(&adapted_model(), config.clone());
    let mut tied = tiny_config();
    tied.tie_word_embeddings = true;
    tied.embedding_scale = 1.7;
    check_adapter(&randomized(Model::init(tied, 4), 5), config);
}

#[test]
fn gradients_of_dora_match_finite_differences() {
    check_adapter(&adapted_model(), AdapterConfig { use_dora: true, ..lora() });
    check_adapter(&adapted_model(), AdapterConfig { use_dora: true, dropout: 0.4, ..lora() });
}

#[test]
fn gradients_of_pissa_match_finite_differences() {
    check_adapter(&adapted_model(), AdapterConfig { init: LoraInit::Pissa, dropout: 0.3, ..lora() });
}

#[test]
fn gradients_of_ia3_match_finite_differences() {
    let config = AdapterConfig { kind: AdapterKind::Ia3, target_modules: Vec::new(), ..AdapterConfig::default() };
    check_adapter(&adapted_model(), config);
}

#[test]
fn gradients_on_a_quantized_base_match_finite_differences() {
    let model = adapted_model().quantize_nf4(true).unwrap();
    check_adapter(&model, lora());
    check_adapter(&model, AdapterConfig { use_dora: true, ..lora() });
}

#[test]
fn gradients_of_trained_copies_and_biases_match_finite_differences() {
    let mut config = tiny_config();
    let saved = |names: &[&str]| AdapterConfig {
        target_modules: vec!["q_proj".to_owned(), "down_proj".to_owned()],
        modules_to_save: names.iter().map(|name| (*name).to_owned()).collect(),
        bias: Bias::All,
        ..lora()
    };
    for tie in [false, true] {
        config.tie_word_embeddings = tie;
        let model = randomized(Model::init(config.clone(), 4), 5);
        check_adapter(&model, saved(&["embed_tokens", "lm_head", "norm", "k_proj"]));
        check_adapter(&model, saved(&["lm_head"]));
    }
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
    let decoder = Decoder::new(&config, &weights, None);
    let objective = Objective::Of(&mut derivative);
    decoder.accumulate_of(&batch, objective, None, Gradients::Full(&mut gradients), &NEVER).unwrap();
    let names: Vec<_> = weights.tensors.iter().map(|tensor| tensor.name.clone()).collect();
    check(&names, &gradients, |tensor, i, step| {
        weights.tensors[tensor].values.as_mut_slice()[i] += step;
        let decoder = Decoder::new(&config, &weights, None);
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
    let adapter = Adapter::init(&model, &AdapterConfig::default(), 14).unwrap();
    let lora = TrainableModel::Adapter { base: model, adapter };
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
