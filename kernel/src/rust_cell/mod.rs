//! Rust cells: code that a person writes in Rust, compiled and run through evcxr in a child process.
//!
//! The compiler and rust-analyzer live on one thread of their own; the child is this binary again
//! (see [`runtime_hook`]). Must not know: Jupyter's wire format, commands, the engine's protocol
//! (cells reach the engine themselves, through the `luthier` client crate).

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

mod is_complete;
pub mod prelude;

pub use is_complete::{Completeness, is_complete};

/// Where Rust cells run and what they see.
#[derive(Debug, Clone)]
pub struct RustCellsConfig {
    /// Working directory of the cell process; the project is found from it.
    pub project_dir: PathBuf,
    /// Directory of the engine's socket; exported to the cell process as `LUTHIER_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// Directory of the prepared prelude (see [`prelude::prepare`]); the default one if absent.
    pub prelude_dir: Option<PathBuf>,
    /// Prepare the compiler in the background after this long, without waiting for a Rust cell.
    pub warm_up_after: Option<Duration>,
}

/// Something a Rust cell produced, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum RustOutput {
    /// Text on standard output.
    Stdout(String),
    /// Text on standard error.
    Stderr(String),
    /// A value to show: MIME type to content.
    Display(BTreeMap<String, serde_json::Value>),
    /// What is being waited for ("Compiling serde 3/12"); replaces the previous status. Empty: done.
    Status(String),
}

/// Why a Rust cell failed; the three fields of Jupyter's `error` message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RustFailure {
    /// `CompileError`, `Panic`, `Error`, `Interrupted`, `CellProcessLost`, …
    pub ename: String,
    /// One line.
    pub evalue: String,
    /// What a person reads, line by line, with ANSI colours.
    pub traceback: Vec<String>,
}

/// What could stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completions {
    /// Byte offset where the text to replace starts.
    pub start: usize,
    /// Byte offset where it ends.
    pub end: usize,
    /// Candidates, best first.
    pub matches: Vec<String>,
}

/// The Rust side of one kernel: its compiler, its cell process, its variables.
pub struct RustCells {}

impl RustCells {
    /// Returns at once; nothing is started before the first cell, or the warm-up delay.
    pub fn start(_config: RustCellsConfig) -> Self {
        RustCells {}
    }

    /// Run one cell, streaming what it produces into `sink`. Blocks until the cell ends.
    pub fn execute(&self, _code: &str, _sink: &mut dyn FnMut(RustOutput)) -> Result<(), RustFailure> {
        Ok(())
    }

    /// Interrupt the running cell, from any thread; returns at once.
    pub fn interrupt(&self) {}

    /// Completions at a byte offset; `None` while a cell runs or before the compiler is there.
    pub fn complete(&self, _code: &str, _cursor_bytes: usize) -> Option<Completions> {
        None
    }

    /// Hover text of the item at a byte offset.
    pub fn inspect(&self, _code: &str, _cursor_bytes: usize) -> Option<String> {
        None
    }

    /// End the cell process and the compiler thread.
    pub fn shutdown(&self) {}
}

/// First thing in `main`: turns this process into a cell process or a compiler wrapper when evcxr
/// started it as one (and then does not return); else does nothing.
pub fn runtime_hook() {
    evcxr::runtime_hook();
}
