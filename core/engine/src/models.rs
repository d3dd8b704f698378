//! Everything that a person may write where a model is expected, and the models in memory.
//!
//! ```text
//! name ─resolve─► Resolved { base directory, adapter directory? } ─open─► Opened { weights, prompter, adapter? }
//! ```
//!
//! Must not know: datasets, runs, prompts.

mod accepted;
mod adapter_record;
mod attached;
mod builtin;
mod card;
mod gguf;
mod loaded;
mod resolve;
mod weights_header;

pub(crate) use accepted::{FILE_NAME as ACCEPTED_FILE_NAME, accept_base};
pub use adapter_record::{AdapterOrigin, RECORD_FILE_NAME};
pub use builtin::{BUILTIN_NAMES, Builtins};
pub use loaded::{LoadedModel, LoadedModels};
pub use resolve::{ModelDir, Reach, Resolved, Resolver};

use std::path::Path;
use std::sync::Arc;

use luthier_model::{Adapter, ModelConfig};
use luthier_protocol::response::ModelInfo;

use crate::Error;

/// A model ready to answer, with the adapter that it was asked for.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Base weights, tokenizer, chat template.
    pub base: Arc<LoadedModel>,
    /// The adapter, if one was named.
    pub adapter: Option<Arc<Adapter>>,
    /// What the adapter says of its training; `None` for a base model and for adapters made elsewhere.
    pub origin: Option<AdapterOrigin>,
    /// Hash of the adapter's weights; empty without one.
    pub adapter_fingerprint: String,
    /// As it was asked for.
    pub label: String,
}

/// Load what `resolved` names; weights that are in memory stay there.
pub fn open(loaded: &LoadedModels, resolved: &Resolved) -> Result<Opened, Error> {
    let mut base = loaded.get(&resolved.base)?;
    let (adapter, fingerprint, origin) = match &resolved.adapter {
        None => (None, String::new(), AdapterOrigin::read(&resolved.base.dir)?),
        Some(dir) => {
            let origin = AdapterOrigin::read(dir)?;
            if let Some(double) = origin.as_ref().and_then(AdapterOrigin::double_quant) {
                base = base.in_nf4(double)?;
            }
            let fingerprint = crate::hash::file(&dir.join("adapter_model.safetensors"))?;
            let files = format!("{fingerprint} {}", crate::hash::file(&dir.join("adapter_config.json"))?);
            let adapter = match loaded.attached().get(dir, &files, &base.fingerprint) {
                Some(adapter) => adapter,
                None => Arc::new(Adapter::load(dir, &base.model)?),
            };
            (Some(adapter), fingerprint, origin)
        }
    };
    if let Some(origin) = &origin {
        check_origin(resolved, origin, &base)?;
    }
    Ok(Opened { base, adapter, origin, adapter_fingerprint: fingerprint, label: resolved.label.clone() })
}

/// Keep `opened`'s adapter, whose directory is `dir`, in memory.
pub(crate) fn attach(loaded: &LoadedModels, dir: &Path, opened: &Opened) -> Result<(), Error> {
    if let Some(adapter) = &opened.adapter {
        let config = crate::hash::file(&dir.join("adapter_config.json"))?;
        loaded.attached().put(attached::Attached {
            dir: dir.to_path_buf(),
            fingerprint: format!("{} {config}", opened.adapter_fingerprint),
            base_fingerprint: opened.base.fingerprint.clone(),
            adapter: Arc::clone(adapter),
        });
    }
    Ok(())
}

/// The files beside an adapter must be those that it was trained with.
fn check_origin(resolved: &Resolved, origin: &AdapterOrigin, base: &LoadedModel) -> Result<(), Error> {
    let mismatch = |what, trained: &str, found: &str| {
        Err(Error::PromptMismatch {
            adapter: resolved.label.clone(),
            what,
            trained: trained.to_owned(),
            found: found.to_owned(),
        })
    };
    // All weights of a `full` run are its own; only an adapter depends on another's.
    if let Some(dir) = &resolved.adapter
        && origin.base_fingerprint != base.fingerprint
        && !accepted::is_accepted(dir, &base.fingerprint)
    {
        return mismatch("base model", &origin.base_fingerprint, &base.fingerprint);
    }
    if origin.tokenizer != base.prompter.tokenizer.fingerprint() {
        return mismatch("tokenizer", &origin.tokenizer, base.prompter.tokenizer.fingerprint());
    }
    Ok(())
}

impl Opened {
    /// An adapter is asked through the chat template that it was trained with, or not at all. (Plain
    /// text needs no template.)
    pub fn check_template(&self) -> Result<(), Error> {
        let found = self.base.prompter.template.fingerprint();
        match &self.origin {
            Some(origin) if origin.chat_template != found => Err(Error::PromptMismatch {
                adapter: self.label.clone(),
                what: "chat template",
                trained: origin.chat_template.clone(),
                found: found.to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

/// What a model directory says of itself, weights unread.
pub fn describe(name: &str, source: &str, dir: &Path, loaded: Option<&LoadedModel>) -> Result<ModelInfo, Error> {
    let config = read_config(dir)?;
    let header = weights_header::summarize(dir)?;
    Ok(ModelInfo {
        name: name.to_owned(),
        source: source.to_owned(),
        architecture: config.architecture.class_name().to_owned(),
        n_parameters: header.n_parameters,
        n_layers: config.n_layers,
        hidden_size: config.hidden_size,
        vocab_size: config.vocab_size,
        max_seq_len: config.max_seq_len,
        dtype: header.dtype,
        loaded: loaded.is_some(),
        fingerprint: loaded.map(|model| model.fingerprint.clone()).unwrap_or_default(),
        notes: card::summary(dir),
    })
}

/// The type of most of a model's stored weights: `bf16`.
pub(crate) fn stored_dtype(dir: &Path) -> Result<String, Error> {
    Ok(weights_header::summarize(dir)?.dtype)
}

/// A model directory's configuration.
pub(crate) fn read_config(dir: &Path) -> Result<ModelConfig, Error> {
    let path = dir.join("config.json");
    let text = crate::files::read_text(&path, crate::files::MAX_JSON_BYTES)?;
    Ok(ModelConfig::from_json(&text)?)
}

#[cfg(test)]
mod tests;
