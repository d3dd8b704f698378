//! `config.json` of a Llama-family decoder, parsed once; whatever is not implemented is refused here.

mod parse;
mod rope;
#[cfg(test)]
mod tests;

pub use rope::{RopeConfig, RopeScaling};

use crate::Result;
use serde_json::{Map, Value};

/// The architecture that config.json names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// `LlamaForCausalLM`: also SmolLM2, TinyLlama, Yi.
    Llama,
    /// `MistralForCausalLM`: sliding-window attention.
    Mistral,
    /// `Qwen2ForCausalLM`: biases on q, k and v.
    Qwen2,
}

impl Architecture {
    /// The value of `model_type`.
    pub fn model_type(self) -> &'static str {
        match self {
            Architecture::Llama => "llama",
            Architecture::Mistral => "mistral",
            Architecture::Qwen2 => "qwen2",
        }
    }

    /// The entry of `architectures`.
    pub fn class_name(self) -> &'static str {
        match self {
            Architecture::Llama => "LlamaForCausalLM",
            Architecture::Mistral => "MistralForCausalLM",
            Architecture::Qwen2 => "Qwen2ForCausalLM",
        }
    }
}

/// Shape and constants of a decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// The architecture that config.json names.
    pub architecture: Architecture,
    /// Number of token ids.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Number of decoder blocks.
    pub n_layers: usize,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key and value heads; divides `n_heads`.
    pub n_kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Added to the mean square in RMSNorm.
    pub rms_norm_eps: f64,
    /// Rotary position embedding.
    pub rope: RopeConfig,
    /// Context length the model was trained for (`max_position_embeddings`).
    pub max_seq_len: usize,
    /// Whether the output head shares the embedding's weights.
    pub tie_word_embeddings: bool,
    /// Bias on the q, k and v projections.
    pub qkv_bias: bool,
    /// Bias on the o projection.
    pub o_bias: bool,
    /// Bias on the gate, up and down projections.
    pub mlp_bias: bool,
    /// Per layer: how many positions back a query sees, itself included; `None` sees all.
    pub sliding_window: Vec<Option<usize>>,
    /// Standard deviation of initial weights.
    pub initializer_range: f64,
    /// Beginning-of-sequence ids.
    pub bos_token_ids: Vec<u32>,
    /// End-of-sequence ids.
    pub eos_token_ids: Vec<u32>,
    /// The object as it was read; unknown keys survive a save.
    pub raw: Map<String, Value>,
}

impl ModelConfig {
    /// Parses the text of a `config.json`; an unsupported feature is an error that names it.
    pub fn from_json(text: &str) -> Result<Self> {
        parse::from_json(text)
    }

    /// The text to save: the object as it was read, with the keys of this struct set from it.
    pub fn to_json(&self) -> String {
        parse::to_json(self)
    }

    /// Width of all query heads together.
    pub fn q_size(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Width of all key (or value) heads together.
    pub fn kv_size(&self) -> usize {
        self.n_kv_heads * self.head_dim
    }
}
