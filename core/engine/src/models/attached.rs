//! Adapters that are kept in memory beside their base, so that requests may change between them
//! without reading files.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use luthier_model::Adapter;

/// An adapter in memory.
#[derive(Debug, Clone)]
pub(crate) struct Attached {
    /// Its directory.
    pub(crate) dir: PathBuf,
    /// Hash of its files.
    pub(crate) fingerprint: String,
    /// Hash of the base that it is on.
    pub(crate) base_fingerprint: String,
    pub(crate) adapter: Arc<Adapter>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct AttachedAdapters(Mutex<Vec<Attached>>);

impl AttachedAdapters {
    /// The adapter of a directory, if it is in memory, on this base, and its files are unchanged.
    pub(crate) fn get(&self, dir: &Path, fingerprint: &str, base_fingerprint: &str) -> Option<Arc<Adapter>> {
        let is_it =
            |it: &&Attached| it.dir == dir && it.fingerprint == fingerprint && it.base_fingerprint == base_fingerprint;
        self.lock().iter().find(is_it).map(|it| Arc::clone(&it.adapter))
    }

    /// Keep one, in the place of an earlier state of its directory.
    pub(crate) fn put(&self, attached: Attached) {
        let mut adapters = self.lock();
        adapters.retain(|it| it.dir != attached.dir);
        adapters.push(attached);
    }

    /// Give up those of `dir`, or all; returns how many.
    pub(crate) fn remove(&self, dir: Option<&Path>) -> usize {
        let mut adapters = self.lock();
        let before = adapters.len();
        adapters.retain(|it| dir.is_some_and(|dir| it.dir != dir));
        before - adapters.len()
    }

    /// Directories, the latest attached last.
    pub(crate) fn dirs(&self) -> Vec<PathBuf> {
        self.lock().iter().map(|it| it.dir.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Attached>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
