//! `runs/<id>/record.json`: everything that a run's result depends on, and what came of it. Written
//! when a run begins and again when it ends.
//!
//! Three parts: `inputs` shape the result, `environment` may (another processor, another build), and
//! `outcome` is the result. `runs diff` compares the first two and shows the third side by side.

use std::path::Path;

use luthier_protocol::response::Finetuned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Prepared;
use crate::Error;
use crate::os;
use crate::service::Context;
use crate::store::RunStatus;

/// The file's name in a run's directory.
const FILE_NAME: &str = "record.json";

/// Raised when a field changes its meaning.
const FORMAT_VERSION: u32 = 1;

/// A run on record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TrainingRecord {
    pub(crate) format_version: u32,
    /// The run's id.
    pub(crate) run: String,
    /// Name of the adapter.
    pub(crate) name: String,
    /// RFC 3339.
    pub(crate) started: String,
    /// `running`, `finished`, `paused`, `failed`.
    pub(crate) status: String,
    /// Settings, and hashes of what they name.
    pub(crate) inputs: Map<String, Value>,
    /// What it ran on and with.
    pub(crate) environment: Map<String, Value>,
    /// What came of it; empty while it runs.
    pub(crate) outcome: Map<String, Value>,
    /// Things to know about the data and the run.
    pub(crate) warnings: Vec<String>,
}

impl TrainingRecord {
    /// The record of a run that begins.
    pub(super) fn begin(context: Context<'_>, prepared: &Prepared, run: &str, started: &str) -> TrainingRecord {
        TrainingRecord {
            format_version: FORMAT_VERSION,
            run: run.to_owned(),
            name: prepared.name.clone(),
            started: started.to_owned(),
            status: "running".to_owned(),
            inputs: inputs(prepared),
            environment: environment(context),
            outcome: Map::new(),
            warnings: prepared.warnings.clone(),
        }
    }

    /// What came of it.
    pub(super) fn end(&mut self, status: RunStatus, result: &Result<Finetuned, Error>) {
        self.status = status.name().to_owned();
        match result {
            Ok(finetuned) => {
                self.warnings.clone_from(&finetuned.warnings);
                self.outcome = outcome(finetuned);
            }
            Err(error) => self.outcome = object(json!({ "message": error.to_string() })),
        }
    }

    /// Of a run's directory.
    pub(crate) fn read(run_dir: &Path) -> Result<TrainingRecord, Error> {
        let path = run_dir.join(FILE_NAME);
        let stored = |found: String| Error::Stored { path: path.clone(), expected: "a run's record", found };
        let text = crate::files::read_text(&path, crate::files::MAX_JSON_BYTES)?;
        let record: TrainingRecord = serde_json::from_str(&text).map_err(|error| stored(error.to_string()))?;
        match record.format_version {
            FORMAT_VERSION => Ok(record),
            other => Err(stored(format!("format_version {other}, this engine reads {FORMAT_VERSION}"))),
        }
    }

    pub(super) fn write(&self, run_dir: &Path) -> Result<(), Error> {
        crate::files::write_json(&run_dir.join(FILE_NAME), self)
    }
}

fn inputs(prepared: &Prepared) -> Map<String, Value> {
    let (recipe, base, dataset) = (&prepared.recipe, &prepared.base, &prepared.dataset);
    let mut settings = serde_json::to_value(&recipe.spec).unwrap_or_default();
    if let Some(settings) = settings.as_object_mut() {
        // The adapter's name and whether it replaces one shape nothing.
        settings.shift_remove("name");
        settings.shift_remove("overwrite");
    }
    let evaluation = prepared.evaluation.as_ref();
    object(json!({
        "base": {
            "name": base.place.name,
            "fingerprint": base.fingerprint,
            "architecture": base.model.config().architecture.class_name(),
            "n_parameters": base.model.n_parameters(),
        },
        "tokenizer": base.prompter.tokenizer.fingerprint(),
        "chat_template": base.prompter.template.fingerprint(),
        "prompt_renderer": recipe.prompt_renderer,
        "task_template": dataset.template,
        "data": {
            "name": recipe.data,
            "fingerprint": recipe.data_fingerprint,
            "split": recipe.spec.split,
            "splits": recipe.data_splits,
            "lint": recipe.findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "n_examples": prepared.built.examples.len(),
            "accounting": prepared.built.accounting,
            "evaluation_split": evaluation.map(|(split, _)| split),
            "n_evaluation_examples": evaluation.map(|(_, built)| built.examples.len()),
        },
        "settings": settings,
    }))
}

fn outcome(done: &Finetuned) -> Map<String, Value> {
    let evaluations = &done.eval_losses;
    let lowest = evaluations.iter().map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min);
    object(json!({
        "steps": done.steps,
        "stopped_early": done.stopped_early,
        "first_loss": done.losses.first().map(|(_, loss)| loss),
        "final_loss": done.final_loss,
        "eval_loss": evaluations.last().map(|(_, loss)| loss),
        "best_eval_loss": lowest.is_finite().then_some(lowest),
        "result_step": done.best_step.unwrap_or(done.steps),
        "n_trainable": done.n_trainable,
        "n_target_tokens": done.n_target_tokens,
        "seconds": done.seconds,
        "tokens_per_second": done.tokens_per_second,
        "adapter_dir": done.adapter_dir,
    }))
}

fn environment(context: Context<'_>) -> Map<String, Value> {
    object(json!({
        "engine": context.engine.build(),
        "device": "cpu",
        "processor": os::processor_name(),
        "threads": context.engine.config().threads,
        "memory_bytes": os::memory_bytes(),
        "os": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "host": os::host_name(),
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// `data.split` for what stands below `data` as `split`; values as text, lists and hashes whole.
pub(crate) fn flatten(map: &Map<String, Value>) -> Vec<(String, String)> {
    fn walk(prefix: &str, value: &Value, out: &mut Vec<(String, String)>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    walk(&name, value, out);
                }
            }
            Value::Null => {}
            Value::String(text) => out.push((prefix.to_owned(), text.clone())),
            other => out.push((prefix.to_owned(), other.to_string())),
        }
    }
    let mut out = Vec::new();
    walk("", &Value::Object(map.clone()), &mut out);
    out
}

#[cfg(test)]
mod tests;
