//! Models that other programs have downloaded from the Hugging Face hub: its cache on this machine,
//! read only.

use std::path::{Path, PathBuf};

/// `org/name` with the characters that the hub allows.
pub(super) fn is_hub_id(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    name.split_once('/').is_some_and(|(org, model)| part(org) && part(model))
}

/// The newest snapshot of `org/name` in the cache: the one that `main` points at, else any that
/// holds a model.
pub(super) fn snapshot(cache: &Path, id: &str) -> Option<PathBuf> {
    let repository = cache.join(format!("models--{}", id.replace('/', "--")));
    let snapshots = repository.join("snapshots");
    let is_model = |dir: &PathBuf| dir.join("config.json").is_file();
    let main = std::fs::read_to_string(repository.join("refs/main")).ok();
    let pointed = main.map(|commit| snapshots.join(commit.trim())).filter(is_model);
    pointed.or_else(|| {
        let entries = std::fs::read_dir(&snapshots).ok()?;
        let mut dirs: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_model).collect();
        dirs.sort();
        dirs.pop()
    })
}
