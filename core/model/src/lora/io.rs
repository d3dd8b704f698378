//! PEFT's files: `adapter_config.json` and `adapter_model.safetensors`; our own facts beside them in
//! `luthier.json`, so that PEFT and vLLM see nothing unknown.

use super::{LoraAdapter, LoraConfig, LoraWeights};
use crate::io::{TensorFiles, read_json, serialize, write_atomic};
use crate::layout::{Aliases, Layout};
use crate::weights::TensorSpec;
use crate::{Error, Model, Result, SaveDtype};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;

const CONFIG_FILE: &str = "adapter_config.json";
const WEIGHTS_FILE: &str = "adapter_model.safetensors";
const EXTRA_FILE: &str = "luthier.json";

impl LoraAdapter {
    /// Writes PEFT's two files into `dir` (made if absent), each atomically, and `extra` to
    /// `luthier.json` unless it is empty. The bytes depend on the arguments alone: keys are sorted,
    /// nothing carries a time.
    pub fn save(&self, dir: &Path, base_model_name: &str, extra: &Map<String, Value>) -> Result<()> {
        std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
        serialize(&dir.join(WEIGHTS_FILE), &self.weights.tensors, SaveDtype::F32)?;
        write_json(&dir.join(CONFIG_FILE), &self.peft_config(base_model_name))?;
        let extra_path = dir.join(EXTRA_FILE);
        if extra.is_empty() {
            match std::fs::remove_file(&extra_path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(&extra_path)(e)),
                _ => return Ok(()),
            }
        }
        write_json(&extra_path, &Value::Object(sorted(extra)))
    }

    /// Reads PEFT's two files from `dir` and checks every name and shape against the model.
    pub fn load(dir: &Path, model: &Model) -> Result<Self> {
        let path = dir.join(CONFIG_FILE);
        let json: Map<String, Value> = read_json(&path)?;
        let (config, use_rslora) = parse_peft_config(&json, &model.weights().layout)?;
        let rank = config.r as f64;
        let scaling = config.alpha / if use_rslora { rank.sqrt() } else { rank };
        check_size(&path, &dir.join(WEIGHTS_FILE), &config, model)?;
        let mut weights = LoraWeights::<f32>::zeros(&model.weights().layout, &config, scaling)?;
        let specs: Vec<TensorSpec> = weights
            .tensors
            .iter()
            .map(|tensor| TensorSpec { name: tensor.name.clone(), shape: tensor.shape.clone() })
            .collect();
        let files = TensorFiles::open_file(&dir.join(WEIGHTS_FILE))?;
        let owner =
            format!("{} with LoRA on {}", model.config().architecture.class_name(), config.target_modules.join(", "));
        weights.tensors = files.read(&specs, &Aliases::none(), &owner)?;
        let target_modules = config.target_names(&model.weights().layout);
        Ok(LoraAdapter { config, target_modules, use_rslora, weights: Arc::new(weights) })
    }

    /// The content of `luthier.json` in an adapter's directory; empty if there is none.
    pub fn read_extra(dir: &Path) -> Result<Map<String, Value>> {
        let path = dir.join(EXTRA_FILE);
        if path.exists() { read_json(&path) } else { Ok(Map::new()) }
    }

    /// All keys that PEFT writes, so that every version of it finds what it expects.
    fn peft_config(&self, base_model_name: &str) -> Value {
        let mut target_modules = self.target_modules.clone();
        target_modules.sort_unstable();
        json!({
            "alpha_pattern": {},
            "auto_mapping": null,
            "base_model_name_or_path": base_model_name,
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
            "init_lora_weights": true,
            "layer_replication": null,
            "layers_pattern": null,
            "layers_to_transform": null,
            "loftq_config": {},
            "lora_alpha": number(self.config.alpha),
            "lora_dropout": self.config.dropout,
            "megatron_config": null,
            "megatron_core": "megatron.core",
            "modules_to_save": null,
            "peft_type": "LORA",
            "r": self.config.r,
            "rank_pattern": {},
            "revision": null,
            "target_modules": target_modules,
            "task_type": "CAUSAL_LM",
            "use_dora": false,
            "use_rslora": self.use_rslora,
        })
    }
}

/// Matrices of the rank that the configuration announces must fit into the file: memory is asked for
/// before they are read.
fn check_size(config_path: &Path, weights_path: &Path, config: &LoraConfig, model: &Model) -> Result<()> {
    let layout = &model.weights().layout;
    let n_file_bytes = std::fs::metadata(weights_path).map_err(Error::io(weights_path))?.len();
    let modules = config.modules(layout)?.into_iter().map(|id| &layout.modules[id]);
    let n_rows: u64 = modules.map(|module| (module.in_size + module.out_size) as u64).sum();
    let needed = n_rows.checked_mul(config.r as u64).and_then(|n| n.checked_mul(2));
    if needed.is_some_and(|needed| needed <= n_file_bytes) {
        return Ok(());
    }
    let expected = format!("one whose matrices fit the {n_file_bytes} bytes of {}", weights_path.display());
    let setting = format!("{}: r", config_path.display());
    Err(Error::InvalidLora { setting, expected, found: config.r.to_string() })
}

/// Whole numbers as integers, as PEFT writes them.
fn number(x: f64) -> Value {
    if x.fract() == 0.0 && x.abs() < 1e15 { json!(x as i64) } else { json!(x) }
}

/// The object with its keys sorted, at every level.
fn sorted(object: &Map<String, Value>) -> Map<String, Value> {
    let mut entries: Vec<_> = object.iter().collect();
    entries.sort_by_key(|(key, _)| key.as_str());
    entries.into_iter().map(|(key, value)| (key.clone(), sorted_value(value))).collect()
}

fn sorted_value(value: &Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(sorted(object)),
        Value::Array(values) => Value::Array(values.iter().map(sorted_value).collect()),
        other => other.clone(),
    }
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Error::Json { what: path.display().to_string(), reason: e.to_string() })?;
    write_atomic(path, format!("{text}\n").as_bytes())
}

fn invalid<T>(key: &str, expected: &str, found: impl ToString) -> Result<T> {
    Err(Error::InvalidLora {
        setting: format!("{CONFIG_FILE}: {key}"),
        expected: expected.to_owned(),
        found: found.to_string(),
    })
}

/// The settings and `use_rslora`; a feature that is not implemented is refused by its key.
fn parse_peft_config(json: &Map<String, Value>, layout: &Layout) -> Result<(LoraConfig, bool)> {
    let get = |key: &str| json.get(key).unwrap_or(&Value::Null);
    if get("peft_type") != "LORA" {
        return invalid("peft_type", "\"LORA\"", get("peft_type"));
    }
    refuse_unsupported(json)?;
    let Some(r) = get("r").as_u64().filter(|&r| r > 0) else {
        return invalid("r", "a positive integer", get("r"));
    };
    let Some(alpha) = get("lora_alpha").as_f64() else {
        return invalid("lora_alpha", "a number", get("lora_alpha"));
    };
    let dropout = match get("lora_dropout") {
        Value::Null => 0.0,
        value => match value.as_f64() {
            Some(p) => p,
            None => return invalid("lora_dropout", "a number", value),
        },
    };
    let modules = match get("target_modules") {
        Value::String(name) => Some(vec![name.clone()]),
        Value::Array(names) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    let Some(target_modules) = modules else {
        return invalid("target_modules", "a list of module names", get("target_modules"));
    };
    let use_rslora = get("use_rslora").as_bool().unwrap_or(false);
    let config = LoraConfig { r: r as usize, alpha, dropout, target_modules };
    config.modules(layout)?;
    // Order as in the model, whatever order the file has.
    let target_modules = config.target_names(layout);
    Ok((LoraConfig { target_modules, ..config }, use_rslora))
}

fn refuse_unsupported(json: &Map<String, Value>) -> Result<()> {
    let is_unset = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(object) => object.is_empty(),
        Value::Array(values) => values.is_empty(),
        _ => false,
    };
    let unset_keys = [
        "alpha_pattern",
        "alora_invocation_tokens",
        "arrow_config",
        "kasa_config",
        "monteclora_config",
        "use_bdlora",
        "velora_config",
        "exclude_modules",
        "fan_in_fan_out",
        "layer_replication",
        "layers_to_transform",
        "lora_bias",
        "modules_to_save",
        "rank_pattern",
        "target_parameters",
        "trainable_token_indices",
        "use_dora",
        "use_qalora",
    ];
    for key in unset_keys {
        if let Some(value) = json.get(key)
            && !is_unset(value)
        {
            return invalid(key, "unset (not supported)", value);
        }
    }
    match json.get("bias") {
        None | Some(Value::Null) => Ok(()),
        Some(value) if value == "none" => Ok(()),
        Some(value) => invalid("bias", "\"none\"", value),
    }
}
