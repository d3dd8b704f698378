//! Models and batches for this crate's tests.

use crate::rng::CounterRng;
use crate::{Adapter, AdapterConfig, IGNORE_INDEX, Model, ModelConfig, SequenceBatch};
use std::sync::Arc;

/// Two layers with everything that a decoder can have: grouped heads of a width of their own, biases
/// everywhere, Llama 3's RoPE, a sliding window in the second layer.
pub(crate) fn tiny_config() -> ModelConfig {
    let text = r#"{
        "model_type": "llama", "vocab_size": 13, "hidden_size": 8, "intermediate_size": 12,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4,
        "rms_norm_eps": 1e-5, "attention_bias": true, "mlp_bias": true,
        "max_position_embeddings": 512, "rope_theta": 10000.0,
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
    }"#;
    let mut config = ModelConfig::from_json(text).unwrap();
    config.sliding_window[1] = Some(3);
    config
}

/// The model with every weight, norms and biases included, away from its special initial value.
pub(crate) fn randomized(mut model: Model, seed: u64) -> Model {
    for (tensor, stream) in model.weights_mut().tensors.iter_mut().zip(0..) {
        let rng = CounterRng::new(seed, stream);
        let (mean, std) = match tensor.name.contains("norm") {
            true => (1.0, 0.2),
            false => (0.0, 0.3),
        };
        for (x, i) in tensor.values.as_mut_slice().iter_mut().zip(0..) {
            *x = (mean + std * rng.normal_at(i)) as f32;
        }
    }
    model
}

/// Sequences of random ids; about a quarter of the labels are ignored.
pub(crate) fn random_batch(vocab_size: usize, lengths: &[usize], seed: u64) -> SequenceBatch {
    let rng = CounterRng::new(seed, 77);
    let n: usize = lengths.iter().sum();
    let input_ids: Vec<u32> = (0..n as u64).map(|i| rng.below_at(i, vocab_size as u64) as u32).collect();
    let labels = input_ids
        .iter()
        .zip(n as u64..)
        .map(|(&id, i)| if rng.uniform_at(i) < 0.25 { IGNORE_INDEX } else { id as i32 })
        .collect();
    let mut offsets = vec![0];
    for &length in lengths {
        offsets.push(offsets[offsets.len() - 1] + length as u32);
    }
    SequenceBatch { input_ids, labels, offsets }
}

/// Random token ids.
pub(crate) fn random_ids(vocab_size: usize, n: usize, seed: u64) -> Vec<u32> {
    let rng = CounterRng::new(seed, 78);
    (0..n as u64).map(|i| rng.below_at(i, vocab_size as u64) as u32).collect()
}

/// An adapter with every tensor away from its initial values, so that it changes the model.
pub(crate) fn random_adapter(model: &Model, config: &AdapterConfig, seed: u64) -> Adapter {
    let mut adapter = Adapter::init(model, config, seed).unwrap();
    for (tensor, stream) in Arc::make_mut(&mut adapter.weights).tensors.iter_mut().zip(0..) {
        let rng = CounterRng::new(seed, stream);
        (0..).zip(tensor.values.as_mut_slice()).for_each(|(i, x)| *x += (0.2 * rng.normal_at(i)) as f32);
    }
    adapter
}
