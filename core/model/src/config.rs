//! `config.json` of a decoder, parsed once; whatever is not implemented is refused here.
//!
//! Each family has a file: which keys it reads, their defaults (those of transformers), what it refuses.

mod family;
mod gemma;
mod gpt2;
mod gpt_neox;
mod keys;
mod llama;
mod multimodal;
mod parts;
mod phi3;
mod quantization;
mod qwen;
mod rope;
mod save;
#[cfg(test)]
mod tests;

pub use family::Architecture;
pub use parts::{Activation, LayerRope, MoeConfig, NormKind};
pub use rope::{RopeConfig, RopeScaling};

use crate::{Error, Result};
use keys::Keys;
use serde_json::{Map, Value};

/// Shape and constants of a decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// The architecture that config.json names.
    pub architecture: Architecture,
    /// Number of token ids.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layer (of a dense one, where there are experts).
    pub intermediate_size: usize,
    /// Number of decoder blocks.
    pub n_layers: usize,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key and value heads; divides `n_heads`.
    pub n_kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Kind of all normalizations.
    pub norm_kind: NormKind,
    /// Added to the mean square or the variance in a normalization.
    pub norm_eps: f64,
    /// Activation of the feed-forward layers.
    pub activation: Activation,
    /// Rotary position embedding; layers that see only a window may have [`local_rope`](Self::local_rope).
    pub rope: RopeConfig,
    /// Rotary position embedding of the layers with [`LayerRope::Local`] (Gemma 3).
    pub local_rope: Option<RopeConfig>,
    /// Per layer: which rotary position embedding it has.
    pub layer_rope: Vec<LayerRope>,
    /// Context length the model was trained for (`max_position_embeddings`).
    pub max_seq_len: usize,
    /// Whether the output head shares the embedding's weights.
    pub tie_word_embeddings: bool,
    /// Bias on the q, k and v projections.
    pub qkv_bias: bool,
    /// Bias on the o projection.
    pub o_bias: bool,
    /// Bias on the projections of the feed-forward layer.
    pub mlp_bias: bool,
    /// Per layer: how many positions back a query sees, itself included; `None` sees all.
    pub sliding_window: Vec<Option<usize>>,
    /// Per layer: factor of the products of queries and keys.
    pub attention_scale: Vec<f64>,
    /// Soft limit of the scaled products of queries and keys.
    pub attention_softcap: Option<f64>,
    /// Soft limit of the logits.
    pub final_softcap: Option<f64>,
    /// Factor of the token embedding.
    pub embedding_scale: f64,
    /// Whether attention and feed-forward layer read the same input instead of following each other.
    pub parallel_residual: bool,
    /// Experts, if there are any.
    pub moe: Option<MoeConfig>,
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
    /// Parses the text of a `config.json`; an unsupported feature is an error that names it. Of a multimodal
    /// Gemma 3 the text model is taken.
    pub fn from_json(text: &str) -> Result<Self> {
        let invalid = |reason: String| Error::Json { what: "config.json".to_owned(), reason };
        let value: Value = serde_json::from_str(text).map_err(|e| invalid(e.to_string()))?;
        let Value::Object(raw) = value else {
            return Err(invalid("expected an object".to_owned()));
        };
        let mut raw = multimodal::text_part(raw)?;
        quantization::check(&Keys::new(&raw))?;
        // What is saved again is not quantized.
        raw.remove("quantization_config");
        let keys = Keys::new(&raw);
        let architecture = family::architecture(&keys)?;
        parts::refuse_everywhere(&keys)?;
        match architecture {
            Architecture::Llama => llama::llama(&keys),
            Architecture::Mistral => llama::mistral(&keys),
            Architecture::SmolLm3 => llama::smollm3(&keys),
            Architecture::Qwen2 => qwen::qwen2(&keys),
            Architecture::Qwen3 => qwen::qwen3(&keys),
            Architecture::Qwen3Moe => qwen::qwen3_moe(&keys),
            Architecture::Gemma2 => gemma::gemma2(&keys),
            Architecture::Gemma3 => gemma::gemma3(&keys),
            Architecture::Phi3 => phi3::phi3(&keys),
            Architecture::Gpt2 => gpt2::gpt2(&keys),
            Architecture::GptNeoX => gpt_neox::gpt_neox(&keys),
        }
    }

    /// The text to save: the object as it was read, with the keys of this struct set from it.
    pub fn to_json(&self) -> String {
        save::to_json(self)
    }

    /// Width of all query heads together.
    pub fn q_size(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Width of all key (or value) heads together.
    pub fn kv_size(&self) -> usize {
        self.n_kv_heads * self.head_dim
    }

    /// Whether the feed-forward layer of `layer` consists of experts.
    pub fn is_sparse(&self, layer: usize) -> bool {
        self.moe.as_ref().is_some_and(|moe| moe.layers[layer])
    }

    /// Refuses sequences that are longer than a table of learned positions.
    pub(crate) fn check_length(&self, length: usize) -> Result<()> {
        if self.architecture == Architecture::Gpt2 && length > self.max_seq_len {
            return Err(Error::InvalidBatch {
                what: "length of a sequence".to_owned(),
                expected: format!("at most {} (n_positions: positions are learned)", self.max_seq_len),
                found: length.to_string(),
            });
        }
        Ok(())
    }

    /// Whether a sequence of `a` tokens and one of `b` are rotated differently (LongRoPE, dynamic NTK), so
    /// that keys computed for one are not those of the other.
    pub fn rotates_differently(&self, a: usize, b: usize) -> bool {
        let ropes = [Some(&self.rope), self.local_rope.as_ref()];
        ropes.into_iter().flatten().any(|rope| rope.variant(a) != rope.variant(b))
    }
}
