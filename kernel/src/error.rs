//! What can go wrong outside of cells: starting, serving, installing.

use std::path::PathBuf;

/// Errors of the kernel process and of `install`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The asynchronous runtime did not start.
    #[error("the kernel's runtime could not be started: {source}")]
    Runtime {
        /// Why.
        source: std::io::Error,
    },
    /// The connection file is missing or not one.
    #[error("the connection file {path} could not be read: {message}")]
    ConnectionFile {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// A socket could not be opened.
    #[error("the {channel} socket could not be bound: {source}")]
    Bind {
        /// Which channel.
        channel: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no place to install to.
    #[error("{message}")]
    NoPrefix {
        /// What was looked for and not found.
        message: String,
    },
    /// The crate for Rust cells could not be prepared.
    #[error(transparent)]
    Prelude(#[from] crate::rust_cell::prelude::PreludeError),
}
