//! What the processes behind a Rust cell say to each other.
//!
//! ```text
//! kernel ──ToEvaluator / FromEvaluator──► evaluator ──evcxr's lines──► watcher ──► cell process
//!   (stdin, stdout: one JSON line each)      ▲   └──── ToWatcher (socket) ──►  ▲        │
//!                                            └─ FromWatcher (its stderr) ──────┘◄─FromCell, ToCell (socket)
//! ```

use luthier::cell::{FromCell, Panic};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Completions, RustFailure, RustOutput};

/// Begins every line of ours on a stream that others may print to as well.
const MARK: char = '\u{1}';

/// Environment variable: this process is the evaluator.
pub(super) const ROLE_VARIABLE: &str = "LUTHIER_RUST_ROLE";

/// Value of [`ROLE_VARIABLE`] in the evaluator.
pub(super) const EVALUATOR_ROLE: &str = "evaluator";

/// Environment variable that evcxr sets in the process that it starts for cells.
pub(super) const EVCXR_RUNTIME_VARIABLE: &str = "EVCXR_IS_RUNTIME";

/// Environment variable: directory for the watcher's socket, private and with a short path.
pub(super) const SOCKET_DIR_VARIABLE: &str = "LUTHIER_WATCH_DIR";

/// Environment variable: directory of the prepared prelude, for the evaluator; a person may set it for
/// the kernel.
pub(super) const PRELUDE_DIR_VARIABLE: &str = "LUTHIER_PRELUDE_DIR";

/// The prelude's flush thread prints this to both streams: everything before it has arrived.
pub(super) const SYNC_LINE: &str = luthier::cell::SYNC_LINE;

/// From the kernel to the evaluator.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ToEvaluator {
    Execute {
        id: u64,
        code: String,
    },
    Interrupt,
    /// The answer to [`RustOutput::Input`], or why there is none.
    Answer {
        line: Result<String, String>,
    },
    Complete {
        id: u64,
        code: String,
        cursor: usize,
    },
    Inspect {
        id: u64,
        code: String,
        cursor: usize,
    },
}

/// From the evaluator to the kernel.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromEvaluator {
    Output { output: RustOutput },
    Executed { id: u64, failure: Option<RustFailure> },
    Completed { id: u64, completions: Option<Completions> },
    Inspected { id: u64, text: Option<String> },
}

/// From the watcher to the evaluator.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromWatcher {
    /// A cell's code starts to run.
    Began,
    Stdout {
        text: String,
    },
    Stderr {
        text: String,
    },
    Display {
        mime: String,
        content: String,
    },
    Status {
        text: String,
    },
    /// The cell is stopping and may take its time: a request is being cancelled.
    Stopping,
    /// A cell's code has run, one way or another.
    Ended {
        end: CellEnd,
    },
    /// The cell process is gone.
    Lost {
        code: Option<i32>,
        signal: Option<i32>,
        last_words: String,
    },
    Synced {
        token: u64,
    },
}

/// How a cell's code ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub(super) enum CellEnd {
    Normal,
    /// A panic reached the top. The hook's report, if the prelude was there to make one.
    Panic {
        panic: Option<Panic>,
        text: String,
    },
    /// A `?` at the top: what it printed.
    Error {
        text: String,
    },
}

/// From the evaluator to the watcher, each over a connection of its own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "control", rename_all = "snake_case")]
pub(super) enum ToWatcher {
    Interrupt,
    Kill,
    Sync { token: u64 },
    Answer { line: Result<String, String> },
}

/// What arrives at the watcher's socket.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum AtWatcher {
    Cell(FromCell),
    Control(ToWatcher),
}

/// One marked line, newline included.
pub(super) fn line<T: Serialize>(message: &T) -> String {
    // Plain data with string keys always has a JSON form.
    let json = serde_json::to_string(message).unwrap_or_default();
    format!("{MARK}{json}\n")
}

/// The message in a line, or the line if it is somebody else's text.
pub(super) fn parse<T: DeserializeOwned>(line: &str) -> Result<T, &str> {
    line.strip_prefix(MARK).and_then(|json| serde_json::from_str(json).ok()).ok_or(line)
}

/// The socket of the watcher with this process id. Its name is no longer than the engine's, whose
/// path is known to fit.
pub(super) fn watcher_socket(dir: &std::path::Path, pid: u32) -> std::path::PathBuf {
    dir.join(format!("c{pid}.s"))
}
