//! The evaluator as the kernel sees it: a child process with a line of commands and a stream of messages.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use luthier::engine::{ConnectOptions, effective_uid};
use luthier_protocol::private_dir;

use super::slot::Slot;
use super::wire::{self, FromEvaluator, ToEvaluator};
use super::{RustCellsConfig, RustFailure, RustOutput, failure, prelude};

/// Lines of the evaluator's standard error kept for the case that it dies.
const LAST_WORDS_LINES: usize = 20;

/// How long an evaluator whose standard input has ended may take to end.
const END_PATIENCE: Duration = Duration::from_millis(800);

/// Settings of a surrounding cargo that must not reach the one that compiles cells.
const FOREIGN_VARIABLES: [&str; 10] = [
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_RESOLVER_FEATURE_UNIFICATION",
    "CARGO_UNSTABLE_FEATURE_UNIFICATION",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "EVCXR_CONFIG_DIR",
    "LD_LIBRARY_PATH",
];

/// A running evaluator.
pub(super) struct Process {
    messages: Receiver<FromEvaluator>,
    last_words: Arc<Mutex<VecDeque<String>>>,
    /// Nobody else may compile there as long as this evaluator lives.
    _slot: Slot,
}

/// The way to it, which works while its messages are being waited for.
pub(super) struct Commands {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Start it: milliseconds, unless the prelude has to be written first.
    pub(super) fn start(config: &RustCellsConfig, program: Option<&Path>) -> Result<(Process, Commands), RustFailure> {
        let unavailable =
            |why: String| failure::plain("RustUnavailable", format!("Rust cells could not be started: {why}"), None);
        let root = match &config.prelude_dir {
            Some(dir) => dir.clone(),
            None => prelude::default_dir_from_env().map_err(|error| unavailable(error.to_string()))?,
        };
        let root = std::path::absolute(&root).map_err(|error| unavailable(error.to_string()))?;
        prelude::prepare(&root).map_err(|error| unavailable(error.to_string()))?;
        let slot = Slot::take(&root).map_err(|error| unavailable(format!("{}: {error}", root.display())))?;
        let socket_dir = socket_dir(config).map_err(unavailable)?;
        let program = match program {
            Some(program) => program.to_path_buf(),
            None => std::env::current_exe().map_err(|error| unavailable(error.to_string()))?,
        };
        let mut child = command(config, &program, &root, &slot, &socket_dir)
            .spawn()
            .map_err(|error| unavailable(format!("{}: {error}", program.display())))?;
        let (sender, messages) = mpsc::channel();
        let last_words = Arc::new(Mutex::new(VecDeque::new()));
        if let Some(stderr) = child.stderr.take() {
            let (sender, last_words) = (sender.clone(), Arc::clone(&last_words));
            std::thread::spawn(move || read_errors(BufReader::new(stderr), &sender, &last_words));
        }
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || read_messages(BufReader::new(stdout), &sender));
        }
        let stdin = child.stdin.take();
        Ok((Process { messages, last_words, _slot: slot }, Commands { child, stdin }))
    }

    /// The next message; None: it has ended.
    pub(super) fn receive(&mut self) -> Option<FromEvaluator> {
        self.messages.recv().ok()
    }

    pub(super) fn receive_until(&mut self, deadline: Instant) -> Result<FromEvaluator, RecvTimeoutError> {
        self.messages.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    }

    pub(super) fn last_words(&self) -> String {
        let lines = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

impl Commands {
    /// The evaluator's process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn send(&mut self, message: &ToEvaluator) {
        if let Some(stdin) = &mut self.stdin {
            // An evaluator that is gone is noticed by the end of its messages.
            let _ = stdin.write_all(wire::line(message).as_bytes()).and_then(|()| stdin.flush());
        }
    }

    /// Have it end, and make sure that it does, without waiting here.
    pub(super) fn end(self) {
        drop(self);
    }
}

impl Drop for Commands {
    fn drop(&mut self) {
        self.stdin = None;
        let deadline = Instant::now() + END_PATIENCE;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(config: &RustCellsConfig, program: &Path, root: &Path, slot: &Slot, socket_dir: &Path) -> Command {
    let mut command = Command::new(program);
    for name in FOREIGN_VARIABLES {
        command.env_remove(name);
    }
    command
        .env(wire::ROLE_VARIABLE, wire::EVALUATOR_ROLE)
        .env(wire::PRELUDE_DIR_VARIABLE, root)
        .env(wire::SOCKET_DIR_VARIABLE, socket_dir)
        .env("EVCXR_TMPDIR", slot.dir())
        .current_dir(&config.project_dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A client that signals the kernel's process group means the kernel.
        .process_group(0);
    if let Some(dir) = &config.runtime_dir {
        command.env("LUTHIER_RUNTIME_DIR", dir);
    }
    command
}

/// The engine's own directory: private, and its sockets' paths fit.
fn socket_dir(config: &RustCellsConfig) -> Result<PathBuf, String> {
    let options =
        ConnectOptions { runtime_dir: config.runtime_dir.clone(), ..ConnectOptions::from_env(&config.project_dir) };
    let dir = options.resolved_runtime_dir();
    private_dir::ensure(&dir, effective_uid()).map_err(|error| error.to_string())?;
    Ok(dir)
}

fn read_messages(stdout: impl BufRead, sender: &Sender<FromEvaluator>) {
    for line in stdout.lines().map_while(Result::ok) {
        let message = match wire::parse(&line) {
            Ok(message) => message,
            // Some of evcxr's own commands print.
            Err(text) => FromEvaluator::Output { output: RustOutput::Stdout(format!("{text}\n")) },
        };
        if sender.send(message).is_err() {
            return;
        }
    }
}

/// evcxr passes on which dependency cargo compiles; all else is for the case that it dies.
fn read_errors(stderr: impl BufRead, sender: &Sender<FromEvaluator>, last_words: &Mutex<VecDeque<String>>) {
    for line in stderr.lines().map_while(Result::ok) {
        if let Some(package) = line.trim_start().strip_prefix("Compiling ") {
            // Without the version and the path that follow.
            let name = package.split_whitespace().next().unwrap_or(package);
            let output = RustOutput::Status(format!("Compiling {name}"));
            if sender.send(FromEvaluator::Output { output }).is_err() {
                return;
            }
            continue;
        }
        let mut last_words = last_words.lock().unwrap_or_else(PoisonError::into_inner);
        if last_words.len() == LAST_WORDS_LINES {
            last_words.pop_front();
        }
        last_words.push_back(line);
    }
}
