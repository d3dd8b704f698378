//! The one error type of this crate.

use std::path::PathBuf;

/// Why a plugin could not be built or its file read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No Rust on this machine builds for WebAssembly.
    #[error(
        "no Rust standard library for wasm32-unknown-unknown: run `rustup target add wasm32-unknown-unknown`, or \
         `rustup component add rust-src`; tried {}",
        tried.join("; ")
    )]
    NoTarget {
        /// What was looked for, and why it would not do.
        tried: Vec<String>,
    },
    /// No clang builds for WebAssembly.
    #[error("no clang that builds for wasm32 (tried {}); install clang, version 13 or later", tried.join(", "))]
    NoClang {
        /// Names tried.
        tried: Vec<String>,
    },
    /// The Rust toolchain brings no linker for components.
    #[error("{} has no wasm-component-ld; a toolchain from rustup has one", directory.display())]
    NoLinker {
        /// Where it should be.
        directory: PathBuf,
    },
    /// A program could not be started, or failed.
    #[error("{program} {finding}")]
    Program {
        /// Its name and arguments, shortened.
        program: String,
        /// What happened.
        finding: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The bytes are no component.
    #[error("not a WebAssembly component: {finding}")]
    NotAComponent {
        /// What is wrong.
        finding: &'static str,
    },
}
