//! A project's directory: the one place that knows its layout.
//!
//! ```text
//! P/.luthier/store.sqlite                        metadata
//! P/.luthier/datasets/<name>/<fingerprint>/      rows and their description
//! P/.luthier/adapters/<name>/                    PEFT's format and luthier.json
//! P/.luthier/models/<name>/                      merged models
//! P/.luthier/runs/<run>/                         recipe.json, events.jsonl, checkpoints/
//! P/.luthier/evaluations/<name>.parquet          every prediction
//! P/.luthier/databases/<name>-<hash>.sqlite      databases that templates bring along
//! P/.luthier/plugins/<digest>.wasm                installed plugins, as P/plugins.lock names them
//! P/.luthier/cache/                              may be deleted at any time
//! ```

use std::path::{Path, PathBuf};

use luthier_protocol::paths::PROJECT_DIR_NAME;
use luthier_protocol::response::AdapterInfo;

use crate::Error;
use crate::store::Store;

/// A project that exists at least as a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// The project of a request. Its directory must be absolute and exist.
    pub fn open(root: &Path) -> Result<Project, Error> {
        if !root.is_absolute() || !root.is_dir() {
            return Err(Error::ProjectDir { path: root.to_path_buf() });
        }
        Ok(Project { root: root.to_path_buf() })
    }

    /// Where relative paths of specs start.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path of a spec, made absolute; a leading `~/` is not expanded (the client's business).
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// `.luthier/`.
    pub fn dir(&self) -> PathBuf {
        self.root.join(PROJECT_DIR_NAME)
    }

    /// One of the directories inside, made if it is missing.
    pub fn subdir(&self, name: &str) -> Result<PathBuf, Error> {
        let dir = self.dir().join(name);
        std::fs::create_dir_all(&dir).map_err(|source| Error::io("make", &dir, source))?;
        Ok(dir)
    }

    /// Every version of a dataset.
    pub fn dataset_dir(&self, name: &str) -> PathBuf {
        self.dir().join("datasets").join(name)
    }

    /// An adapter.
    pub fn adapter_dir(&self, name: &str) -> PathBuf {
        self.dir().join("adapters").join(name)
    }

    /// A run.
    pub fn run_dir(&self, run: &str) -> PathBuf {
        self.dir().join("runs").join(run)
    }

    /// Adapters whose directories are there, at the place where the project is now.
    pub fn adapters(&self) -> Result<Vec<AdapterInfo>, Error> {
        let stored = self.store_if_any()?.map_or(Ok(Vec::new()), |store| store.adapters())?;
        let here = |info: AdapterInfo| AdapterInfo { dir: self.adapter_dir(&info.name).display().to_string(), ..info };
        let is_there = |info: &AdapterInfo| std::path::Path::new(&info.dir).is_dir();
        Ok(stored.into_iter().map(here).filter(is_there).collect())
    }

    /// The metadata, made on first use.
    pub fn store(&self) -> Result<Store, Error> {
        let dir = self.dir();
        std::fs::create_dir_all(&dir).map_err(|source| Error::io("make", &dir, source))?;
        // What lies here is derived or large; a project's own repository should not hold it.
        let ignore = dir.join(".gitignore");
        if !ignore.exists() {
            luthier_data::atomic::write(&ignore, b"*\n").map_err(|source| Error::io("write", &ignore, source))?;
        }
        Store::open(&dir)
    }

    /// The metadata, if the project has any: looking must not create.
    pub fn store_if_any(&self) -> Result<Option<Store>, Error> {
        let exists = self.dir().join(crate::store::FILE_NAME).exists();
        exists.then(|| Store::open(&self.dir())).transpose()
    }
}

/// Refuse names that are not one plain path component.
///
/// Names become directories and are typed in cells: letters, digits, `-`, `_`, `.`, at most 100
/// bytes, not starting with `.` or `-`.
pub fn check_name(what: &'static str, name: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = !name.is_empty() && name.len() <= 100 && name.chars().all(plain) && !name.starts_with(['.', '-']);
    if good { Ok(()) } else { Err(Error::BadName { what, name: name.to_owned() }) }
}

#[cfg(test)]
mod tests;
