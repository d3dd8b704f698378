//! The files of each format, and the same files loaded again.

use std::path::Path;

use luthier_model::gguf::{self, Gguf, Tokens};
use luthier_model::{Adapter, Model};
use luthier_protocol::response::Proof;
use serde_json::{Map, Value, json};

use super::{Format, HeldOut, proof, prove};
use crate::Error;
use crate::models::Opened;
use crate::service::Context;

/// Files of a base model that a whole model has beside its weights, where they exist.
const COMPANIONS: [&str; 10] = [
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
];

/// Files of an adapter.
const ADAPTER_FILES: [&str; 3] = ["adapter_config.json", "adapter_model.safetensors", super::RECORD_OF_TRAINING];

/// What came out.
pub(crate) struct Written {
    pub(crate) proof: Proof,
    pub(crate) warnings: Vec<String>,
}

/// Write `opened` into the empty directory `dir`, load it again and compare.
///
/// # Errors
/// [`Error::NotTheSame`] past the format's limits; whatever makes writing or loading fail.
pub(crate) fn write(
    context: Context<'_>,
    opened: &Opened,
    adapter_dir: Option<&Path>,
    format: Format,
    held_out: &HeldOut,
    dir: &Path,
) -> Result<Written, Error> {
    match format {
        Format::Peft => {
            let adapter_dir = adapter_dir.unwrap_or(dir);
            copy_adapter(opened, adapter_dir, dir)?;
            let adapter = Adapter::load(dir, &opened.base.model)?;
            let proof = prove(context, opened, held_out, format, &opened.base.model, Some(&adapter))?;
            let warnings = proof::warning(&proof, format).into_iter().collect();
            Ok(Written { proof, warnings })
        }
        Format::Safetensors(dtype) => {
            whole(opened)?.save(dir, dtype)?;
            copy_companions(&opened.base.place.dir, dir)?;
            let proof = prove(context, opened, held_out, format, &Model::load(dir)?, None)?;
            let warnings = proof::warning(&proof, format).into_iter().collect();
            Ok(Written { proof, warnings })
        }
        Format::Gguf(quant) => {
            let name = file_stem(&opened.label);
            let path = dir.join(format!("{name}-{}.gguf", quant.name()));
            let gguf = Gguf { name, quant, tokens: tokens(opened)? };
            let warnings = gguf::write_model(&whole(opened)?, &gguf, &path)?;
            let proof = check_gguf(context, opened, held_out, format, &path)?;
            let warnings = warnings.into_iter().chain(proof::warning(&proof, format)).collect();
            Ok(Written { proof, warnings })
        }
    }
}

/// All weights in one model, as plain numbers.
fn whole(opened: &Opened) -> Result<Model, Error> {
    match &opened.adapter {
        Some(adapter) => Ok(opened.base.model.merged(adapter)?),
        None => Ok(opened.base.model.dequantized()),
    }
}

fn copy_companions(from: &Path, to: &Path) -> Result<(), Error> {
    COMPANIONS.into_iter().try_for_each(|file| copy(from, to, file))
}

fn copy(from: &Path, to: &Path, file: &str) -> Result<(), Error> {
    let source = from.join(file);
    if source.is_file() {
        std::fs::copy(&source, to.join(file)).map_err(|error| Error::io("copy", &source, error))?;
    }
    Ok(())
}

/// The adapter's files; its base is named as somebody else finds it.
fn copy_adapter(opened: &Opened, from: &Path, to: &Path) -> Result<(), Error> {
    ADAPTER_FILES.into_iter().try_for_each(|file| copy(from, to, file))?;
    name_base(&to.join("adapter_config.json"), &opened.base.place.name)
}

/// Let an adapter_config.json name a base of the hub by id and commit, not by a directory of this
/// machine.
pub(crate) fn name_base(path: &Path, base: &str) -> Result<(), Error> {
    let Some((id, revision)) = base.split_once('@').filter(|_| crate::hub::is_hub_name(base)) else {
        return Ok(());
    };
    let text = crate::files::read_text(path, crate::files::MAX_JSON_BYTES)?;
    let mut config: Map<String, Value> = serde_json::from_str(&text).map_err(|error| Error::Stored {
        path: path.to_path_buf(),
        expected: "PEFT's adapter configuration",
        found: error.to_string(),
    })?;
    config.insert("base_model_name_or_path".into(), json!(id));
    config.insert("revision".into(), json!(revision));
    crate::files::write_json(path, &config)
}

/// Tokenizer and chat template as the base model has them.
fn tokens(opened: &Opened) -> Result<Tokens, Error> {
    let dir = &opened.base.place.dir;
    let read = |name: &str, limit: u64| -> Result<Value, Error> {
        let path = dir.join(name);
        if !path.is_file() {
            return Ok(Value::Null);
        }
        let text = crate::files::read_text(&path, limit)?;
        let bad =
            |error: serde_json::Error| Error::Stored { path: path.clone(), expected: "JSON", found: error.to_string() };
        serde_json::from_str(&text).map_err(bad)
    };
    let prompter = &opened.base.prompter;
    let template = (!prompter.template.is_plain()).then(|| prompter.template.source().to_owned());
    let tokenizer = &prompter.tokenizer;
    Ok(Tokens {
        tokenizer: read("tokenizer.json", 256 << 20)?,
        config: read("tokenizer_config.json", crate::files::MAX_JSON_BYTES)?,
        chat_template: template,
        bos_id: tokenizer.bos_token().and_then(|text| tokenizer.encode(text, false).ok()?.first().copied()),
        eos_id: tokenizer.eos_id(),
    })
}

/// The file as a model directory: its weights and its tokenizer say the same.
fn check_gguf(
    context: Context<'_>,
    opened: &Opened,
    held_out: &HeldOut,
    format: Format,
    path: &Path,
) -> Result<Proof, Error> {
    let parent = path.parent().unwrap_or(path);
    let unpacked = tempfile::Builder::new()
        .prefix(".checking-")
        .tempdir_in(parent)
        .map_err(|source| Error::io("make a directory in", parent, source))?;
    if let Some(reason) = gguf::unpack(path, unpacked.path())? {
        return Err(Error::invalid("the exported tokenizer", reason, "one that can be read again"));
    }
    let link = unpacked.path().join("model.gguf");
    std::os::unix::fs::symlink(path, &link).map_err(|source| Error::io("link", &link, source))?;
    let prompter = luthier_data::Prompter::from_dir(unpacked.path())?;
    for text in &held_out.texts {
        let (wanted, found) =
            (opened.base.prompter.tokenizer.encode(text, false)?, prompter.tokenizer.encode(text, false)?);
        if wanted != found {
            let expected = format!("{} tokens as the model's own tokenizer", wanted.len());
            let found = format!("{} tokens of {:?}…", found.len(), text.chars().take(40).collect::<String>());
            return Err(Error::invalid("what the exported tokenizer makes", found, &expected));
        }
    }
    prove(context, opened, held_out, format, &Model::load(unpacked.path())?, None)
}

/// A name as part of a file's name.
pub(crate) fn file_stem(label: &str) -> String {
    let last = label.trim_end_matches('/').rsplit('/').next().unwrap_or(label);
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    last.split('@').next().unwrap_or(last).chars().map(plain).collect()
}
