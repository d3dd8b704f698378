//! What several families share: activations, norms, experts, shapes, layer types.

use super::keys::{Keys, unsupported};
use super::{Architecture, ModelConfig, RopeConfig};
use crate::Result;
use serde_json::{Value, json};

/// More layers than any model has; a hostile file must not make us list billions of tensors.
const MAX_LAYERS: usize = 4096;

/// Kind of a normalization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// RMSNorm: `w * x * rstd`.
    Rms,
    /// RMSNorm that stores the distance of its factor from one: `(1 + w) * x * rstd` (Gemma).
    RmsPlusOne,
    /// LayerNorm with bias: `w * (x - mean) * rstd + b`.
    Layer,
}

/// Activation function of a feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x * sigmoid(x)`: "silu", "swish".
    Silu,
    /// `x * Phi(x)`, exact: "gelu", "gelu_python".
    Gelu,
    /// Its tanh approximation: "`gelu_new`", "`gelu_pytorch_tanh`", "`gelu_fast`", "`gelu_accurate`".
    GeluTanh,
    /// `x * sigmoid(1.702 x)`: "`quick_gelu`".
    QuickGelu,
    /// `max(x, 0)`: "relu".
    Relu,
}

/// Which rotary position embedding a layer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerRope {
    /// None: positions are known from the causal mask alone (SmolLM3), or learned (GPT-2).
    None,
    /// The model's.
    Global,
    /// That of layers with a window (Gemma 3).
    Local,
}

/// A mixture of experts in place of the feed-forward layer.
#[derive(Debug, Clone, PartialEq)]
pub struct MoeConfig {
    /// Number of experts of a layer.
    pub n_experts: usize,
    /// How many of them see a token.
    pub n_experts_per_token: usize,
    /// Width of an expert.
    pub intermediate_size: usize,
    /// Whether the weights of a token's experts are scaled to sum to one.
    pub norm_topk_prob: bool,
    /// Per layer: experts (true) or a dense feed-forward layer.
    pub layers: Vec<bool>,
}

/// Features that no family of this decoder has.
pub(super) fn refuse_everywhere(keys: &Keys) -> Result<()> {
    for key in ["residual_multiplier", "logits_scaling", "embedding_multiplier"] {
        if let Some(value) = keys.get(key)
            && value.as_f64() != Some(1.0)
        {
            return unsupported(key, value, "1.0 or absent");
        }
    }
    for key in ["use_bidirectional_attention", "add_cross_attention", "output_router_logits", "is_encoder_decoder"] {
        if keys.get(key).is_some_and(|value| value != &Value::Bool(false)) {
            return unsupported(key, &keys.object[key], "false or absent");
        }
    }
    Ok(())
}

/// Dropout inside the frozen base is not implemented; adapters have their own.
pub(super) fn refuse_dropout(keys: &Keys, names: &[&str]) -> Result<()> {
    for key in names {
        if let Some(value) = keys.get(key)
            && value.as_f64() != Some(0.0)
        {
            return unsupported(key, value, "0.0");
        }
    }
    Ok(())
}

/// The activation that `key` names, `default` if it is absent.
pub(super) fn activation(keys: &Keys, key: &str, default: Activation) -> Result<Activation> {
    match keys.text(key)? {
        None => Ok(default),
        Some("silu" | "swish") => Ok(Activation::Silu),
        Some("gelu" | "gelu_python") => Ok(Activation::Gelu),
        Some("gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" | "gelu_accurate" | "gelu_python_tanh") => {
            Ok(Activation::GeluTanh)
        }
        Some("quick_gelu") => Ok(Activation::QuickGelu),
        Some("relu") => Ok(Activation::Relu),
        Some(other) => unsupported(
            key,
            format!("\"{other}\""),
            "silu, gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, quick_gelu, relu",
        ),
    }
}

/// Defaults of a family, as transformers has them.
pub(super) struct Defaults {
    pub(super) architecture: Architecture,
    pub(super) n_kv_heads: Option<usize>,
    pub(super) head_dim: Option<usize>,
    pub(super) max_seq_len: usize,
    pub(super) norm_eps: f64,
    pub(super) theta: f64,
    pub(super) tie_word_embeddings: bool,
}

/// What the Llama-like families read alike: shapes, norms, RoPE; full attention in every layer.
pub(super) fn llama_like(keys: &Keys, defaults: &Defaults) -> Result<ModelConfig> {
    refuse_dropout(keys, &["attention_dropout"])?;
    let hidden_size = keys.need_size("hidden_size")?;
    let n_heads = keys.need_size("num_attention_heads")?;
    let n_kv_heads = match (keys.size("num_key_value_heads")?, defaults.n_kv_heads) {
        (Some(n), _) => n,
        (None, Some(n)) if !keys.object.contains_key("num_key_value_heads") => n,
        (None, _) => n_heads,
    };
    if !n_heads.is_multiple_of(n_kv_heads) {
        let expected = format!("a divisor of num_attention_heads = {n_heads}");
        return keys.invalid("num_key_value_heads", &expected, &json!(n_kv_heads));
    }
    let head_dim = match (keys.size("head_dim")?, defaults.head_dim) {
        (Some(n), _) => n,
        (None, Some(n)) if !keys.object.contains_key("head_dim") => n,
        (None, _) => head_dim_of(keys, "hidden_size", hidden_size, "num_attention_heads", n_heads)?,
    };
    let n_layers = layers(keys, "num_hidden_layers")?;
    let max_seq_len = keys.size("max_position_embeddings")?.unwrap_or(defaults.max_seq_len);
    Ok(ModelConfig {
        architecture: defaults.architecture,
        vocab_size: keys.need_size("vocab_size")?,
        hidden_size,
        intermediate_size: keys.need_size("intermediate_size")?,
        n_layers,
        n_heads,
        n_kv_heads,
        head_dim,
        norm_kind: NormKind::Rms,
        norm_eps: keys.number("rms_norm_eps")?.unwrap_or(defaults.norm_eps),
        activation: activation(keys, "hidden_act", Activation::Silu)?,
        rope: RopeConfig::read(keys, &super::rope::Given::new(defaults.theta, head_dim, max_seq_len))?,
        local_rope: None,
        layer_rope: vec![LayerRope::Global; n_layers],
        max_seq_len,
        tie_word_embeddings: keys.flag("tie_word_embeddings")?.unwrap_or(defaults.tie_word_embeddings),
        qkv_bias: false,
        o_bias: false,
        mlp_bias: false,
        sliding_window: vec![None; n_layers],
        attention_scale: vec![1.0 / (head_dim as f64).sqrt(); n_layers],
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

/// `width / n_heads`, if that is whole.
pub(super) fn head_dim_of(keys: &Keys, key: &str, width: usize, heads_key: &str, n_heads: usize) -> Result<usize> {
    if !width.is_multiple_of(n_heads) {
        return keys.invalid(key, &format!("a multiple of {heads_key} = {n_heads}"), &json!(width));
    }
    Ok(width / n_heads)
}

/// The number of layers.
pub(super) fn layers(keys: &Keys, key: &str) -> Result<usize> {
    let n_layers = keys.need_size(key)?;
    if n_layers > MAX_LAYERS {
        return keys.invalid(key, &format!("at most {MAX_LAYERS}"), &json!(n_layers));
    }
    Ok(n_layers)
}

/// Per layer, whether `layer_types` says sliding attention; `default` if the key is absent.
pub(super) fn sliding_layers(keys: &Keys, n_layers: usize, default: impl Fn(usize) -> bool) -> Result<Vec<bool>> {
    let types = keys.per_layer("layer_types", n_layers, "strings", |kind| kind.as_str().map(str::to_owned))?;
    let Some(types) = types else {
        return Ok((0..n_layers).map(default).collect());
    };
    let is_sliding = |kind: String| match kind.as_str() {
        "full_attention" => Ok(false),
        "sliding_attention" => Ok(true),
        _ => unsupported("layer_types", format!("\"{kind}\""), "full_attention, sliding_attention"),
    };
    types.into_iter().map(is_sliding).collect()
}
