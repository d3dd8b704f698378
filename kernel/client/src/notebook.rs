//! Live output of a Rust cell: show something, replace it in place, clear, ask for a line.
//!
//! ```no_run
//! use luthier::notebook::{Content, clear_output, display, input};
//!
//! # fn main() -> luthier::Result<()> {
//! let shown = display(Content::text("0 %"));
//! for percent in 1..=100 {
//!     shown.update(Content::text(format!("{percent} %")).html(format!("<b>{percent}</b> %")));
//! }
//! let name = input("Name of the adapter: ")?;
//! clear_output(true);
//! display(Content::text(format!("saved as {name}")));
//! # Ok(())
//! # }
//! ```
//!
//! In a notebook the operations travel on standard output, between the markers that evcxr uses for
//! rich content, so that they keep their order with what the cell prints. Elsewhere a display is its
//! text and a question is asked on the terminal.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use luthier_protocol::{Failure, FailureKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cell::SOCKET_VARIABLE;
use crate::{Result, interrupt};

/// MIME type of an [`Operation`] on standard output.
pub const OPERATION_MIME: &str = "application/vnd.luthier.operation+json";

/// How often a cell that waits for an answer looks whether it was interrupted.
const POLL: Duration = Duration::from_millis(50);

/// What a cell asks of the notebook, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum Operation {
    /// Show `data` (MIME type to content); it can be replaced under `display_id`.
    Display {
        /// The forms.
        data: BTreeMap<String, Value>,
        /// Names the place.
        display_id: String,
    },
    /// Replace what is shown under `display_id`.
    Update {
        /// The forms.
        data: BTreeMap<String, Value>,
        /// The place.
        display_id: String,
    },
    /// Remove the cell's output; with `wait`, when the next output comes.
    ClearOutput {
        /// Wait for the next output.
        wait: bool,
    },
    /// Ask the person for a line; the answer comes back through [`answer`].
    Input {
        /// The question.
        prompt: String,
        /// Do not show what is typed.
        password: bool,
    },
}

/// Something to show, in one or more forms. The text form is what saved pages and terminals fall
/// back to.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    data: BTreeMap<String, Value>,
}

impl Content {
    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Content { data: BTreeMap::from([("text/plain".to_owned(), Value::String(text.into()))]) }
    }

    /// The same with an HTML form.
    #[must_use]
    pub fn html(self, html: impl Into<String>) -> Self {
        self.form("text/html", Value::String(html.into()))
    }

    /// The same with a Markdown form.
    #[must_use]
    pub fn markdown(self, markdown: impl Into<String>) -> Self {
        self.form("text/markdown", Value::String(markdown.into()))
    }

    /// The same with a PNG image, encoded in base64.
    #[must_use]
    pub fn png_base64(self, base64: impl Into<String>) -> Self {
        self.form("image/png", Value::String(base64.into()))
    }

    /// The same with a form of any MIME type: JSON for `…+json`, else a string.
    #[must_use]
    pub fn form(mut self, mime: &str, content: Value) -> Self {
        self.data.insert(mime.to_owned(), content);
        self
    }

    fn plain(&self) -> &str {
        self.data.get("text/plain").and_then(Value::as_str).unwrap_or_default()
    }
}

impl<S: Into<String>> From<S> for Content {
    fn from(text: S) -> Self {
        Content::text(text)
    }
}

/// Something shown that can be replaced in place, also by a later cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    display_id: String,
}

impl Shown {
    /// Show this in its place.
    pub fn update(&self, content: impl Into<Content>) {
        let content = content.into();
        perform(&Operation::Update { data: content.data.clone(), display_id: self.display_id.clone() }, &content);
    }
}

/// Show `content` now, while the cell goes on.
pub fn display(content: impl Into<Content>) -> Shown {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let content = content.into();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let display_id = format!("luthier-{:016x}-{number}", process_number());
    perform(&Operation::Display { data: content.data.clone(), display_id: display_id.clone() }, &content);
    Shown { display_id }
}

/// Random, drawn once: two processes that show something in one notebook must not share an id.
fn process_number() -> u64 {
    static NUMBER: OnceLock<u64> = OnceLock::new();
    // The standard library's hasher has random keys.
    *NUMBER.get_or_init(|| RandomState::new().build_hasher().finish())
}

/// Remove what this cell has shown. With `wait` the old output stays until the next one replaces it,
/// which does not flicker.
pub fn clear_output(wait: bool) {
    if in_notebook() {
        write(&Operation::ClearOutput { wait });
    }
}

/// Ask the person for a line of text.
///
/// # Errors
/// The notebook does not allow questions (nbconvert, papermill), the cell is interrupted, or standard
/// input has ended.
pub fn input(prompt: &str) -> Result<String> {
    ask(prompt, false)
}

/// As [`input`], without showing what is typed.
///
/// # Errors
/// As [`input`].
pub fn input_password(prompt: &str) -> Result<String> {
    ask(prompt, true)
}

/// What the person answered; `Err` says why there is no answer.
pub(crate) type Answer = std::result::Result<String, String>;

/// Where the answer to the question in hand goes.
static WAITING: Mutex<Option<Sender<Answer>>> = Mutex::new(None);

/// Called by the listener of [`crate::cell`].
pub(crate) fn answer(answer: Answer) {
    let waiting = WAITING.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    if let Some(waiting) = waiting {
        // The cell may have been interrupted in the meantime.
        let _ = waiting.send(answer);
    }
}

fn ask(prompt: &str, password: bool) -> Result<String> {
    if !in_notebook() {
        return ask_terminal(prompt);
    }
    let (sender, receiver) = mpsc::channel();
    *WAITING.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(sender);
    write(&Operation::Input { prompt: prompt.to_owned(), password });
    wait(&receiver)
}

fn wait(receiver: &Receiver<Answer>) -> Result<String> {
    loop {
        interrupt::check()?;
        match receiver.recv_timeout(POLL) {
            Ok(Ok(line)) => return Ok(line),
            Ok(Err(why)) => return Err(Failure::new(FailureKind::InvalidRequest, why).into()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::new(FailureKind::InvalidRequest, "nobody is there to answer").into());
            }
        }
    }
}

fn ask_terminal(prompt: &str) -> Result<String> {
    let failed = |error: std::io::Error| Failure::new(FailureKind::InvalidRequest, format!("standard input: {error}"));
    let mut line = String::new();
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(prompt.as_bytes()).and_then(|()| stdout.flush()).map_err(failed)?;
    match std::io::stdin().read_line(&mut line).map_err(failed)? {
        0 => Err(Failure::new(FailureKind::InvalidRequest, "standard input has ended").into()),
        _ => Ok(line.trim_end_matches(['\n', '\r']).to_owned()),
    }
}

fn in_notebook() -> bool {
    std::env::var_os(SOCKET_VARIABLE).is_some()
}

fn perform(operation: &Operation, content: &Content) {
    if in_notebook() {
        write(operation);
    } else {
        // Nobody is left to tell if standard output is gone.
        let _ = writeln!(std::io::stdout().lock(), "{}", content.plain());
    }
}

fn write(operation: &Operation) {
    // Plain data with string keys always has a JSON form.
    let json = serde_json::to_string(operation).unwrap_or_default();
    let text = format!("EVCXR_BEGIN_CONTENT {OPERATION_MIME}\n{json}\nEVCXR_END_CONTENT\n");
    // One write under one lock: nothing may fall between the markers, and nothing waits in a buffer.
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

#[cfg(test)]
mod tests;
