//! What the watcher says about the running cell: outputs go straight on to the kernel, its end is kept.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use luthier::notebook::OPERATION_MIME;

use super::super::RustOutput;
use super::super::wire::{self, CellEnd, FromWatcher};
use super::output;

/// How a cell's code ended, if it was run at all.
#[derive(Debug, Default, Clone)]
pub(super) struct Outcome {
    pub(super) end: Option<CellEnd>,
    /// Exit code, signal, last words.
    pub(super) lost: Option<(Option<i32>, Option<i32>, String)>,
}

#[derive(Default)]
struct State {
    outcome: Outcome,
    running: bool,
    stopping: bool,
    /// Cells of ours (the attachment of the prelude) show nothing.
    quiet: bool,
    synced: u64,
    /// Content that belongs together: HTML and its text twin.
    bundle: BTreeMap<String, serde_json::Value>,
}

#[derive(Default)]
pub(super) struct Record {
    state: Mutex<State>,
    changed: Condvar,
}

impl Record {
    pub(super) fn begin(&self) {
        let mut state = self.state();
        *state = State { synced: state.synced, quiet: state.quiet, ..State::default() };
    }

    pub(super) fn set_quiet(&self, quiet: bool) {
        self.state().quiet = quiet;
    }

    pub(super) fn finish(&self) -> Outcome {
        let mut state = self.state();
        state.show_bundle();
        state.running = false;
        std::mem::take(&mut state.outcome)
    }

    /// The cell's code runs: it was compiled, and has not ended.
    pub(super) fn is_running(&self) -> bool {
        self.state().running
    }

    /// The cell has heard an interrupt and waits for the engine.
    pub(super) fn is_stopping(&self) -> bool {
        self.state().stopping
    }

    /// Wait until the watcher has answered a sync with this token.
    pub(super) fn wait_for_sync(&self, token: u64, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut state = self.state();
        while state.synced < token {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// One line of the watcher's standard error.
    pub(super) fn note(&self, line: &str) {
        let mut state = self.state();
        match wire::parse(line) {
            Ok(message) => state.note(message),
            // Only a watcher that itself fails prints anything else.
            Err(text) => state.show(RustOutput::Stderr(format!("{text}\n"))),
        }
        drop(state);
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, message: FromWatcher) {
        match message {
            FromWatcher::Display { mime, content } if mime == OPERATION_MIME => {
                match serde_json::from_str(&content) {
                    Ok(operation) => self.show(RustOutput::Operation(operation)),
                    Err(error) => self.show(RustOutput::Stderr(format!("an operation cannot be read: {error}\n"))),
                }
                return;
            }
            FromWatcher::Display { mime, content } => {
                // The same type again is the next thing shown, not a correction of the last.
                if self.bundle.contains_key(&mime) {
                    self.show_bundle();
                }
                let value = value_of(&mime, content);
                self.bundle.insert(mime, value);
                return;
            }
            FromWatcher::Began => {
                self.running = true;
                self.show(RustOutput::Status(String::new()));
            }
            FromWatcher::Stdout { text } => self.show(RustOutput::Stdout(text)),
            FromWatcher::Stderr { text } => self.show(RustOutput::Stderr(text)),
            FromWatcher::Status { text } => self.show(RustOutput::Status(text)),
            FromWatcher::Stopping => self.stopping = true,
            FromWatcher::Ended { end } => {
                self.running = false;
                self.outcome.end = Some(end);
            }
            FromWatcher::Lost { code, signal, last_words } => {
                self.running = false;
                self.outcome.lost = Some((code, signal, last_words));
            }
            FromWatcher::Synced { token } => self.synced = self.synced.max(token),
        }
        self.show_bundle();
    }

    fn show(&mut self, what: RustOutput) {
        self.show_bundle();
        if !self.quiet {
            output(what);
        }
    }

    fn show_bundle(&mut self) {
        let bundle = std::mem::take(&mut self.bundle);
        // A cell that ends with a loop has a value, but none that anybody wants to see.
        let is_unit = bundle.len() == 1 && bundle.get("text/plain").is_some_and(|text| text == "()");
        if !bundle.is_empty() && !is_unit && !self.quiet {
            output(RustOutput::Display(bundle));
        }
    }
}

/// JSON types travel as JSON, all others as text (images in base64, as Jupyter has them).
pub(super) fn value_of(mime: &str, content: String) -> serde_json::Value {
    let is_json = mime == "application/json" || mime.ends_with("+json");
    match is_json.then(|| serde_json::from_str(&content)) {
        Some(Ok(value)) => value,
        _ => serde_json::Value::String(content),
    }
}
