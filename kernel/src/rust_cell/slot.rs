//! Where evcxr compiles: a directory that is kept, so that the prelude is built once, and that one
//! kernel at a time may use. A second kernel gets the next one.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// More kernels than this at once share nothing and build for themselves.
const MAX_SLOTS: usize = 16;

/// A directory that is ours until this is dropped, or the process ends.
pub(super) struct Slot {
    dir: PathBuf,
    /// Holds the lock.
    _lock: File,
    /// The directory goes with the slot: all kept ones were taken.
    _temporary: Option<tempfile::TempDir>,
}

impl Slot {
    /// The first free slot below `root`.
    pub(super) fn take(root: &Path) -> io::Result<Slot> {
        std::fs::create_dir_all(root)?;
        for number in 0..MAX_SLOTS {
            let lock = lock_file(&root.join(format!("slot-{number}.lock")))?;
            if lock.try_lock().is_ok() {
                let dir = root.join(format!("slot-{number}"));
                std::fs::create_dir_all(&dir)?;
                return Ok(Slot { dir, _lock: lock, _temporary: None });
            }
        }
        let temporary = tempfile::Builder::new().prefix("slot-").tempdir_in(root)?;
        let lock = lock_file(&temporary.path().join("lock"))?;
        Ok(Slot { dir: temporary.path().to_path_buf(), _lock: lock, _temporary: Some(temporary) })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).write(true).truncate(false).open(path)
}

#[cfg(test)]
mod tests;
