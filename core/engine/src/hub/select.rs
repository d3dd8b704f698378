//! Which files of a repository are needed: configuration, tokenizer, safetensors. Nothing that can
//! run code, no copies of the weights in other formats.

use std::collections::BTreeSet;
use std::path::Path;

use super::HubProblem;
use crate::Error;

/// Small files that are taken where they exist.
const COMPANIONS: [&str; 11] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "adapter_config.json",
    "luthier.json",
    "model.safetensors.index.json",
];

/// Endings of formats that are read by unpickling.
const PICKLES: [&str; 6] = [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"];

/// What to download first; shards follow when their index is here.
pub(super) fn first(files: &[String]) -> Result<Vec<String>, HubProblem> {
    let has = |name: &str| files.iter().any(|file| file == name);
    let is_adapter = has("adapter_config.json");
    let weights = match is_adapter {
        true => "adapter_model.safetensors",
        false => "model.safetensors",
    };
    let has_weights = has(weights) || (!is_adapter && has("model.safetensors.index.json"));
    if !has_weights {
        return Err(no_weights(files, weights));
    }
    if !is_adapter && !has("config.json") {
        return Err(HubProblem::NoModel { missing: "there is no config.json".into() });
    }
    let wanted = COMPANIONS.into_iter().filter(|name| {
        // One whole file wins over shards, as transformers reads them.
        has(name) && (*name != "model.safetensors.index.json" || !has(weights))
    });
    Ok(wanted.chain(has(weights).then_some(weights)).map(str::to_owned).collect())
}

fn no_weights(files: &[String], weights: &str) -> HubProblem {
    let with = |endings: &[&str]| -> Vec<&str> {
        let matches = |file: &&String| endings.iter().any(|ending| file.ends_with(ending));
        files.iter().filter(matches).map(String::as_str).take(3).collect()
    };
    let (pickles, ggufs) = (with(&PICKLES), with(&[".gguf"]));
    if !pickles.is_empty() {
        return HubProblem::Pickle { files: pickles.join(", ") };
    }
    let also = match ggufs.is_empty() {
        true => String::new(),
        false => format!(" (it has {}: download one and load the file)", ggufs.join(", ")),
    };
    HubProblem::NoModel { missing: format!("there is no {weights}{also}") }
}

/// Shards that the index in `dir` names: siblings, and files of the repository.
pub(super) fn shards(dir: &Path) -> Result<Vec<String>, Error> {
    let path = dir.join("model.safetensors.index.json");
    if dir.join("model.safetensors").exists() || !path.exists() {
        return Ok(Vec::new());
    }
    let stored = |found: String| Error::Stored { path: path.clone(), expected: "an index of shards", found };
    let text = crate::files::read_text(&path, crate::files::MAX_JSON_BYTES)?;
    let index: serde_json::Value = serde_json::from_str(&text).map_err(|error| stored(error.to_string()))?;
    let map = index.get("weight_map").and_then(|map| map.as_object());
    let map = map.ok_or_else(|| stored("no weight_map".into()))?;
    let mut names = BTreeSet::new();
    for value in map.values() {
        match value.as_str().filter(|name| is_plain_name(name) && name.ends_with(".safetensors")) {
            Some(name) => names.insert(name.to_owned()),
            None => return Err(stored(format!("weight_map names {value}, expected a safetensors file beside it"))),
        };
    }
    Ok(names.into_iter().collect())
}

/// A file name that leads nowhere else.
pub(super) fn is_plain_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ' | '(' | ')' | '+' | '=');
    !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && name.chars().all(plain)
}

/// A path inside a repository that leads nowhere else.
pub(super) fn is_plain_path(path: &str) -> bool {
    path.split('/').all(is_plain_name)
}

/// What a snapshot lacks to be loaded; `None` if it is whole.
pub(super) fn lacks(dir: &Path) -> Option<String> {
    let has = |name: &str| dir.join(name).is_file();
    if has("adapter_config.json") {
        return (!has("adapter_model.safetensors")).then(|| "adapter_model.safetensors".to_owned());
    }
    if let Some(missing) = ["config.json", "tokenizer.json"].into_iter().find(|name| !has(name)) {
        return Some(missing.to_owned());
    }
    if has("model.safetensors") {
        return None;
    }
    if !has("model.safetensors.index.json") {
        return Some("model.safetensors".to_owned());
    }
    match shards(dir) {
        Ok(shards) => shards.into_iter().find(|shard| !has(shard)),
        Err(_) => Some("a readable model.safetensors.index.json".to_owned()),
    }
}

#[cfg(test)]
mod tests;
