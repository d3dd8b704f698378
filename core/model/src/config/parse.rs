//! Reading and writing `config.json`: defaults as transformers has them, refusals that name the key.

use super::{Architecture, ModelConfig, RopeConfig, RopeScaling};
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// More layers than any model has; a hostile file must not make us list billions of tensors.
const MAX_LAYERS: usize = 4096;

/// transformers' default for Mistral if the key is absent (`null` is none).
const MISTRAL_SLIDING_WINDOW: usize = 4096;

/// Typed access to an object's keys; an error names the key.
struct Keys<'a> {
    object: &'a Map<String, Value>,
    prefix: &'static str,
}

impl<'a> Keys<'a> {
    /// The value of `key`, with `null` as absent.
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    fn invalid<T>(&self, key: &str, expected: &str, found: &Value) -> Result<T> {
        Err(Error::InvalidConfig {
            key: format!("{}{key}", self.prefix),
            expected: expected.to_owned(),
            found: found.to_string(),
        })
    }

    fn required<T>(&self, key: &str, value: Option<T>) -> Result<T> {
        match value {
            Some(value) => Ok(value),
            None => self.invalid(key, "a value", &Value::Null),
        }
    }

    fn size(&self, key: &str) -> Result<Option<usize>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(n) if n > 0 && n <= u64::from(u32::MAX) => Ok(Some(n as usize)),
                _ => self.invalid(key, "a positive integer", value),
            },
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(x) if x.is_finite() && x > 0.0 => Ok(Some(x)),
                _ => self.invalid(key, "a positive number", value),
            },
        }
    }

    fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_bool() {
                Some(flag) => Ok(Some(flag)),
                None => self.invalid(key, "true or false", value),
            },
        }
    }

    fn text(&self, key: &str) -> Result<Option<&'a str>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_str() {
                Some(text) => Ok(Some(text)),
                None => self.invalid(key, "a string", value),
            },
        }
    }

    /// One id or a list of ids.
    fn ids(&self, key: &str) -> Result<Vec<u32>> {
        let id = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
        let ids = match self.get(key) {
            None => Some(Vec::new()),
            Some(Value::Array(values)) => values.iter().map(id).collect(),
            Some(value) => id(value).map(|n| vec![n]),
        };
        match ids {
            Some(ids) => Ok(ids),
            None => self.invalid(key, "a token id or a list of them", &self.object[key]),
        }
    }
}

fn unsupported<T>(feature: &str, found: impl ToString, supported: &str) -> Result<T> {
    Err(Error::Unsupported { feature: feature.to_owned(), found: found.to_string(), supported: supported.to_owned() })
}

pub(super) fn from_json(text: &str) -> Result<ModelConfig> {
    let value: Value = serde_json::from_str(text)
        .map_err(|e| Error::Json { what: "config.json".to_owned(), reason: e.to_string() })?;
    let Value::Object(raw) = value else {
        return Err(Error::Json { what: "config.json".to_owned(), reason: "expected an object".to_owned() });
    };
    let keys = Keys { object: &raw, prefix: "" };
    let architecture = architecture(&keys)?;
    refuse_unsupported(&keys)?;

    let hidden_size = keys.required("hidden_size", keys.size("hidden_size")?)?;
    let n_heads = keys.required("num_attention_heads", keys.size("num_attention_heads")?)?;
    let n_kv_heads = match keys.size("num_key_value_heads")? {
        Some(n) => n,
        // transformers' default for Mistral; the others default to as many as query heads.
        None if architecture == Architecture::Mistral => 8,
        None => n_heads,
    };
    if n_heads % n_kv_heads != 0 {
        let expected = format!("a divisor of num_attention_heads = {n_heads}");
        return keys.invalid("num_key_value_heads", &expected, &json!(n_kv_heads));
    }
    let head_dim = match keys.size("head_dim")? {
        Some(n) => n,
        None if hidden_size % n_heads == 0 => hidden_size / n_heads,
        None => {
            let expected = format!("a multiple of num_attention_heads = {n_heads}");
            return keys.invalid("hidden_size", &expected, &json!(hidden_size));
        }
    };
    if head_dim % 2 != 0 {
        return keys.invalid("head_dim", "an even number", &json!(head_dim));
    }
    let n_layers = keys.required("num_hidden_layers", keys.size("num_hidden_layers")?)?;
    if n_layers > MAX_LAYERS {
        let expected = format!("at most {MAX_LAYERS}");
        return keys.invalid("num_hidden_layers", &expected, &json!(n_layers));
    }
    let max_seq_len = keys.size("max_position_embeddings")?.unwrap_or(2048);
    let attention_bias = keys.flag("attention_bias")?;
    let is_qwen2 = architecture == Architecture::Qwen2;
    Ok(ModelConfig {
        architecture,
        vocab_size: keys.required("vocab_size", keys.size("vocab_size")?)?,
        hidden_size,
        intermediate_size: keys.required("intermediate_size", keys.size("intermediate_size")?)?,
        n_layers,
        n_heads,
        n_kv_heads,
        head_dim,
        rms_norm_eps: keys.number("rms_norm_eps")?.unwrap_or(1e-6),
        rope: rope(&keys, max_seq_len)?,
        max_seq_len,
        tie_word_embeddings: keys.flag("tie_word_embeddings")?.unwrap_or(false),
        qkv_bias: is_qwen2 || attention_bias.unwrap_or(false),
        // Llama's attention_bias is on all four projections, Qwen2's only on q, k and v.
        o_bias: !is_qwen2 && attention_bias.unwrap_or(false),
        mlp_bias: keys.flag("mlp_bias")?.unwrap_or(false),
        sliding_window: sliding_window(&keys, architecture, n_layers)?,
        initializer_range: keys.number("initializer_range")?.unwrap_or(0.02),
        bos_token_ids: keys.ids("bos_token_id")?,
        eos_token_ids: keys.ids("eos_token_id")?,
        raw: raw.clone(),
    })
}

fn architecture(keys: &Keys) -> Result<Architecture> {
    let all = [Architecture::Llama, Architecture::Mistral, Architecture::Qwen2];
    let supported = "llama, mistral, qwen2";
    let Some(model_type) = keys.text("model_type")? else {
        return unsupported("model_type", "absent", supported);
    };
    match all.into_iter().find(|a| a.model_type() == model_type) {
        Some(architecture) => Ok(architecture),
        None => unsupported("model_type", format!("\"{model_type}\""), supported),
    }
}

fn refuse_unsupported(keys: &Keys) -> Result<()> {
    if let Some(activation) = keys.text("hidden_act")?
        && !matches!(activation, "silu" | "swish")
    {
        return unsupported("hidden_act", format!("\"{activation}\""), "silu");
    }
    if let Some(method) = keys.get("quantization_config") {
        let found = method.get("quant_method").unwrap_or(method);
        return unsupported("quantization_config", found, "unquantized float weights");
    }
    for key in ["partial_rotary_factor", "residual_multiplier", "logits_scaling", "embedding_multiplier"] {
        if let Some(value) = keys.get(key)
            && value.as_f64() != Some(1.0)
        {
            return unsupported(key, value, "1.0 or absent");
        }
    }
    if let Some(value) = keys.get("attention_dropout")
        && value.as_f64() != Some(0.0)
    {
        return unsupported("attention_dropout", value, "0.0");
    }
    Ok(())
}

/// `rope_theta` + `rope_scaling` of older files, `rope_parameters` of newer ones.
fn rope(keys: &Keys, max_seq_len: usize) -> Result<RopeConfig> {
    let theta = keys.number("rope_theta")?;
    let (object, prefix) = match (keys.get("rope_parameters"), keys.get("rope_scaling")) {
        (Some(value), _) => (value, "rope_parameters."),
        (None, Some(value)) => (value, "rope_scaling."),
        (None, None) => {
            return Ok(RopeConfig { theta: theta.unwrap_or(10_000.0), scaling: RopeScaling::None });
        }
    };
    let key = prefix.trim_end_matches('.');
    let Value::Object(object) = object else {
        return keys.invalid(key, "an object", object);
    };
    let inner = Keys { object, prefix };
    let theta = inner.number("rope_theta")?.or(theta).unwrap_or(10_000.0);
    if let Some(value) = inner.get("partial_rotary_factor")
        && value.as_f64() != Some(1.0)
    {
        return unsupported(&format!("{prefix}partial_rotary_factor"), value, "1.0 or absent");
    }
    let kind = match inner.text("rope_type")? {
        Some(kind) => kind,
        None => inner.text("type")?.unwrap_or("default"),
    };
    let factor = || inner.required("factor", inner.number("factor")?);
    let scaling = match kind {
        "default" => RopeScaling::None,
        "linear" => RopeScaling::Linear { factor: factor()? },
        "llama3" => {
            let low = inner.required("low_freq_factor", inner.number("low_freq_factor")?)?;
            let high = inner.required("high_freq_factor", inner.number("high_freq_factor")?)?;
            if high <= low {
                return inner.invalid("high_freq_factor", &format!("above low_freq_factor = {low}"), &json!(high));
            }
            RopeScaling::Llama3 {
                factor: factor()?,
                low_freq_factor: low,
                high_freq_factor: high,
                original_max_position_embeddings: inner
                    .number("original_max_position_embeddings")?
                    .unwrap_or(max_seq_len as f64),
            }
        }
        other => {
            let feature = format!("{prefix}rope_type");
            return unsupported(&feature, format!("\"{other}\""), "default, linear, llama3");
        }
    };
    Ok(RopeConfig { theta, scaling })
}

/// Mistral's window holds for every layer; Qwen2's when it is switched on, by `layer_types` or from
/// layer `max_window_layers` on; Llama has none.
fn sliding_window(keys: &Keys, architecture: Architecture, n_layers: usize) -> Result<Vec<Option<usize>>> {
    let window = match architecture {
        Architecture::Llama => None,
        Architecture::Mistral if !keys.object.contains_key("sliding_window") => Some(MISTRAL_SLIDING_WINDOW),
        Architecture::Mistral => keys.size("sliding_window")?,
        Architecture::Qwen2 if keys.flag("use_sliding_window")? == Some(true) => keys.size("sliding_window")?,
        Architecture::Qwen2 => None,
    };
    let Some(types) = keys.get("layer_types").filter(|_| architecture != Architecture::Mistral) else {
        let first = match architecture {
            // transformers' default for Qwen2.
            Architecture::Qwen2 => keys.get("max_window_layers").and_then(Value::as_u64).unwrap_or(28),
            _ => 0,
        };
        return Ok((0..n_layers).map(|i| window.filter(|_| i as u64 >= first)).collect());
    };
    let Some(types) = types.as_array().filter(|types| types.len() == n_layers) else {
        return keys.invalid("layer_types", &format!("a list of {n_layers} strings"), types);
    };
    let layer = |kind: &Value| match kind.as_str() {
        Some("full_attention") => Ok(None),
        Some("sliding_attention") => Ok(window),
        _ => unsupported("layer_types", kind, "full_attention, sliding_attention"),
    };
    types.iter().map(layer).collect()
}

pub(super) fn to_json(config: &ModelConfig) -> String {
    let mut object = config.raw.clone();
    let mut set = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    set("architectures", json!([config.architecture.class_name()]));
    set("model_type", json!(config.architecture.model_type()));
    set("vocab_size", json!(config.vocab_size));
    set("hidden_size", json!(config.hidden_size));
    set("intermediate_size", json!(config.intermediate_size));
    set("num_hidden_layers", json!(config.n_layers));
    set("num_attention_heads", json!(config.n_heads));
    set("num_key_value_heads", json!(config.n_kv_heads));
    set("head_dim", json!(config.head_dim));
    set("rms_norm_eps", json!(config.rms_norm_eps));
    set("max_position_embeddings", json!(config.max_seq_len));
    set("tie_word_embeddings", json!(config.tie_word_embeddings));
    set("initializer_range", json!(config.initializer_range));
    set("hidden_act", json!("silu"));
    if config.architecture == Architecture::Llama {
        set("attention_bias", json!(config.qkv_bias));
        set("mlp_bias", json!(config.mlp_bias));
    }
    for (key, ids) in [("bos_token_id", &config.bos_token_ids), ("eos_token_id", &config.eos_token_ids)] {
        match ids.as_slice() {
            [] => {}
            [id] => set(key, json!(id)),
            ids => set(key, json!(ids)),
        }
    }
    // A file with rope_parameters keeps it: two sources of one value could contradict each other.
    if !config.raw.contains_key("rope_parameters") {
        set("rope_theta", json!(config.rope.theta));
        if let Some(scaling) = rope_scaling_json(&config.rope.scaling) {
            set("rope_scaling", scaling);
        }
    }
    let mut text = serde_json::to_string_pretty(&Value::Object(object)).unwrap_or_default();
    text.push('\n');
    text
}

fn rope_scaling_json(scaling: &RopeScaling) -> Option<Value> {
    match *scaling {
        RopeScaling::None => None,
        RopeScaling::Linear { factor } => Some(json!({ "rope_type": "linear", "factor": factor })),
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } => {
            Some(json!({
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": low_freq_factor,
                "high_freq_factor": high_freq_factor,
                "original_max_position_embeddings": original_max_position_embeddings as u64,
            }))
        }
    }
}
