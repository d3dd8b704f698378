//! The committed recipe: everything that decides what pico becomes.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::tokenizer::{SPECIAL, VOCABULARY};

/// Seed of the documents that the tokenizer is learned from; part of the tokenizer's identity.
pub(super) const TOKENIZER_SEED: u64 = 20_48;

/// See `recipe.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// Seed of weights and documents.
    pub(super) seed: u64,
    pub(super) model: Shape,
    pub(super) train: Train,
}

/// Shape of the decoder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shape {
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) n_layers: usize,
    pub(super) n_heads: usize,
    pub(super) n_kv_heads: usize,
}

/// Optimization.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Train {
    pub(super) steps: u64,
    /// Last steps, over which the learning rate falls linearly to zero.
    pub(super) cooldown_steps: u64,
    pub(super) warmup_steps: u64,
    pub(super) tokens_per_step: usize,
    pub(super) learning_rate: f64,
    pub(super) weight_decay: f64,
    pub(super) betas: (f64, f64),
    pub(super) max_grad_norm: f64,
}

impl Recipe {
    /// # Errors
    /// An unreadable file or an unknown key.
    pub(super) fn read(path: &Path) -> Result<Recipe> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("in {}", path.display()))
    }

    /// config.json as transformers reads it.
    pub(super) fn config_json(&self) -> Value {
        let Shape { hidden_size, intermediate_size, n_layers, n_heads, n_kv_heads } = self.model;
        json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": VOCABULARY,
            "hidden_size": hidden_size,
            "intermediate_size": intermediate_size,
            "num_hidden_layers": n_layers,
            "num_attention_heads": n_heads,
            "num_key_value_heads": n_kv_heads,
            "head_dim": hidden_size / n_heads,
            "hidden_act": "silu",
            "max_position_embeddings": super::MAX_POSITIONS,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0,
            "attention_bias": false,
            "mlp_bias": false,
            "attention_dropout": 0.0,
            "initializer_range": 0.02,
            "tie_word_embeddings": true,
            "bos_token_id": null,
            "eos_token_id": end_id(),
            "pad_token_id": 0,
            "torch_dtype": "bfloat16",
            "use_cache": true,
        })
    }
}

/// Id of the end-of-turn token.
pub(super) fn end_id() -> u32 {
    SPECIAL.iter().position(|token| *token == super::tokenizer::END).map_or(0, |id| id as u32)
}
