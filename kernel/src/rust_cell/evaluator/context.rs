//! evcxr, set up for our cells.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use evcxr::{CommandContext, Error, EvalCallbacks, EvalContext, EvalOutputs};

use super::super::wire::{CellEnd, PRELUDE_DIR_VARIABLE, ROLE_VARIABLE, ToWatcher};
use super::super::{Completions, RustFailure, RustOutput, failure, prelude};
use super::record::value_of;
use super::{Interrupter, Outcome, Questions, Record, output, status};

/// The watcher answers at once unless the machine is very busy.
const SYNC_PATIENCE: Duration = Duration::from_secs(3);

/// Connects the cell process to the watcher; needed again in every new cell process.
const ATTACH: &str = "luthier::cell::attach();";

pub(super) struct Context {
    evcxr: CommandContext,
    record: Arc<Record>,
    interrupter: Arc<Interrupter>,
    questions: Arc<Questions>,
    attached: bool,
    token: u64,
}

impl Context {
    /// Start evcxr and a cell process that knows the prelude. Takes seconds, on a new machine a minute.
    pub(super) fn start(
        record: &Arc<Record>,
        interrupter: &Arc<Interrupter>,
        questions: &Arc<Questions>,
    ) -> Result<Self, RustFailure> {
        let libraries = check_toolchain()?;
        let prelude_dir = std::env::var_os(PRELUDE_DIR_VARIABLE).map(PathBuf::from).unwrap_or_default();
        status("Starting the Rust compiler");
        // evcxr begins with an expression of its own.
        record.set_quiet(true);
        let mut watcher = Command::new(std::env::current_exe().map_err(|error| unavailable(&error.to_string()))?);
        watcher.env_remove(ROLE_VARIABLE).env("LD_LIBRARY_PATH", library_path(&libraries));
        let (evcxr, outputs) =
            EvalContext::with_subprocess_command(watcher).map_err(|error| unavailable(&error.to_string()))?;
        let lines = Arc::clone(record);
        std::thread::spawn(move || outputs.stderr.iter().for_each(|line| lines.note(&line)));
        // The watcher keeps what the cell prints; only lines it does not understand pass through.
        std::thread::spawn(move || outputs.stdout.iter().for_each(|line| output(RustOutput::Stdout(line + "\n"))));
        let evcxr = CommandContext::with_eval_context(evcxr);
        interrupter.set_watcher(Some(evcxr.process_handle()));
        let mut context = Context {
            evcxr,
            record: Arc::clone(record),
            interrupter: Arc::clone(interrupter),
            questions: Arc::clone(questions),
            attached: false,
            token: 0,
        };
        status("Preparing the prelude of Rust cells");
        let set_up = set_up_cell(&prelude_dir).map_err(|error| unavailable(&error.to_string()))?;
        context.quietly(&set_up).map_err(|error| unavailable(&described(&error)))?;
        Ok(context)
    }

    pub(super) fn attach_if_needed(&mut self) {
        if !self.attached {
            // A cell without it still runs; its panics are told less well.
            let _ = self.quietly(ATTACH);
        }
    }

    fn quietly(&mut self, code: &str) -> Result<(), Error> {
        self.record.begin();
        self.record.set_quiet(true);
        let result = self.evcxr.execute(code).map(|_| ());
        self.sync();
        self.record.finish();
        self.record.set_quiet(false);
        self.attached = result.is_ok();
        result
    }

    pub(super) fn execute(&mut self, code: &str) -> Result<EvalOutputs, Error> {
        let questions = &self.questions;
        // What `evcxr_input` asks; our own client's questions are `Operation::Input`.
        let mut callbacks =
            EvalCallbacks { input_reader: &|request| questions.ask(&request.prompt, request.is_password) };
        self.evcxr.execute_with_callbacks(code, &mut callbacks)
    }

    /// Everything that the cell's process has said so far has been passed on.
    pub(super) fn sync(&mut self) {
        self.token += 1;
        if self.interrupter.tell(&ToWatcher::Sync { token: self.token }) {
            self.record.wait_for_sync(self.token, SYNC_PATIENCE);
        }
    }

    /// What became of a cell; None if all is well.
    pub(super) fn failure(
        &mut self,
        result: Result<EvalOutputs, Error>,
        outcome: &Outcome,
        code: &str,
        interrupted: bool,
    ) -> Option<RustFailure> {
        if let Some((exit_code, signal, last_words)) = &outcome.lost {
            self.attached = false;
            return Some(failure::lost_failure(*exit_code, *signal, last_words, interrupted));
        }
        match result {
            Ok(outputs) => {
                show_command_outputs(outputs);
                match outcome.end.as_ref()? {
                    CellEnd::Normal => None,
                    CellEnd::Error { text } => Some(failure::error_failure(text, interrupted)),
                    CellEnd::Panic { panic, text } => {
                        let generated = self.evcxr.last_source().unwrap_or_default();
                        Some(failure::panic_failure(panic.as_ref(), text, code, &generated))
                    }
                }
            }
            Err(_) if interrupted => Some(failure::plain(
                "Interrupted",
                "interrupted while compiling; nothing was run, all variables are kept",
                None,
            )),
            Err(Error::CompilationErrors(errors)) => Some(failure::compile_failure(&errors, code)),
            Err(error) => {
                if let Error::SubprocessTerminated(_) = error {
                    self.attached = false;
                }
                Some(message_failure(&error.to_string()))
            }
        }
    }

    pub(super) fn complete(&mut self, code: &str, cursor: usize) -> Option<Completions> {
        let cursor = floor_char_boundary(code, cursor);
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.evcxr.completions(code, cursor)));
        let found = found.ok()?.ok()?;
        let mut matches: Vec<String> = Vec::new();
        for completion in found.completions {
            // rust-analyzer's snippets hold cursor positions that Jupyter has no use for.
            let text = completion.code.split(['$', '(']).next().unwrap_or_default().to_owned();
            if !text.is_empty() && !matches.contains(&text) {
                matches.push(text);
            }
        }
        Some(Completions { start: found.start_offset, end: found.end_offset, matches })
    }

    pub(super) fn inspect(&mut self, code: &str, cursor: usize) -> Option<String> {
        let cursor = end_of_word(code, floor_char_boundary(code, cursor));
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.evcxr.hover_at(code, cursor)));
        let (text, _html) = found.ok()?.ok()?;
        (text != "No documentation found").then_some(text)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.interrupter.tell(&ToWatcher::Kill);
        self.interrupter.set_watcher(None);
    }
}

/// Dependencies, imports and the connection, in one compilation.
fn set_up_cell(prelude_dir: &Path) -> Result<String, prelude::PreludeError> {
    let mut lines: Vec<String> = prelude::dependencies(prelude_dir)?
        .into_iter()
        .map(|(name, dependency)| format!(":dep {name} = {dependency}"))
        .collect();
    lines.push("use luthier_prelude::*;".into());
    lines.push(ATTACH.into());
    // evcxr allows `?` once a cell has used it, and takes the display of that cell's value away.
    lines.push("Ok::<(), String>(())?;".into());
    Ok(lines.join("\n"))
}

/// What `:vars` and other commands of evcxr show.
fn show_command_outputs(outputs: EvalOutputs) {
    let bundle: std::collections::BTreeMap<_, _> = outputs
        .content_by_mime_type
        .into_iter()
        .map(|(mime, content)| {
            let value = value_of(&mime, content);
            (mime, value)
        })
        .collect();
    if !bundle.is_empty() {
        output(RustOutput::Display(bundle));
    }
}

fn message_failure(message: &str) -> RustFailure {
    let hint = match message {
        _ if message.contains("Couldn't automatically determine type") => Some(
            "types are inferred with the standard library's source: `rustup component add rust-src` if it is not installed",
        ),
        _ => None,
    };
    failure::plain("CompileError", message.replace("evcxr", "the notebook"), hint)
}

fn described(error: &Error) -> String {
    match error {
        Error::CompilationErrors(errors) => {
            let messages: Vec<String> = errors
                .iter()
                .filter(|error| error.level() != "warning")
                .map(|error| {
                    let rendered = error.rendered();
                    if rendered.is_empty() { error.message() } else { rendered }
                })
                .collect();
            messages.join("\n")
        }
        other => other.to_string(),
    }
}

fn unavailable(why: &str) -> RustFailure {
    failure::plain(
        "RustUnavailable",
        format!("Rust cells could not be started: {}", why.trim()),
        Some("command cells (`%help`) need no compiler; `:dep` and Rust code need cargo and rustc"),
    )
}

/// A missing compiler is the usual reason; evcxr's own words for it are no help. Returns the
/// directory of the host's standard library, `SYSROOT/lib/rustlib/TRIPLE/lib`.
fn check_toolchain() -> Result<PathBuf, RustFailure> {
    let libraries = Command::new("rustc").args(["--print", "target-libdir"]).stderr(Stdio::null()).output();
    let Ok(libraries) = libraries.map_err(|error| error.to_string()).and_then(|output| match output.status.success() {
        true => Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())),
        false => Err(output.status.to_string()),
    }) else {
        return Err(unavailable("rustc was not found; install Rust from https://rustup.rs"));
    };
    let source = libraries.ancestors().nth(2).map(|rustlib| rustlib.join("src/rust/library"));
    if !source.is_some_and(|source| source.is_dir()) {
        add_standard_library_source();
    }
    Ok(libraries)
}

/// Where a cell's library finds the standard library and the prelude. Its own run-time path is
/// relative to the directory that it was linked in, and cargo moves it one up from there.
fn library_path(libraries: &Path) -> OsString {
    let mut path = libraries.as_os_str().to_owned();
    let triple = libraries.parent().and_then(Path::file_name);
    if let (Some(slot), Some(triple)) = (std::env::var_os("EVCXR_TMPDIR"), triple) {
        path.push(":");
        path.push(PathBuf::from(slot).join("target").join(triple).join("debug/deps"));
    }
    path
}

/// rust-analyzer needs it to know the types of variables, and would fetch it unannounced.
fn add_standard_library_source() {
    status("Fetching the standard library's source (rustup component add rust-src)");
    let added = Command::new("rustup")
        .args(["component", "add", "rust-src"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !added.is_ok_and(|status| status.success()) {
        let advice = "the standard library's source (rust-src) is not installed and could not be fetched: \
            variables may need explicit types\n";
        output(RustOutput::Stderr(advice.into()));
    }
}

fn floor_char_boundary(code: &str, cursor: usize) -> usize {
    (0..=cursor.min(code.len())).rev().find(|position| code.is_char_boundary(*position)).unwrap_or(0)
}

/// A hover is about the whole name that the cursor is in.
fn end_of_word(code: &str, cursor: usize) -> usize {
    let rest = &code[cursor..];
    cursor + rest.find(|character: char| character != '_' && !character.is_alphanumeric()).unwrap_or(rest.len())
}
