//! PEFT's files: `adapter_config.json` and `adapter_model.safetensors`; our own facts beside them in
//! `luthier.json`, so that PEFT and vLLM see nothing unknown.

use super::ends::End;
use super::peft::{CONFIG_FILE, from_json, to_json};
use super::select::{Selection, Target};
use super::{Adapter, AdapterConfig, AdapterKind, AdapterWeights, LoraInit, lora};
use crate::io::{TensorFiles, read_json, serialize, write_atomic};
use crate::layout::Aliases;
use crate::weights::TensorSpec;
use crate::{Error, Model, Result, SaveDtype};
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;

const WEIGHTS_FILE: &str = "adapter_model.safetensors";
const EXTRA_FILE: &str = "luthier.json";

impl Adapter {
    /// Writes PEFT's two files into `dir` (made if absent), each atomically, and `extra` to
    /// `luthier.json` unless it is empty. The bytes depend on the arguments alone: keys are sorted,
    /// nothing carries a time. A PiSSA adapter is written as the LoRA that it is on the original base.
    pub fn save(&self, dir: &Path, base_model_name: &str, extra: &Map<String, Value>) -> Result<()> {
        let adapter = self.converted();
        std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
        serialize(&dir.join(WEIGHTS_FILE), &adapter.weights.tensors, SaveDtype::F32)?;
        let config = to_json(&adapter.config, base_model_name, adapter.fan_in_fan_out);
        write_json(&dir.join(CONFIG_FILE), &config)?;
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
        let json: Map<String, Value> = read_json(&dir.join(CONFIG_FILE))?;
        let (config, selection) = Selection::new(&from_json(&json)?, model, false)?;
        check_size(&dir.join(WEIGHTS_FILE), &config, &selection, model)?;
        let mut weights = AdapterWeights::layout(model, &config, &selection);
        if config.init == LoraInit::Pissa {
            lora::relieve(&mut weights, model);
        }
        let files = TensorFiles::open_file(&dir.join(WEIGHTS_FILE))?;
        let spec = |name: &String, shape: &Vec<usize>| TensorSpec {
            name: stored_name(name, |name| files.contains(name)),
            shape: shape.clone(),
        };
        let mut specs: Vec<TensorSpec> =
            weights.tensors.iter().map(|tensor| spec(&tensor.name, &tensor.shape)).collect();
        // PEFT writes the base's own matrices beside adapters on embeddings.
        let copies = copies(&selection, model, |name| files.contains(name));
        specs.extend(copies.iter().map(|(spec, _)| spec.clone()));
        let owner = format!("{} with {}", model.config().architecture.class_name(), describe(&config));
        let tensors = files.read(&specs, &Aliases::none(), &owner)?;
        for ((spec, of_base), stored) in copies.iter().zip(&tensors[weights.tensors.len()..]) {
            if *model.weights().dense(*of_base) != *stored.values.as_slice() {
                let expected = "the base model's own weights (its vocabulary must not have changed)".to_owned();
                let found = "other ones".to_owned();
                return Err(Error::InvalidAdapter { setting: spec.name.clone(), expected, found });
            }
        }
        for (tensor, stored) in weights.tensors.iter_mut().zip(tensors) {
            tensor.values = stored.values;
        }
        Ok(Adapter { config, fan_in_fan_out: selection.fan_in_fan_out(model), weights: Arc::new(weights) })
    }

    /// The content of `luthier.json` in an adapter's directory; empty if there is none.
    pub fn read_extra(dir: &Path) -> Result<Map<String, Value>> {
        let path = dir.join(EXTRA_FILE);
        if path.exists() { read_json(&path) } else { Ok(Map::new()) }
    }
}

/// Tensors of a file that are the base's embedding or head, and which tensors of the base they are.
fn copies(selection: &Selection, model: &Model, is_there: impl Fn(&str) -> bool) -> Vec<(TensorSpec, usize)> {
    let layout = &model.weights().layout;
    let copy = |target: &super::ends::EndTarget| {
        let tensor = if target.end == End::Head { layout.head } else { layout.embedding };
        let name = format!("base_model.model.{}.base_layer.weight", target.path);
        (TensorSpec { name, shape: model.weights().tensors[tensor].shape.clone() }, tensor)
    };
    selection.ends.iter().map(copy).filter(|(spec, _)| is_there(&spec.name)).collect()
}

/// Matrices of the ranks that the configuration announces must fit into the file: memory is asked for
/// before they are read.
fn check_size(path: &Path, config: &AdapterConfig, selection: &Selection, model: &Model) -> Result<()> {
    let n_file_bytes = std::fs::metadata(path).map_err(Error::io(path))?.len();
    let modules = &model.weights().layout.modules;
    let n_bytes = |target: &Target| {
        let module = &modules[target.id];
        (target.r as u64).checked_mul(2 * (module.in_size + module.out_size) as u64)
    };
    let of_end = |end: &super::ends::EndTarget| {
        (end.r as u64).checked_mul(2 * super::ends::sizes(end.end, model).iter().sum::<usize>() as u64)
    };
    let needed = selection.targets.iter().map(n_bytes).chain(selection.ends.iter().map(of_end));
    let needed = needed.into_iter().try_fold(0u64, |sum, n| sum.checked_add(n?));
    if config.kind == AdapterKind::Ia3 || needed.is_some_and(|needed| needed <= n_file_bytes) {
        return Ok(());
    }
    let expected = format!("one whose matrices fit the {n_file_bytes} bytes of {}", path.display());
    Err(Error::InvalidAdapter { setting: format!("{CONFIG_FILE}: r"), expected, found: config.r.to_string() })
}

/// For errors: what the adapter is on.
fn describe(config: &AdapterConfig) -> String {
    let modules = config.target_regex.clone().unwrap_or_else(|| config.target_modules.join(", "));
    format!("{:?} on {modules}", config.kind)
}

/// The name that a file has for a tensor: earlier releases of PEFT wrote some of them differently.
fn stored_name(name: &str, is_there: impl Fn(&str) -> bool) -> String {
    let without_base_layer = name.replace(".base_layer.bias", ".bias");
    let candidates = [name.to_owned(), without_base_layer, format!("{name}.weight")];
    candidates.into_iter().find(|candidate| is_there(candidate)).unwrap_or_else(|| name.to_owned())
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
