//! This crate's side of a notebook: what a cell process tells the process that watches it.
//!
//! The Luthier kernel runs Rust cells in a process of their own and watches it from outside. What
//! cannot be seen from there (the message of a panic, text that standard output still buffers)
//! travels over a socket whose path is in `LUTHIER_CELL_SOCKET`; the way back carries the soft
//! interrupt. Outside a notebook nothing here does anything.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use luthier_protocol::frame;
use serde::{Deserialize, Serialize};

use crate::interrupt;

/// Environment variable with the socket's path.
pub const SOCKET_VARIABLE: &str = "LUTHIER_CELL_SOCKET";

/// Written to both streams when they are flushed: everything before it has arrived.
pub const SYNC_LINE: &str = "EVCXR_LUTHIER_SYNC";

/// Status lines are shown to people, who read ten a second at most.
const STATUS_INTERVAL: Duration = Duration::from_millis(100);

/// How often buffered output is sent on while a cell runs, so that `print!` without a newline shows.
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);

/// From the cell process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromCell {
    /// This connection is the cell process's.
    Attached,
    /// A panic, caught or not.
    Panicked(Panic),
    /// What is being waited for; empty when it is over.
    Status { text: String },
    /// An interrupt was heard, and the engine is being asked to stop: that takes its time.
    Stopping,
    /// All that was printed before [`ToCell::Flush`] has been written, and [`SYNC_LINE`] after it to
    /// standard output and standard error.
    Flushed,
}

/// To the cell process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToCell {
    /// A cell begins: forget an earlier interrupt.
    Begin,
    /// Stop softly.
    Interrupt,
    /// Write what is buffered, then say [`FromCell::Flushed`].
    Flush,
    /// The person's answer to a question of [`crate::notebook`], or why there is none.
    Answer {
        /// What was typed.
        line: Result<String, String>,
    },
}

/// A panic as its hook sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panic {
    /// What it says.
    pub message: String,
    /// File it happened in.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// It happened on the thread that runs cells.
    pub on_cell_thread: bool,
}

struct Channel {
    writer: Mutex<UnixStream>,
    /// The thread that runs cells. It has no name: the standard library of a cell is not that of
    /// the program that loads it.
    cell_thread: ThreadId,
    last_status: Mutex<Option<Instant>>,
}

static CHANNEL: OnceLock<Channel> = OnceLock::new();

/// Connect to the process that watches this one, if there is one. The kernel runs this in the cell
/// process before the first cell; later calls do nothing.
pub fn attach() {
    let Some(path) = std::env::var_os(SOCKET_VARIABLE) else { return };
    if CHANNEL.get().is_some() {
        return;
    }
    let connected = UnixStream::connect(path).and_then(|stream| Ok((stream.try_clone()?, stream)));
    let Ok((writer, reader)) = connected else { return };
    let channel =
        Channel { writer: Mutex::new(writer), cell_thread: std::thread::current().id(), last_status: Mutex::new(None) };
    if CHANNEL.set(channel).is_err() {
        return;
    }
    if let Some(channel) = CHANNEL.get() {
        send(channel, &FromCell::Attached);
    }
    std::thread::spawn(move || listen(reader));
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(FLUSH_INTERVAL);
            // Nothing in std tries the lock; a flush that waits for a cell only delays the next one.
            let _ = std::io::stdout().flush();
        }
    });
    std::panic::set_hook(Box::new(report_panic));
}

/// Show what is being waited for, beside the running cell; an empty text removes it.
pub fn status(text: &str) {
    let Some(channel) = CHANNEL.get() else { return };
    let mut last = channel.last_status.lock().unwrap_or_else(PoisonError::into_inner);
    let recent = last.is_some_and(|at| at.elapsed() < STATUS_INTERVAL);
    if text.is_empty() {
        if last.take().is_none() {
            return;
        }
    } else if recent {
        return;
    } else {
        *last = Some(Instant::now());
    }
    send(channel, &FromCell::Status { text: text.to_owned() });
}

/// Said before a request is cancelled: the kernel waits for the engine's checkpoint instead of ending
/// this process.
pub(crate) fn stopping() {
    if let Some(channel) = CHANNEL.get() {
        send(channel, &FromCell::Stopping);
    }
}

fn listen(mut reader: UnixStream) {
    while let Ok(Some(message)) = frame::read::<ToCell>(&mut reader) {
        match message {
            ToCell::Begin => interrupt::clear(),
            ToCell::Interrupt => interrupt::request(),
            ToCell::Answer { line } => crate::notebook::answer(line),
            ToCell::Flush => {
                let _ = writeln!(std::io::stdout().lock(), "{SYNC_LINE}").and_then(|()| std::io::stdout().flush());
                let _ = std::io::stderr().lock().write_all(format!("{SYNC_LINE}\n").as_bytes());
                if let Some(channel) = CHANNEL.get() {
                    send(channel, &FromCell::Flushed);
                }
            }
        }
    }
}

fn send(channel: &Channel, message: &FromCell) {
    let mut writer = channel.writer.lock().unwrap_or_else(PoisonError::into_inner);
    // Nobody watches any more: the cell itself goes on.
    let _ = frame::write(&mut *writer, message);
}

fn report_panic(info: &std::panic::PanicHookInfo<'_>) {
    let Some(channel) = CHANNEL.get() else { return };
    let message = info.payload_as_str().unwrap_or("a value that is no text").to_owned();
    let (file, line, column) = match info.location() {
        Some(location) => (location.file().to_owned(), location.line(), location.column()),
        None => (String::new(), 0, 0),
    };
    let on_cell_thread = std::thread::current().id() == channel.cell_thread;
    send(channel, &FromCell::Panicked(Panic { message, file, line, column, on_cell_thread }));
}

#[cfg(test)]
mod tests;
