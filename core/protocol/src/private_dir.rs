//! A directory that nobody else may enter: mode 0700, owned by this account, no symbolic link.
//!
//! The socket inside has no other protection, so client and engine both check before they use it:
//! under `/tmp` anybody could have made the directory first.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Why a directory is not private.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateDirError {
    /// It could not be made or looked at.
    #[error("the runtime directory {path:?} cannot be used: {source}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file, or a symbolic link.
    #[error("the runtime directory {path:?} must be a directory, not a file or a link")]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// Somebody else made it.
    #[error("the runtime directory {path:?} must belong to user {expected}, it belongs to user {found}")]
    Owner {
        /// The directory.
        path: PathBuf,
        /// This account.
        expected: u32,
        /// The owner.
        found: u32,
    },
    /// Others may enter.
    #[error("the runtime directory {path:?} must have mode 0700, it has {found:04o}")]
    Mode {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        found: u32,
    },
}

/// Make `dir` (and missing parents) with mode 0700 unless it is there, then [`check`] it.
pub fn ensure(dir: &Path, uid: u32) -> Result<(), PrivateDirError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| PrivateDirError::Io { path: dir.to_path_buf(), source })?;
    check(dir, uid)
}

/// Refuse `dir` unless it is a real directory of `uid` that nobody else may enter.
pub fn check(dir: &Path, uid: u32) -> Result<(), PrivateDirError> {
    let path = || dir.to_path_buf();
    // Not `metadata`: a link could be pointed elsewhere between the check and the use.
    let metadata = fs::symlink_metadata(dir).map_err(|source| PrivateDirError::Io { path: path(), source })?;
    if !metadata.is_dir() {
        return Err(PrivateDirError::NotADirectory { path: path() });
    }
    if metadata.uid() != uid {
        return Err(PrivateDirError::Owner { path: path(), expected: uid, found: metadata.uid() });
    }
    match metadata.mode() & 0o7777 {
        mode if mode & 0o077 == 0 => Ok(()),
        mode => Err(PrivateDirError::Mode { path: path(), found: mode }),
    }
}

#[cfg(test)]
mod tests;
