//! `luthier.json`: what an adapter says of its training, beside PEFT's own files.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;

/// The file's name in an adapter directory.
pub const RECORD_FILE_NAME: &str = "luthier.json";

/// Raised when a field changes its meaning; a record of a later version is refused.
const FORMAT_VERSION: u32 = 1;

/// Where an adapter comes from. The fingerprints are compared before it is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdapterOrigin {
    /// Version of this file.
    pub format_version: u32,
    /// Version of the engine that trained it.
    pub engine: String,
    /// `lora`, `rslora`, `dora`, `pissa`, `ia3`, `qlora` or `full`.
    pub method: String,
    /// Name or directory of the base model, as the resolver takes it.
    pub base_model: String,
    /// The base model's directory at the time.
    pub base_dir: String,
    /// Hash of the base weights.
    pub base_fingerprint: String,
    /// Hash of the tokenizer.
    pub tokenizer: String,
    /// Hash of the chat template.
    pub chat_template: String,
    /// Hash of the renderer that made its prompts.
    pub prompt_renderer: String,
    /// Dataset's name.
    pub data: String,
    /// Hash of the dataset.
    pub data_fingerprint: String,
    /// Task template and its configuration, if the dataset has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<serde_json::Value>,
    /// The run.
    pub run: String,
    /// The whole recipe.
    pub recipe: serde_json::Value,
    /// Optimizer steps.
    pub steps: u64,
    /// Loss of the last step.
    pub final_loss: f64,
    /// Trained values.
    pub n_trainable: u64,
    /// RFC 3339.
    pub created: String,
}

impl AdapterOrigin {
    /// The current version of the file.
    pub fn format_version() -> u32 {
        FORMAT_VERSION
    }

    /// The record in `dir`, if it has one.
    pub fn read(dir: &Path) -> Result<Option<AdapterOrigin>, Error> {
        let path = dir.join(RECORD_FILE_NAME);
        if !path.exists() {
            return Ok(None);
        }
        let stored = |found: String| Error::Stored { path: path.clone(), expected: "an adapter's origin", found };
        let text = crate::files::read_text(&path, crate::files::MAX_JSON_BYTES)?;
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| stored(error.to_string()))?;
        let version = value.get("format_version").and_then(serde_json::Value::as_u64);
        if version.is_none_or(|version| version > u64::from(FORMAT_VERSION)) {
            return Err(stored(format!("format_version {version:?}, this engine reads {FORMAT_VERSION}")));
        }
        serde_json::from_value(value).map(Some).map_err(|error| stored(error.to_string()))
    }

    /// Whether the base's weights were in four bits: if so, whether their scales were in eight.
    pub(crate) fn double_quant(&self) -> Option<bool> {
        let double = || self.recipe.pointer("/lora/double_quant").and_then(serde_json::Value::as_bool);
        (self.method == "qlora").then(|| double().unwrap_or(true))
    }

    /// Write it into `dir`.
    pub fn write(&self, dir: &Path) -> Result<(), Error> {
        crate::files::write_json(&dir.join(RECORD_FILE_NAME), self)
    }
}
