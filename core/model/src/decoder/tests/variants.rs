//! Gradients of all weights of every architecture against central differences in f64.

use super::*;
use crate::ModelConfig;
use std::path::Path;

/// Values tried per tensor, spread over it.
const TRIED: usize = 12;

fn config(name: &str) -> ModelConfig {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/architectures");
    ModelConfig::from_json(&std::fs::read_to_string(root.join(name).join("config.json")).unwrap()).unwrap()
}

/// Two sequences: one longer than windows and the original context, one shorter than both.
fn check_variant(name: &str) {
    let config = config(name);
    let model = randomized(Model::init(config.clone(), 21), 22);
    let mut weights = model.weights().cast::<f64>();
    let batch = random_batch(config.vocab_size, &[19, 6], 23);
    let mut gradients = zeros(&weights.tensors);
    let decoder = Decoder::new(&config, &weights, None);
    decoder.accumulate(&batch, 1.0, None, Gradients::Full(&mut gradients), &NEVER).unwrap();
    for (tensor, gradient) in gradients.iter().enumerate() {
        let tensor_name = weights.tensors[tensor].name.clone();
        let scale = gradient.iter().fold(0f64, |m, g| m.max(g.abs()));
        assert!(scale > 0.0, "{name}: {tensor_name} has no gradient");
        for i in (0..gradient.len()).step_by(gradient.len().div_ceil(TRIED)) {
            let step = 1e-5;
            let mut at = |step: f64| {
                weights.tensors[tensor].values.as_mut_slice()[i] += step;
                let decoder = Decoder::new(&config, &weights, None);
                let loss = decoder.loss(&batch, &NEVER).unwrap().nll_sum;
                weights.tensors[tensor].values.as_mut_slice()[i] -= step;
                loss
            };
            let numeric = (at(step) - at(-step)) / (2.0 * step);
            let error = (gradient[i] - numeric).abs() / (1e-3 + scale);
            assert!(error < TOLERANCE, "{name}: {tensor_name}[{i}]: analytic {}, numeric {numeric}", gradient[i]);
        }
    }
}

#[test]
fn windows_and_layers_without_rotation() {
    check_variant("smollm3");
}

#[test]
fn norms_on_heads() {
    check_variant("qwen3");
}

#[test]
fn experts_with_weights_that_sum_to_one() {
    check_variant("qwen3-moe");
}

#[test]
fn experts_with_weights_as_they_are() {
    check_variant("qwen3-moe-sparse");
}

#[test]
fn soft_limits_and_norms_after() {
    check_variant("gemma2");
}

#[test]
fn two_rotary_bases() {
    check_variant("gemma3");
}

#[test]
fn joined_projections_and_longrope() {
    check_variant("phi3");
}

#[test]
fn learned_positions_and_transposed_weights() {
    check_variant("gpt2");
}

#[test]
fn parallel_residual_and_projections_joined_by_head() {
    check_variant("gpt-neox");
}

#[test]
fn layer_norm_with_a_sequential_residual() {
    check_variant("gpt-neox-sequential");
}

#[test]
fn adapters_on_transposed_and_joined_modules() {
    let ia3 = AdapterConfig { kind: AdapterKind::Ia3, target_modules: Vec::new(), ..AdapterConfig::default() };
    for name in ["gpt2", "gpt-neox", "phi3"] {
        let model = randomized(Model::init(config(name), 24), 25);
        check_adapter(&model, AdapterConfig { r: 1, use_dora: true, ..AdapterConfig::default() });
        check_adapter(&model, ia3.clone());
    }
}
