//! GPT-NeoX, Pythia, Dolly: LayerNorm, fused q, k, v head by head, partial rotation.

use super::keys::Keys;
use super::parts::{activation, head_dim_of, layers, refuse_dropout};
use super::rope::Given;
use super::{Activation, Architecture, LayerRope, ModelConfig, NormKind, RopeConfig};
use crate::Result;

/// transformers' default share of rotated dimensions.
const ROTARY_PCT: f64 = 0.25;

pub(super) fn gpt_neox(keys: &Keys) -> Result<ModelConfig> {
    refuse_dropout(keys, &["attention_dropout", "hidden_dropout"])?;
    let hidden_size = keys.need_size("hidden_size")?;
    let n_heads = keys.need_size("num_attention_heads")?;
    let head_dim = head_dim_of(keys, "hidden_size", hidden_size, "num_attention_heads", n_heads)?;
    let n_layers = layers(keys, "num_hidden_layers")?;
    let max_seq_len = keys.size("max_position_embeddings")?.unwrap_or(2048);
    let theta = keys.number("rotary_emb_base")?.unwrap_or(10_000.0);
    let mut given = Given::new(theta, head_dim, max_seq_len);
    given.allows_partial = true;
    given.partial_rotary_factor = keys.number("rotary_pct")?.unwrap_or(ROTARY_PCT);
    let attention_bias = keys.flag("attention_bias")?.unwrap_or(true);
    Ok(ModelConfig {
        architecture: Architecture::GptNeoX,
        vocab_size: keys.need_size("vocab_size")?,
        hidden_size,
        intermediate_size: keys.need_size("intermediate_size")?,
        n_layers,
        n_heads,
        n_kv_heads: n_heads,
        head_dim,
        norm_kind: NormKind::Layer,
        norm_eps: keys.number("layer_norm_eps")?.unwrap_or(1e-5),
        activation: activation(keys, "hidden_act", Activation::Gelu)?,
        rope: RopeConfig::read(keys, &given)?,
        local_rope: None,
        layer_rope: vec![LayerRope::Global; n_layers],
        max_seq_len,
        tie_word_embeddings: keys.flag("tie_word_embeddings")?.unwrap_or(false),
        qkv_bias: attention_bias,
        o_bias: attention_bias,
        mlp_bias: true,
        sliding_window: vec![None; n_layers],
        attention_scale: vec![1.0 / (head_dim as f64).sqrt(); n_layers],
        attention_softcap: None,
        final_softcap: None,
        embedding_scale: 1.0,
        parallel_residual: keys.flag("use_parallel_residual")?.unwrap_or(true),
        moe: None,
        initializer_range: keys.number("initializer_range")?.unwrap_or(0.02),
        bos_token_ids: keys.ids("bos_token_id")?,
        eos_token_ids: keys.ids("eos_token_id")?,
        raw: keys.object.clone(),
    })
}
