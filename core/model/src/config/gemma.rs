//! Gemma 2 and the text models of Gemma 3.

use super::keys::{Keys, unsupported};
use super::parts::{Defaults, activation, llama_like, sliding_layers};
use super::rope::Given;
use super::{Activation, Architecture, LayerRope, ModelConfig, NormKind, RopeConfig};
use crate::Result;

/// transformers' defaults.
const QUERY_PRE_ATTN_SCALAR: f64 = 256.0;
const SLIDING_WINDOW: usize = 4096;
const GLOBAL_THETA: f64 = 1_000_000.0;
const LOCAL_THETA: f64 = 10_000.0;

fn gemma(keys: &Keys, architecture: Architecture, max_seq_len: usize) -> Result<ModelConfig> {
    let defaults = Defaults {
        architecture,
        n_kv_heads: Some(4),
        head_dim: Some(256),
        max_seq_len,
        norm_eps: 1e-6,
        theta: LOCAL_THETA,
        tie_word_embeddings: true,
    };
    let mut config = llama_like(keys, &defaults)?;
    config.norm_kind = NormKind::RmsPlusOne;
    // hidden_act stands in early files, where it is not what the model was trained with.
    config.activation = activation(keys, "hidden_activation", Activation::GeluTanh)?;
    config.embedding_scale = (config.hidden_size as f64).sqrt();
    config.qkv_bias = keys.flag("attention_bias")?.unwrap_or(false);
    config.o_bias = config.qkv_bias;
    let scalar = keys.number("query_pre_attn_scalar")?.unwrap_or(QUERY_PRE_ATTN_SCALAR);
    config.attention_scale = vec![1.0 / scalar.sqrt(); config.n_layers];
    Ok(config)
}

fn window(keys: &Keys) -> Result<Option<usize>> {
    match keys.object.contains_key("sliding_window") {
        true => keys.size("sliding_window"),
        false => Ok(Some(SLIDING_WINDOW)),
    }
}

/// `null` is none, an absent key the default.
fn softcap(keys: &Keys, key: &str, default: Option<f64>) -> Result<Option<f64>> {
    match keys.object.contains_key(key) {
        true => keys.number(key),
        false => Ok(default),
    }
}

/// Every second layer, from the first, sees a window.
pub(super) fn gemma2(keys: &Keys) -> Result<ModelConfig> {
    let mut config = gemma(keys, Architecture::Gemma2, 8192)?;
    config.attention_softcap = softcap(keys, "attn_logit_softcapping", Some(50.0))?;
    config.final_softcap = softcap(keys, "final_logit_softcapping", Some(30.0))?;
    let window = window(keys)?;
    let is_sliding = sliding_layers(keys, config.n_layers, |layer| layer % 2 == 0)?;
    config.sliding_window = is_sliding.into_iter().map(|is_sliding| window.filter(|_| is_sliding)).collect();
    Ok(config)
}

/// All but every `sliding_window_pattern`-th layer see a window and rotate by a base of their own.
pub(super) fn gemma3(keys: &Keys) -> Result<ModelConfig> {
    if let Some(cap) = keys.get("attn_logit_softcapping") {
        // transformers reads the key and does not use it.
        return unsupported("attn_logit_softcapping", cap, "null or absent (Gemma 3 has no soft limit of scores)");
    }
    let mut config = gemma(keys, Architecture::Gemma3, 131_072)?;
    config.final_softcap = softcap(keys, "final_logit_softcapping", None)?;
    let window = window(keys)?;
    let pattern = keys.size("sliding_window_pattern")?.unwrap_or(6);
    let is_sliding = sliding_layers(keys, config.n_layers, |layer| (layer + 1) % pattern != 0)?;
    let rope = |is_sliding: bool| if is_sliding { LayerRope::Local } else { LayerRope::Global };
    config.layer_rope = is_sliding.iter().map(|&is_sliding| rope(is_sliding)).collect();
    config.sliding_window = is_sliding.into_iter().map(|is_sliding| window.filter(|_| is_sliding)).collect();
    (config.rope, config.local_rope) = ropes(keys, &config)?;
    Ok(config)
}

/// `rope_parameters` by layer type in newer files; `rope_theta`, `rope_scaling` and
/// `rope_local_base_freq` in older ones.
fn ropes(keys: &Keys, config: &ModelConfig) -> Result<(RopeConfig, Option<RopeConfig>)> {
    let given = |theta| Given::new(theta, config.head_dim, config.max_seq_len);
    let global = given(keys.number("rope_theta")?.unwrap_or(GLOBAL_THETA));
    let local = given(keys.number("rope_local_base_freq")?.unwrap_or(LOCAL_THETA));
    let Some(parameters) = keys.inner("rope_parameters")? else {
        let global = match keys.inner("rope_scaling")? {
            None => RopeConfig::plain(&global),
            Some(scaling) => RopeConfig::read_object(&scaling, &global)?,
        };
        return Ok((global, Some(RopeConfig::plain(&local))));
    };
    let by_type = |key: &str, given: &Given| match parameters.inner(key)? {
        None => Ok(RopeConfig::plain(given)),
        Some(object) => RopeConfig::read_object(&object, given),
    };
    Ok((by_type("full_attention", &global)?, Some(by_type("sliding_attention", &local)?)))
}
