//! Rust cells: code that a person writes in Rust, compiled and run through evcxr.
//!
//! ```text
//! kernel ──► evaluator: evcxr, rust-analyzer, cargo ──► watcher ──► cell process: the person's code
//! ```
//!
//! All four are this program (see [`runtime_hook`]). The evaluator can be interrupted while it
//! compiles and may crash; the watcher sees how a cell ended, which evcxr does not tell; the cell
//! process holds the variables. Must not know: Jupyter's wire format, commands, the engine's requests
//! (cells reach the engine themselves, through the `luthier` client crate).

mod evaluator;
mod failure;
mod is_complete;
pub mod prelude;
mod process;
mod processes;
mod slot;
mod watch;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use luthier::notebook::Operation;
use serde::{Deserialize, Serialize};

pub use is_complete::{Completeness, is_complete};
use process::Process;
use wire::{FromEvaluator, ToEvaluator};

/// How long a person may wait for completions.
const ASSIST_PATIENCE: Duration = Duration::from_millis(2500);

/// Where Rust cells run and what they see.
#[derive(Debug, Clone)]
pub struct RustCellsConfig {
    /// Working directory of the cell process; the project is found from it.
    pub project_dir: PathBuf,
    /// Directory of the engine's socket; exported to the cell process as `LUTHIER_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// Directory of the prepared prelude (see [`prelude::prepare`]), where cells are compiled, too; the
    /// default one if absent.
    pub prelude_dir: Option<PathBuf>,
    /// Prepare the compiler in the background after this long, without waiting for a Rust cell.
    pub warm_up_after: Option<Duration>,
}

/// Something a Rust cell produced, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RustOutput {
    /// Text on standard output.
    Stdout(String),
    /// Text on standard error.
    Stderr(String),
    /// A value to show: MIME type to content.
    Display(BTreeMap<String, serde_json::Value>),
    /// What is being waited for ("Compiling serde"); replaces the previous status. Empty: done.
    Status(String),
    /// What the cell asks of the notebook, in order with its other output. A question waits for
    /// [`RustCells::answer`].
    Operation(Operation),
}

/// Why a Rust cell failed; the three fields of Jupyter's `error` message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RustFailure {
    /// `CompileError`, `Panic`, `Error` (a `?`), `Interrupted`, `CellProcessLost`, `RustUnavailable` or
    /// `InternalError`.
    pub ename: String,
    /// One line, or a few.
    pub evalue: String,
    /// What a person reads, line by line, with ANSI colors.
    pub traceback: Vec<String>,
}

/// What could stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completions {
    /// Byte offset where the text to replace starts.
    pub start: usize,
    /// Byte offset where it ends.
    pub end: usize,
    /// Candidates, best first.
    pub matches: Vec<String>,
}

/// The Rust side of one kernel: its compiler, its cell process, its variables.
pub struct RustCells {
    inner: Arc<Inner>,
}

struct Inner {
    config: RustCellsConfig,
    /// The program that is started again as evaluator, watcher and cell process.
    program: Option<PathBuf>,
    /// Held while a cell runs or a completion is waited for.
    process: Mutex<Option<Process>>,
    /// For [`RustCells::interrupt`], which must not wait for the other lock.
    commands: Mutex<Option<process::Commands>>,
    next_id: AtomicU64,
    ended: AtomicBool,
}

impl RustCells {
    /// Returns at once; nothing is started before the first cell, or the warm-up delay.
    pub fn start(config: RustCellsConfig) -> Self {
        Self::start_with(config, None)
    }

    /// As [`RustCells::start`], for a program other than this one whose `main` calls [`runtime_hook`]
    /// first (tests are such a case).
    pub fn start_with(config: RustCellsConfig, program: Option<PathBuf>) -> Self {
        let warm_up_after = config.warm_up_after;
        let inner = Arc::new(Inner {
            config,
            program,
            process: Mutex::new(None),
            commands: Mutex::new(None),
            next_id: AtomicU64::new(1),
            ended: AtomicBool::new(false),
        });
        if let Some(delay) = warm_up_after {
            let inner = Arc::downgrade(&inner);
            std::thread::spawn(move || {
                std::thread::sleep(delay);
                if let Some(inner) = inner.upgrade() {
                    inner.warm_up();
                }
            });
        }
        RustCells { inner }
    }

    /// Run one cell, streaming what it produces into `sink`. Blocks until the cell ends.
    pub fn execute(&self, code: &str, sink: &mut dyn FnMut(RustOutput)) -> Result<(), RustFailure> {
        let mut process = self.inner.lock();
        self.inner.ensure_started(&mut process)?;
        let id = self.inner.next_id();
        self.inner.send(&ToEvaluator::Execute { id, code: code.to_owned() });
        let Some(running) = process.as_mut() else { return Ok(()) };
        loop {
            match running.receive() {
                Some(FromEvaluator::Output { output }) => sink(output),
                Some(FromEvaluator::Executed { id: done, failure }) if done == id => {
                    return failure.map_or(Ok(()), Err);
                }
                // The tail of a warm-up, or of a completion that came too late.
                Some(_) => {}
                None => {
                    let last_words = running.last_words();
                    *process = None;
                    return Err(self.inner.evaluator_lost(&last_words));
                }
            }
        }
    }

    /// Interrupt the running cell, from any thread; returns at once. The cell is first asked to stop
    /// (its requests to the engine are cancelled, its variables kept); a few seconds later, or at the
    /// second interrupt, its process is ended.
    pub fn interrupt(&self) {
        self.inner.send(&ToEvaluator::Interrupt);
    }

    /// Answer the cell's question, or say why there is no answer; from the sink of
    /// [`RustCells::execute`] or any thread.
    pub fn answer(&self, line: Result<String, String>) {
        self.inner.send(&ToEvaluator::Answer { line });
    }

    /// Completions at a byte offset; `None` while a cell runs or before the compiler is there.
    pub fn complete(&self, code: &str, cursor_bytes: usize) -> Option<Completions> {
        let id = self.inner.next_id();
        let request = ToEvaluator::Complete { id, code: code.to_owned(), cursor: cursor_bytes };
        self.assist(&request, |message| match message {
            FromEvaluator::Completed { id: of, completions } if of == id => Some(completions),
            _ => None,
        })
    }

    /// What is known about the item at a byte offset, as text; `None` as for [`RustCells::complete`].
    pub fn inspect(&self, code: &str, cursor_bytes: usize) -> Option<String> {
        let id = self.inner.next_id();
        let request = ToEvaluator::Inspect { id, code: code.to_owned(), cursor: cursor_bytes };
        self.assist(&request, |message| match message {
            FromEvaluator::Inspected { id: of, text } if of == id => Some(text),
            _ => None,
        })
    }

    fn assist<T>(&self, request: &ToEvaluator, answer: impl Fn(FromEvaluator) -> Option<Option<T>>) -> Option<T> {
        let mut process = match self.inner.process.try_lock() {
            Ok(process) => process,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let running = process.as_mut()?;
        self.inner.send(request);
        let deadline = Instant::now() + ASSIST_PATIENCE;
        loop {
            match running.receive_until(deadline) {
                Ok(message) => {
                    if let Some(answer) = answer(message) {
                        return answer;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// The compiler, the cell process and what they have started; empty before the first cell.
    pub fn process_ids(&self) -> Vec<u32> {
        let commands = self.inner.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.as_ref().map(|commands| processes::tree(commands.id())).unwrap_or_default()
    }

    /// End the cell process and the compiler. A cell that runs ends with them.
    pub fn shutdown(&self) {
        self.inner.ended.store(true, Ordering::SeqCst);
        // Its standard input ends with this: the evaluator kills what it has started, and goes.
        let commands = self.inner.commands.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(commands) = commands {
            commands.end();
        }
    }
}

impl Drop for RustCells {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    fn send(&self, message: &ToEvaluator) {
        if let Some(commands) = &mut *self.commands.lock().unwrap_or_else(PoisonError::into_inner) {
            commands.send(message);
        }
    }

    fn ensure_started(&self, process: &mut Option<Process>) -> Result<(), RustFailure> {
        if process.is_some() {
            return Ok(());
        }
        let (started, commands) = Process::start(&self.config, self.program.as_deref())?;
        *self.commands.lock().unwrap_or_else(PoisonError::into_inner) = Some(commands);
        *process = Some(started);
        Ok(())
    }

    /// Start the compiler and have it prepare itself; whoever executes next sees how that goes.
    fn warm_up(&self) {
        let Ok(mut process) = self.process.try_lock() else { return };
        if process.is_none() && !self.ended.load(Ordering::SeqCst) && self.ensure_started(&mut process).is_ok() {
            self.send(&ToEvaluator::Execute { id: 0, code: String::new() });
        }
    }

    fn evaluator_lost(&self, last_words: &str) -> RustFailure {
        if self.ended.load(Ordering::SeqCst) {
            return failure::plain("Interrupted", "the kernel is ending", None);
        }
        let mut failure = failure::plain(
            "InternalError",
            "the Rust evaluator ended unexpectedly: all variables and definitions of Rust cells are lost",
            Some("run the cell again: a new one is started"),
        );
        failure.traceback.extend(last_words.lines().map(str::to_owned));
        failure
    }
}

/// Compile the default prelude before the first Rust cell needs it: half a minute or more, once. `status`
/// hears what is being waited for. Returns at once when it is built.
pub fn build_prelude(status: &mut dyn FnMut(&str)) -> Result<(), RustFailure> {
    let unavailable = |why: String| failure::plain("RustUnavailable", why, None);
    let root = prelude::default_dir_from_env().map_err(|error| unavailable(error.to_string()))?;
    prelude::prepare(&root).map_err(|error| unavailable(error.to_string()))?;
    let built = root.join("built");
    if built.exists() {
        return Ok(());
    }
    let config =
        RustCellsConfig { project_dir: root.clone(), runtime_dir: None, prelude_dir: Some(root), warm_up_after: None };
    RustCells::start(config).execute("", &mut |output| match output {
        RustOutput::Status(text) if !text.is_empty() => status(&text),
        _ => {}
    })?;
    prelude::atomic_write(&built, prelude::DIGEST.as_bytes())
        .map_err(|error| unavailable(format!("{}: {error}", built.display())))
}

/// First thing in `main`: turns this process into an evaluator, a watcher, a cell process or a compiler
/// wrapper when it was started as one (and then does not return); else does nothing.
pub fn runtime_hook() {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    if is_set(wire::EVCXR_RUNTIME_VARIABLE) {
        processes::die_with_parent();
        if !is_set(luthier::cell::SOCKET_VARIABLE) {
            watch::run();
        }
    } else if std::env::var_os(wire::ROLE_VARIABLE).is_some_and(|role| role == wire::EVALUATOR_ROLE) {
        // A compiler wrapper inherits the evaluator's environment.
        if !is_set("EVCXR_RUSTC_WRAPPER") {
            evaluator::run();
        }
    }
    evcxr::runtime_hook();
}
