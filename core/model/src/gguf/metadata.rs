//! A decoder's configuration as GGUF metadata, and back as a `config.json`.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::value::Value;
use crate::config::{RopeConfig, RopeScaling};
use crate::{Error, ModelConfig, Result};

/// Architectures that are written and read: `model_type`, class, llama.cpp's name.
const ARCHITECTURES: [(&str, &str, &str); 4] = [
    ("llama", "LlamaForCausalLM", "llama"),
    ("mistral", "MistralForCausalLM", "llama"),
    ("qwen2", "Qwen2ForCausalLM", "qwen2"),
    ("qwen3", "Qwen3ForCausalLM", "qwen3"),
];

/// What Llama 3's context extension is made of, in files that we write.
const LLAMA3_KEYS: [&str; 3] =
    ["luthier.rope.low_freq_factor", "luthier.rope.high_freq_factor", "luthier.rope.original_context"];

/// Metadata in the order of the file.
pub(super) type Entries = Vec<(String, Value)>;

/// llama.cpp's name of a model's architecture.
///
/// # Errors
/// [`Error::Export`] for an architecture, or a feature of one, that the file could not say.
pub(super) fn architecture(config: &ModelConfig) -> Result<&'static str> {
    let model_type = config.architecture.model_type();
    let refuse = |what: String| Err(Error::Export { format: "GGUF", what });
    let Some((_, _, name)) = ARCHITECTURES.iter().find(|(ours, _, _)| *ours == model_type) else {
        let known = ARCHITECTURES.map(|(ours, _, _)| ours).join(", ");
        return refuse(format!("the architecture {model_type:?} is not written (written: {known})"));
    };
    let has_other_bias = config.qkv_bias || config.o_bias || config.mlp_bias;
    if *name == "qwen3" && has_other_bias {
        return refuse("llama.cpp's qwen3 has no biases, this model has".into());
    }
    if *name == "qwen2" && (config.o_bias || config.mlp_bias) {
        return refuse("llama.cpp's qwen2 has biases on q, k and v only, this model has others".into());
    }
    let plain_scale = 1.0 / (config.head_dim as f64).sqrt();
    let is_plain = config.attention_scale.iter().all(|scale| (scale - plain_scale).abs() <= 1e-9 * plain_scale)
        && config.attention_softcap.is_none()
        && config.final_softcap.is_none()
        && config.embedding_scale == 1.0
        && !config.parallel_residual
        && config.moe.is_none();
    if !is_plain {
        return refuse(format!("llama.cpp's {name} has no word for this model's scales, limits or experts"));
    }
    match config.rope.scaling {
        RopeScaling::None | RopeScaling::Linear { .. } | RopeScaling::Llama3 { .. } => Ok(name),
        RopeScaling::Yarn { .. } => refuse("YaRN's context extension is not written".into()),
        RopeScaling::Dynamic { .. } => refuse("dynamic NTK is not written: the format has no word for it".into()),
        RopeScaling::LongRope { .. } => refuse("LongRoPE's context extension is not written".into()),
    }
}

/// The configuration's part of the metadata.
pub(super) fn of_config(config: &ModelConfig) -> Result<Entries> {
    let name = architecture(config)?;
    let mut entries = Entries::new();
    let mut put = |key: &str, value: Value| entries.push((format!("{name}.{key}"), value));
    let size = |n: usize| Value::Unsigned(n as u64);
    put("vocab_size", size(config.vocab_size));
    put("context_length", size(config.max_seq_len));
    put("embedding_length", size(config.hidden_size));
    put("block_count", size(config.n_layers));
    put("feed_forward_length", size(config.intermediate_size));
    put("attention.head_count", size(config.n_heads));
    put("attention.head_count_kv", size(config.n_kv_heads));
    put("attention.key_length", size(config.head_dim));
    put("attention.value_length", size(config.head_dim));
    put("attention.layer_norm_rms_epsilon", Value::Float(config.norm_eps));
    put("rope.dimension_count", size(config.rope.dim));
    put("rope.freq_base", Value::Float(config.rope.theta));
    if let RopeScaling::Linear { factor } = config.rope.scaling {
        put("rope.scaling.type", Value::Text("linear".into()));
        put("rope.scaling.factor", Value::Float(factor));
    }
    if let RopeScaling::Llama3 { low_freq_factor, high_freq_factor, original_max_position_embeddings, .. } =
        config.rope.scaling
    {
        // The format keeps only the quotients (`rope_freqs.weight`); these say where they come from.
        let original = Value::Float(original_max_position_embeddings);
        let values = [Value::Float(low_freq_factor), Value::Float(high_freq_factor), original];
        entries.extend(LLAMA3_KEYS.map(str::to_owned).into_iter().zip(values));
    }
    Ok(entries)
}

/// Things that llama.cpp will do otherwise than the model was trained.
pub(super) fn warnings(config: &ModelConfig) -> Vec<String> {
    let window = config.sliding_window.iter().flatten().min().copied();
    let mut warnings = Vec::new();
    if let Some(window) = window.filter(|window| *window < config.max_seq_len) {
        warnings.push(format!(
            "llama.cpp reads this architecture without a sliding window: beyond {window} tokens its answers differ"
        ));
    }
    warnings
}

/// `rope_freqs.weight`: what each frequency is divided by, for Llama 3's context extension.
pub(super) fn rope_factors(rope: &RopeConfig) -> Option<Vec<f32>> {
    if !matches!(rope.scaling, RopeScaling::Llama3 { .. }) {
        return None;
    }
    let plain = RopeConfig { scaling: RopeScaling::None, ..rope.clone() };
    let pairs = plain.inverse_frequencies().into_iter().zip(rope.inverse_frequencies());
    Some(pairs.map(|(plain, scaled)| (plain / scaled) as f32).collect())
}

/// The `config.json` of a file's metadata. `rope_factors` are those of its `rope_freqs.weight`.
pub(super) fn to_config(
    metadata: &BTreeMap<String, Value>,
    rope_factors: Option<&[f32]>,
    has_tensor: impl Fn(&str) -> bool,
) -> std::result::Result<Json, String> {
    let name = metadata.get("general.architecture").and_then(Value::as_str).ok_or("no general.architecture")?;
    let Some((model_type, class, _)) = ARCHITECTURES.iter().find(|(_, _, theirs)| *theirs == name) else {
        return Err(format!("the architecture {name:?} is not read (read: llama, qwen2, qwen3)"));
    };
    let size = |key: &str| metadata.get(&format!("{name}.{key}")).and_then(Value::as_u64);
    let number = |key: &str| metadata.get(&format!("{name}.{key}")).and_then(Value::as_f64);
    let need = |key: &str| size(key).ok_or_else(|| format!("no {name}.{key}"));
    if size("expert_count").is_some_and(|n| n > 0) {
        return Err("a mixture of experts is not read from GGUF".into());
    }
    let (hidden, heads) = (need("embedding_length")?, need("attention.head_count")?.max(1));
    let tokens = match metadata.get("tokenizer.ggml.tokens") {
        Some(Value::Texts(tokens)) => Some(tokens.len() as u64),
        _ => None,
    };
    let mut config = Map::new();
    let mut put = |key: &str, value: Json| {
        config.insert(key.to_owned(), value);
    };
    put("architectures", json!([class]));
    put("model_type", json!(model_type));
    put("vocab_size", json!(size("vocab_size").or(tokens).ok_or("no vocabulary size")?));
    put("hidden_size", json!(hidden));
    put("intermediate_size", json!(need("feed_forward_length")?));
    put("num_hidden_layers", json!(need("block_count")?));
    put("num_attention_heads", json!(heads));
    put("num_key_value_heads", json!(size("attention.head_count_kv").unwrap_or(heads)));
    put("head_dim", json!(size("attention.key_length").unwrap_or(hidden / heads)));
    put("max_position_embeddings", json!(need("context_length")?));
    put("rms_norm_eps", json!(number("attention.layer_norm_rms_epsilon").ok_or("no rms epsilon")?));
    put("rope_theta", json!(number("rope.freq_base").unwrap_or(10_000.0)));
    put("tie_word_embeddings", json!(!has_tensor("output.weight")));
    put("hidden_act", json!("silu"));
    if *model_type == "llama" {
        put("attention_bias", json!(has_tensor("blk.0.attn_q.bias")));
        put("mlp_bias", json!(has_tensor("blk.0.ffn_gate.bias")));
    }
    for (key, theirs) in [("bos_token_id", "bos"), ("eos_token_id", "eos"), ("pad_token_id", "padding")] {
        if let Some(id) = metadata.get(&format!("tokenizer.ggml.{theirs}_token_id")).and_then(Value::as_u64) {
            put(key, json!(id));
        }
    }
    if let Some(scaling) = rope_scaling(metadata, name, rope_factors)? {
        put("rope_scaling", scaling);
    }
    Ok(Json::Object(config))
}

fn rope_scaling(
    metadata: &BTreeMap<String, Value>,
    name: &str,
    factors: Option<&[f32]>,
) -> std::result::Result<Option<Json>, String> {
    let get = |key: &str| metadata.get(&format!("{name}.rope.scaling.{key}"));
    match (get("type").and_then(Value::as_str), factors) {
        (None | Some("none"), None) => Ok(None),
        (Some("linear"), None) => {
            let factor = get("factor").and_then(Value::as_f64).ok_or("linear rope scaling without a factor")?;
            Ok(Some(json!({ "rope_type": "linear", "factor": factor })))
        }
        (None | Some("none" | "llama3"), Some(factors)) => llama3(metadata, name, factors).map(Some),
        (Some(other), _) => Err(format!("rope scaling {other:?} is not read")),
    }
}

/// The quotients of Llama 3's context extension back to its settings: the file's own words for them,
/// else those of all published models (low 1, high 4, original context 8192). They must give the same
/// quotients again.
fn llama3(metadata: &BTreeMap<String, Value>, name: &str, factors: &[f32]) -> std::result::Result<Json, String> {
    let number = |key: &str| metadata.get(key).and_then(Value::as_f64);
    let [low, high, original] = LLAMA3_KEYS.map(number);
    let (low, high, original) = (low.unwrap_or(1.0), high.unwrap_or(4.0), original.unwrap_or(8192.0));
    let factor = f64::from(factors.iter().copied().fold(1.0_f32, f32::max));
    let theta = number(&format!("{name}.rope.freq_base")).unwrap_or(10_000.0);
    let scaling = RopeScaling::Llama3 {
        factor,
        low_freq_factor: low,
        high_freq_factor: high,
        original_max_position_embeddings: original,
    };
    let again = rope_factors(&RopeConfig { theta, dim: 2 * factors.len(), scaling }).unwrap_or_default();
    let is_near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-4 * b.abs();
    if again.len() != factors.len() || !factors.iter().zip(&again).all(is_near) {
        return Err("rope_freqs.weight is not Llama 3's context extension".into());
    }
    Ok(json!({ "rope_type": "llama3", "factor": factor, "low_freq_factor": low, "high_freq_factor": high,
        "original_max_position_embeddings": original }))
}
