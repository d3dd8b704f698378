//! GPT-2: learned positions, LayerNorm, Conv1D weights.
//!
//! `resid_pdrop`, `embd_pdrop` and `attn_pdrop` are read by no one: dropout inside the base model is
//! not applied in training (adapters have their own), and inference has none.

use super::keys::Keys;
use super::parts::{activation, head_dim_of, layers};
use super::rope::Given;
use super::{Activation, Architecture, LayerRope, ModelConfig, NormKind, RopeConfig};
use crate::Result;

pub(super) fn gpt2(keys: &Keys) -> Result<ModelConfig> {
    let hidden_size = keys.need_size("n_embd")?;
    let n_heads = keys.need_size("n_head")?;
    let head_dim = head_dim_of(keys, "n_embd", hidden_size, "n_head", n_heads)?;
    let n_layers = layers(keys, "n_layer")?;
    let max_seq_len = keys.size("n_positions")?.unwrap_or(1024);
    let base = match keys.flag("scale_attn_weights")? {
        Some(false) => 1.0,
        _ => 1.0 / (head_dim as f64).sqrt(),
    };
    let by_layer = keys.flag("scale_attn_by_inverse_layer_idx")?.unwrap_or(false);
    let scale = |layer: usize| if by_layer { base / (layer + 1) as f64 } else { base };
    Ok(ModelConfig {
        architecture: Architecture::Gpt2,
        vocab_size: keys.need_size("vocab_size")?,
        hidden_size,
        intermediate_size: keys.size("n_inner")?.unwrap_or(4 * hidden_size),
        n_layers,
        n_heads,
        n_kv_heads: n_heads,
        head_dim,
        norm_kind: NormKind::Layer,
        norm_eps: keys.number("layer_norm_epsilon")?.unwrap_or(1e-5),
        activation: activation(keys, "activation_function", Activation::GeluTanh)?,
        rope: RopeConfig::plain(&Given::new(10_000.0, 0, max_seq_len)),
        local_rope: None,
        layer_rope: vec![LayerRope::None; n_layers],
        max_seq_len,
        tie_word_embeddings: keys.flag("tie_word_embeddings")?.unwrap_or(true),
        qkv_bias: true,
        o_bias: true,
        mlp_bias: true,
        sliding_window: vec![None; n_layers],
        attention_scale: (0..n_layers).map(scale).collect(),
        attention_softcap: None,
        final_softcap: None,
        embedding_scale: 1.0,
        parallel_residual: false,
        moe: None,
        initializer_range: keys.number("initializer_range")?.unwrap_or(0.02),
        bos_token_ids: keys.ids("bos_token_id")?,
        eos_token_ids: keys.ids("eos_token_id")?,
        raw: keys.object.clone(),
    })
}
