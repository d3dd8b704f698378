//! Llama, Mistral and SmolLM3.

use super::keys::Keys;
use super::parts::{Defaults, llama_like, sliding_layers};
use super::{Architecture, LayerRope, ModelConfig};
use crate::Result;
use serde_json::Value;

/// transformers' default for Mistral if the key is absent (`null` is none).
const MISTRAL_SLIDING_WINDOW: usize = 4096;

pub(super) fn llama(keys: &Keys) -> Result<ModelConfig> {
    let defaults = Defaults {
        architecture: Architecture::Llama,
        n_kv_heads: None,
        head_dim: None,
        max_seq_len: 2048,
        norm_eps: 1e-6,
        theta: 10_000.0,
        tie_word_embeddings: false,
    };
    let mut config = llama_like(keys, &defaults)?;
    // attention_bias is on all four projections.
    config.qkv_bias = keys.flag("attention_bias")?.unwrap_or(false);
    config.o_bias = config.qkv_bias;
    config.mlp_bias = keys.flag("mlp_bias")?.unwrap_or(false);
    Ok(config)
}

/// The window holds for every layer.
pub(super) fn mistral(keys: &Keys) -> Result<ModelConfig> {
    let defaults = Defaults {
        architecture: Architecture::Mistral,
        n_kv_heads: Some(8),
        head_dim: None,
        max_seq_len: 4096 * 32,
        norm_eps: 1e-6,
        theta: 10_000.0,
        tie_word_embeddings: false,
    };
    let mut config = llama_like(keys, &defaults)?;
    let window = match keys.object.contains_key("sliding_window") {
        true => keys.size("sliding_window")?,
        false => Some(MISTRAL_SLIDING_WINDOW),
    };
    config.sliding_window = vec![window; config.n_layers];
    Ok(config)
}

/// `no_rope_layers` has a 1 for each layer *with* rotary embedding; if absent, every
/// `no_rope_layer_interval`-th layer has none. Windows, if switched on, are in the layers without.
pub(super) fn smollm3(keys: &Keys) -> Result<ModelConfig> {
    let defaults = Defaults {
        architecture: Architecture::SmolLm3,
        n_kv_heads: Some(4),
        head_dim: None,
        max_seq_len: 32_768,
        norm_eps: 1e-6,
        theta: 2_000_000.0,
        tie_word_embeddings: true,
    };
    let mut config = llama_like(keys, &defaults)?;
    config.qkv_bias = keys.flag("attention_bias")?.unwrap_or(false);
    config.o_bias = config.qkv_bias;
    config.mlp_bias = keys.flag("mlp_bias")?.unwrap_or(false);
    config.layer_rope = no_rope_layers(keys, config.n_layers)?;
    let window = match keys.flag("use_sliding_window")? {
        Some(true) => keys.size("sliding_window")?,
        _ => None,
    };
    let is_sliding = sliding_layers(keys, config.n_layers, |layer| config.layer_rope[layer] == LayerRope::None)?;
    config.sliding_window = is_sliding.into_iter().map(|is_sliding| window.filter(|_| is_sliding)).collect();
    Ok(config)
}

fn no_rope_layers(keys: &Keys, n_layers: usize) -> Result<Vec<LayerRope>> {
    let rope = |has_rope: bool| if has_rope { LayerRope::Global } else { LayerRope::None };
    if let Some(value) = keys.get("no_rope_layers") {
        // The list may be longer than the model.
        let read = |x: &Value| x.as_u64().map(|x| rope(x != 0)).or(x.as_bool().map(rope));
        let list = value.as_array().filter(|list| list.len() >= n_layers);
        return match list.and_then(|list| list[..n_layers].iter().map(read).collect()) {
            Some(layers) => Ok(layers),
            None => keys.invalid("no_rope_layers", &format!("a list of {n_layers} zeros and ones"), value),
        };
    }
    let interval = keys.size("no_rope_layer_interval")?.unwrap_or(4);
    Ok((1..=n_layers).map(|layer| rope(layer % interval != 0)).collect())
}
