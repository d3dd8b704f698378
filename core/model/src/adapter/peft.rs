//! PEFT's `adapter_config.json`: read tolerantly, written with every key that PEFT writes. What cannot
//! be honored is refused by its key.

use super::config::{ALL_LINEAR, AdapterConfig, AdapterKind, Bias, LoraInit};
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// Name of the file.
pub(super) const CONFIG_FILE: &str = "adapter_config.json";

/// Keys whose features are not implemented; unset they mean nothing.
const UNSUPPORTED: [&str; 16] = [
    "alora_invocation_tokens",
    "arrow_config",
    "corda_config",
    "ensure_weight_tying",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "lora_ga_config",
    "monteclora_config",
    "target_modules_to_tie",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_qalora",
    "velora_config",
    "megatron_config",
];

/// `init_lora_weights` that do not change the base.
const PLAIN_INITS: [&str; 4] = ["gaussian", "eva", "orthogonal", "mica"];

/// The file's content. `fan_in_fan_out` says that modules store `[in, out]`.
pub(super) fn to_json(config: &AdapterConfig, base_model_name: &str, fan_in_fan_out: bool) -> Value {
    let mut object = match config.kind {
        AdapterKind::Lora => lora_json(config),
        AdapterKind::Ia3 => json!({
            "feedforward_modules": sorted(&config.feedforward_modules),
            "init_ia3_weights": true,
            "peft_type": "IA3",
        }),
    };
    let common = json!({
        "auto_mapping": null,
        "base_model_name_or_path": base_model_name,
        "fan_in_fan_out": fan_in_fan_out,
        "inference_mode": true,
        "modules_to_save": list(&config.modules_to_save),
        "revision": null,
        "target_modules": match &config.target_regex {
            Some(regex) => json!(regex),
            None => json!(sorted(&config.target_modules)),
        },
        "task_type": "CAUSAL_LM",
    });
    let mut set = |key: &str, value: Value| object.as_object_mut().map(|map| map.insert(key.to_owned(), value));
    for (key, value) in common.as_object().into_iter().flatten() {
        set(key, value.clone());
    }
    if !config.exclude_modules.is_empty() {
        set("exclude_modules", json!(sorted(&config.exclude_modules)));
    }
    // Keys in order, but not those of the patterns, where the first that matches counts.
    if let Some(map) = object.as_object_mut() {
        let mut entries: Vec<_> = std::mem::take(map).into_iter().collect();
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        map.extend(entries);
    }
    object
}

fn lora_json(config: &AdapterConfig) -> Value {
    let ranks: Map<String, Value> = config.rank_pattern.iter().map(|(key, r)| (key.clone(), json!(r))).collect();
    let alphas: Map<String, Value> = config.alpha_pattern.iter().map(|(key, x)| (key.clone(), number(*x))).collect();
    json!({
        "alpha_pattern": alphas,
        "bias": match config.bias {
            Bias::None => "none",
            Bias::All => "all",
            Bias::LoraOnly => "lora_only",
        },
        "init_lora_weights": match config.init {
            LoraInit::Kaiming => json!(true),
            LoraInit::Pissa => json!("pissa"),
        },
        "layer_replication": null,
        "layers_pattern": list(&config.layers_pattern),
        "layers_to_transform": if config.layers.is_empty() { Value::Null } else { json!(config.layers) },
        "loftq_config": {},
        "lora_alpha": number(config.alpha),
        "lora_dropout": config.dropout,
        "megatron_config": null,
        "megatron_core": "megatron.core",
        "peft_type": "LORA",
        "r": config.r,
        "rank_pattern": ranks,
        "use_dora": config.use_dora,
        "use_rslora": config.use_rslora,
    })
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}

/// `null` for no names.
fn list(names: &[String]) -> Value {
    if names.is_empty() { Value::Null } else { json!(names) }
}

/// Whole numbers as integers, as PEFT writes them.
fn number(x: f64) -> Value {
    if x.fract() == 0.0 && x.abs() < 1e15 { json!(x as i64) } else { json!(x) }
}

/// The settings of a file's content.
pub(super) fn from_json(json: &Map<String, Value>) -> Result<AdapterConfig> {
    let get = |key: &str| json.get(key).unwrap_or(&Value::Null);
    let kind = match get("peft_type").as_str() {
        Some("LORA") => AdapterKind::Lora,
        Some("IA3") => AdapterKind::Ia3,
        _ => return invalid("peft_type", "\"LORA\" or \"IA3\"", get("peft_type")),
    };
    for key in UNSUPPORTED {
        if !is_unset(get(key)) {
            return invalid(key, "unset (not supported)", get(key));
        }
    }
    let (target_modules, target_regex) = match get("target_modules") {
        Value::String(name) if name.eq_ignore_ascii_case(ALL_LINEAR) => (vec![ALL_LINEAR.to_owned()], None),
        Value::String(regex) => (Vec::new(), Some(regex.clone())),
        Value::Null if kind == AdapterKind::Ia3 => (Vec::new(), None),
        value => (names("target_modules", value)?, None),
    };
    let common = AdapterConfig {
        kind,
        target_modules,
        target_regex,
        exclude_modules: list_or_null("exclude_modules", get("exclude_modules"))?,
        modules_to_save: optional_names("modules_to_save", get("modules_to_save"))?,
        ..AdapterConfig::default()
    };
    match kind {
        AdapterKind::Lora => lora_from_json(json, common),
        AdapterKind::Ia3 => Ok(AdapterConfig {
            feedforward_modules: list_or_null("feedforward_modules", get("feedforward_modules"))?,
            ..common
        }),
    }
}

fn lora_from_json(json: &Map<String, Value>, common: AdapterConfig) -> Result<AdapterConfig> {
    let get = |key: &str| json.get(key).unwrap_or(&Value::Null);
    Ok(AdapterConfig {
        r: match get("r") {
            Value::Null => 8,
            value => positive("r", value)?,
        },
        alpha: match get("lora_alpha") {
            Value::Null => 8.0,
            value => float("lora_alpha", value)?,
        },
        dropout: match get("lora_dropout") {
            Value::Null => 0.0,
            value => float("lora_dropout", value)?,
        },
        use_rslora: get("use_rslora").as_bool().unwrap_or(false),
        use_dora: get("use_dora").as_bool().unwrap_or(false),
        init: init(get("init_lora_weights"))?,
        layers: match get("layers_to_transform") {
            Value::Null => Vec::new(),
            Value::Array(layers) => {
                layers.iter().map(|layer| index("layers_to_transform", layer)).collect::<Result<_>>()?
            }
            layer => vec![index("layers_to_transform", layer)?],
        },
        layers_pattern: optional_names("layers_pattern", get("layers_pattern"))?,
        rank_pattern: pattern("rank_pattern", get("rank_pattern"), positive)?,
        alpha_pattern: pattern("alpha_pattern", get("alpha_pattern"), float)?,
        bias: match get("bias").as_str() {
            None | Some("none") => Bias::None,
            Some("all") => Bias::All,
            Some("lora_only") => Bias::LoraOnly,
            Some(_) => return invalid("bias", "\"none\", \"all\" or \"lora_only\"", get("bias")),
        },
        ..common
    })
}

fn init(value: &Value) -> Result<LoraInit> {
    match value {
        Value::Null | Value::Bool(_) => Ok(LoraInit::Kaiming),
        Value::String(name) if name == "pissa" => Ok(LoraInit::Pissa),
        Value::String(name) if PLAIN_INITS.contains(&name.as_str()) => Ok(LoraInit::Kaiming),
        // These replace the base's weights by something that the file does not have.
        other => invalid("init_lora_weights", "true, false, \"pissa\" or an initialization that keeps the base", other),
    }
}

fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(object) => object.is_empty(),
        Value::Array(values) => values.is_empty(),
        _ => false,
    }
}

fn optional_names(key: &str, value: &Value) -> Result<Vec<String>> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(name) => Ok(vec![name.clone()]),
        value => names(key, value),
    }
}

/// Where PEFT takes a text for a regular expression, which is refused.
fn list_or_null(key: &str, value: &Value) -> Result<Vec<String>> {
    if value.is_null() { Ok(Vec::new()) } else { names(key, value) }
}

fn names(key: &str, value: &Value) -> Result<Vec<String>> {
    let names = value.as_array().and_then(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
    names.map_or_else(|| invalid(key, "a list of names", value), Ok)
}

fn pattern<V>(key: &str, value: &Value, parse: fn(&str, &Value) -> Result<V>) -> Result<Vec<(String, V)>> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Object(object) => object.iter().map(|(name, value)| Ok((name.clone(), parse(key, value)?))).collect(),
        value => invalid(key, "an object", value),
    }
}

fn index(key: &str, value: &Value) -> Result<usize> {
    value.as_u64().map_or_else(|| invalid(key, "whole numbers from 0 on", value), |x| Ok(x as usize))
}

fn positive(key: &str, value: &Value) -> Result<usize> {
    match value.as_u64().filter(|&x| x > 0) {
        Some(x) => Ok(x as usize),
        None => invalid(key, "a positive integer", value),
    }
}

fn float(key: &str, value: &Value) -> Result<f64> {
    value.as_f64().map_or_else(|| invalid(key, "a number", value), Ok)
}

fn invalid<T>(key: &str, expected: &str, found: &Value) -> Result<T> {
    Err(Error::InvalidAdapter {
        setting: format!("{CONFIG_FILE}: {key}"),
        expected: expected.to_owned(),
        found: found.to_string(),
    })
}
