//! Qwen2 (and 2.5), Qwen3, Qwen3-MoE.

use super::keys::Keys;
use super::parts::{Defaults, llama_like, sliding_layers};
use super::{Architecture, ModelConfig, MoeConfig};
use crate::Result;
use serde_json::{Value, json};

fn defaults(architecture: Architecture, n_kv_heads: usize, head_dim: Option<usize>) -> Defaults {
    Defaults {
        architecture,
        n_kv_heads: Some(n_kv_heads),
        head_dim,
        max_seq_len: 32_768,
        norm_eps: 1e-6,
        theta: 10_000.0,
        tie_word_embeddings: false,
    }
}

/// Biases on q, k and v, always.
pub(super) fn qwen2(keys: &Keys) -> Result<ModelConfig> {
    let mut config = llama_like(keys, &defaults(Architecture::Qwen2, 32, None))?;
    config.qkv_bias = true;
    config.sliding_window = windows(keys, config.n_layers)?;
    Ok(config)
}

pub(super) fn qwen3(keys: &Keys) -> Result<ModelConfig> {
    let mut config = llama_like(keys, &defaults(Architecture::Qwen3, 32, Some(128)))?;
    config.qkv_bias = keys.flag("attention_bias")?.unwrap_or(false);
    config.o_bias = config.qkv_bias;
    config.sliding_window = windows(keys, config.n_layers)?;
    Ok(config)
}

/// A window, if switched on, holds for every layer.
pub(super) fn qwen3_moe(keys: &Keys) -> Result<ModelConfig> {
    let mut config = llama_like(keys, &defaults(Architecture::Qwen3Moe, 4, None))?;
    config.qkv_bias = keys.flag("attention_bias")?.unwrap_or(false);
    config.o_bias = config.qkv_bias;
    let window = window(keys)?;
    config.sliding_window = vec![window; config.n_layers];
    config.moe = Some(experts(keys, config.n_layers)?);
    Ok(config)
}

/// transformers' default for the length of the window.
const DEFAULT_WINDOW: usize = 4096;

fn window(keys: &Keys) -> Result<Option<usize>> {
    match (keys.flag("use_sliding_window")?, keys.object.contains_key("sliding_window")) {
        (Some(true), true) => keys.size("sliding_window"),
        (Some(true), false) => Ok(Some(DEFAULT_WINDOW)),
        _ => Ok(None),
    }
}

/// A window, if switched on, holds by `layer_types`, or from layer `max_window_layers` on.
fn windows(keys: &Keys, n_layers: usize) -> Result<Vec<Option<usize>>> {
    let window = window(keys)?;
    let first = match keys.get("max_window_layers") {
        None => 28,
        Some(value) => match value.as_u64() {
            Some(first) => first,
            None => return keys.invalid("max_window_layers", "a number of layers", value),
        },
    };
    let is_sliding = sliding_layers(keys, n_layers, |layer| window.is_some() && layer as u64 >= first)?;
    Ok(is_sliding.into_iter().map(|is_sliding| window.filter(|_| is_sliding)).collect())
}

fn experts(keys: &Keys, n_layers: usize) -> Result<MoeConfig> {
    // Newer files call the number of experts num_local_experts.
    let n_experts = match keys.size("num_local_experts")? {
        Some(n) => n,
        None => keys.size("num_experts")?.unwrap_or(128),
    };
    let n_experts_per_token = keys.size("num_experts_per_tok")?.unwrap_or(8);
    if n_experts_per_token > n_experts {
        let expected = format!("at most the number of experts, {n_experts}");
        return keys.invalid("num_experts_per_tok", &expected, &json!(n_experts_per_token));
    }
    let step = keys.size("decoder_sparse_step")?.unwrap_or(1);
    let dense: Vec<u64> = match keys.get("mlp_only_layers") {
        None => Vec::new(),
        Some(value) => match value.as_array().and_then(|list| list.iter().map(Value::as_u64).collect()) {
            Some(list) => list,
            None => return keys.invalid("mlp_only_layers", "a list of layer indices", value),
        },
    };
    Ok(MoeConfig {
        n_experts,
        n_experts_per_token,
        intermediate_size: keys.size("moe_intermediate_size")?.unwrap_or(768),
        norm_topk_prob: keys.flag("norm_topk_prob")?.unwrap_or(false),
        layers: (0..n_layers).map(|layer| !dense.contains(&(layer as u64)) && (layer + 1) % step == 0).collect(),
    })
}
