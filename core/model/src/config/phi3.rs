//! Phi-3, Phi-3.5, Phi-4: fused projections, LongRoPE, partial rotation.

use super::keys::Keys;
use super::parts::{Defaults, llama_like, refuse_dropout};
use super::rope::Given;
use super::{Architecture, ModelConfig, RopeConfig};
use crate::Result;

/// transformers' default, which holds whenever the key is absent.
const ORIGINAL_MAX_POSITION_EMBEDDINGS: usize = 4096;

pub(super) fn phi3(keys: &Keys) -> Result<ModelConfig> {
    refuse_dropout(keys, &["resid_pdrop", "embd_pdrop"])?;
    let defaults = Defaults {
        architecture: Architecture::Phi3,
        n_kv_heads: None,
        head_dim: None,
        max_seq_len: 4096,
        norm_eps: 1e-5,
        theta: 10_000.0,
        tie_word_embeddings: false,
    };
    // RoPE is read below: its rules are Phi-3's own.
    let mut object = keys.object.clone();
    for key in ["rope_parameters", "rope_scaling", "partial_rotary_factor"] {
        object.remove(key);
    }
    let mut config = llama_like(&Keys::new(&object), &defaults)?;
    config.raw = keys.object.clone();
    let window = keys.size("sliding_window")?;
    config.sliding_window = vec![window; config.n_layers];
    let mut given = Given::new(10_000.0, config.head_dim, config.max_seq_len);
    given.allows_partial = true;
    given.has_old_longrope_names = true;
    let original = keys.size("original_max_position_embeddings")?.unwrap_or(ORIGINAL_MAX_POSITION_EMBEDDINGS);
    given.original_max_position_embeddings = Some(original as f64);
    config.rope = RopeConfig::read(keys, &given)?;
    Ok(config)
}
