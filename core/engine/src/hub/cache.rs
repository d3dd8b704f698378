//! The cache on disk, as Python's `huggingface_hub` lays it out, so that each finds what the other
//! has downloaded.
//!
//! ```text
//! models--org--name/refs/main                          the commit that main was
//! models--org--name/snapshots/<commit>/config.json ──► ../../blobs/<etag>
//! models--org--name/blobs/<etag>, <etag>.incomplete
//! .locks/models--org--name/<etag>.lock
//! ```

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::id::is_commit;
use super::{RepoId, Watch};
use crate::Error;

/// One repository's part of the cache.
#[derive(Debug)]
pub(super) struct RepoCache {
    root: PathBuf,
    folder: String,
    revision: String,
}

impl RepoCache {
    pub(super) fn new(root: &Path, repo: &RepoId) -> RepoCache {
        RepoCache { root: root.to_path_buf(), folder: repo.folder(), revision: repo.revision.clone() }
    }

    /// The commit that the revision stands for, by what was seen last.
    pub(super) fn commit(&self) -> Option<String> {
        if is_commit(&self.revision) {
            return Some(self.revision.clone());
        }
        let text = crate::files::read_text(&self.reference(), 256).ok()?;
        let commit = text.trim();
        is_commit(commit).then(|| commit.to_owned())
    }

    /// Remember that the revision is this commit.
    pub(super) fn remember(&self, commit: &str) -> Result<(), Error> {
        if is_commit(&self.revision) {
            return Ok(());
        }
        let path = self.reference();
        let fail = |source| Error::io("write", &path, source);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(fail)?;
        }
        luthier_data::atomic::write(&path, commit.as_bytes()).map_err(fail)
    }

    /// Where a commit's files are, or will be.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join(&self.folder).join("snapshots").join(commit)
    }

    /// Where the content with this hash is, or will be.
    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.root.join(&self.folder).join("blobs").join(etag)
    }

    fn reference(&self) -> PathBuf {
        self.root.join(&self.folder).join("refs").join(&self.revision)
    }

    /// Let `<snapshot>/<file>` be the blob.
    pub(super) fn link(&self, commit: &str, file: &str, etag: &str) -> Result<(), Error> {
        let path = self.snapshot(commit).join(file);
        let dir = path.parent().unwrap_or(&path);
        std::fs::create_dir_all(dir).map_err(|source| Error::io("make", dir, source))?;
        // Two levels up from the snapshot, and one more for each folder of the file's path.
        let up = "../".repeat(2 + file.matches('/').count());
        let target = Path::new(&up).join("blobs").join(etag);
        if std::fs::read_link(&path).is_ok_and(|old| old == target) {
            return Ok(());
        }
        let fail = |source| Error::io("link", &path, source);
        let temporary = dir.join(format!(".{etag}.{}", std::process::id()));
        let _ = std::fs::remove_file(&temporary);
        std::os::unix::fs::symlink(&target, &temporary).map_err(fail)?;
        std::fs::rename(&temporary, &path).map_err(fail)
    }

    /// Keep others, Python's client included, from writing the same blob meanwhile.
    pub(super) fn lock(&self, etag: &str, watch: Watch<'_>) -> Result<File, Error> {
        let dir = self.root.join(".locks").join(&self.folder);
        std::fs::create_dir_all(&dir).map_err(|source| Error::io("make", &dir, source))?;
        let path = dir.join(format!("{etag}.lock"));
        let fail = |source| Error::io("lock", &path, source);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(fail)?;
        let mut is_told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(std::fs::TryLockError::WouldBlock) => {}
                Err(std::fs::TryLockError::Error(source)) => return Err(fail(source)),
            }
            watch.check()?;
            if !is_told {
                (watch.warn)(format!("another process downloads the same file; waiting for {}", path.display()));
                is_told = true;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
