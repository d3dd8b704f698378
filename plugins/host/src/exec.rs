//! Generated programs: CPython as a component without imports, a fresh instance per program.
//!
//! A program and its tests never share an interpreter (`plugins/python/sandbox.wit`). The tests run in
//! one instance, the program in another, and a test's calls of the program's functions go through here
//! as plain data. So the verdict is outside of the program's reach: an object that equals everything,
//! a walk up the stack or a patched `assert` changes nothing that the tests look at.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store, Trap};

use crate::bindings::exec::{Outcome, Status};
use crate::bindings::python::{Ending, Report, Sandbox, SandboxPre, Tested};
use crate::cache::Cache;
use crate::call::watch;
use crate::limits::Limits;
use crate::state::{MemoryLimiter, Ticks};
use crate::{audit, text};

/// Said when a plugin runs a program and there is no interpreter.
pub(crate) const NO_PYTHON: &str = "no Python interpreter is installed: build it with `cargo xtask guests --python` and put \
     luthier-python.wasm beside luthier-engine or into its cache directory";

/// Calls that the tests of one program may make.
const MAX_CALLS: usize = 2_000;
/// Bytes of all answers to one test run.
const MAX_ANSWER_BYTES: usize = 16 << 20;
/// A component of CPython has 18 MB.
const MAX_COMPONENT_BYTES: usize = 64 << 20;
/// Bytes of an error's description.
const DETAIL_BYTES: usize = 2_048;

/// Limits of one program, lowered to the host's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) fuel: u64,
    pub(crate) memory_bytes: usize,
    pub(crate) output_bytes: usize,
}

/// The interpreter, compiled.
pub(crate) struct Python {
    engine: Engine,
    pre: SandboxPre<PyState>,
}

/// Host state of one interpreter.
pub(crate) struct PyState {
    memory: MemoryLimiter,
    ticks: u64,
}

impl Ticks for PyState {
    fn ticks(&mut self) -> &mut u64 {
        &mut self.ticks
    }
}

impl Python {
    /// Reads and compiles the component, or takes it from the cache. In words, why it cannot be used.
    pub(crate) fn load(engine: &Engine, path: &Path, cache: Option<&Cache>) -> Result<Self, String> {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        if bytes.len() > MAX_COMPONENT_BYTES {
            return Err(format!("{}: {} bytes (limit {MAX_COMPONENT_BYTES})", path.display(), bytes.len()));
        }
        let imports = audit::imports(&bytes).map_err(|error| error.to_string())?;
        if !imports.is_empty() {
            return Err(format!("{} asks for {}; expected no imports", path.display(), imports.join(", ")));
        }
        let digest = audit::digest(&bytes);
        let component = match cache {
            Some(cache) => cache.component(engine, &bytes, &digest),
            None => Component::new(engine, &bytes),
        };
        let failed = |error: wasmtime::Error| format!("{}: {error:#}", path.display());
        let instance = Linker::new(engine).instantiate_pre(&component.map_err(failed)?).map_err(failed)?;
        let pre = SandboxPre::new(instance).map_err(failed)?;
        Ok(Self { engine: engine.clone(), pre })
    }

    /// Runs a program and its tests. Whatever they do, this returns.
    pub(crate) fn run(
        &self,
        limits: &Limits,
        program: &str,
        tests: &str,
        budget: Budget,
        cancel: Option<Arc<AtomicBool>>,
    ) -> Outcome {
        let mut run = Run { python: self, limits, budget, cancel, fuel_used: 0, stdout: String::new() };
        let (status, detail) = match run.judge(program, tests) {
            Ok(()) => (Status::Passed, String::new()),
            Err(end) => end,
        };
        let detail = text::clean(&detail, DETAIL_BYTES);
        Outcome { status, stdout: text::printable(&run.stdout, budget.output_bytes), detail, fuel_used: run.fuel_used }
    }
}

/// How a run ended early.
type End = (Status, String);

/// One program on its way to a verdict.
struct Run<'a> {
    python: &'a Python,
    limits: &'a Limits,
    budget: Budget,
    cancel: Option<Arc<AtomicBool>>,
    fuel_used: u64,
    stdout: String,
}

/// One interpreter.
struct Interpreter {
    store: Store<PyState>,
    sandbox: Sandbox,
}

impl Run<'_> {
    fn judge(&mut self, program: &str, tests: &str) -> Result<(), End> {
        let output_bytes = self.budget.output_bytes as u32;
        let mut own = self.interpreter()?;
        let loaded = self.step(&mut own, |one| one.sandbox.call_load(&mut one.store, program, output_bytes))?;
        self.stdout = loaded.report.stdout.clone();
        check(&loaded.report)?;
        if tests.trim().is_empty() {
            return Ok(());
        }
        let mut judge = self.interpreter()?;
        let mut answers: Vec<String> = Vec::new();
        let mut n_bytes = 0;
        loop {
            let known = format!("[{}]", answers.join(","));
            let tested = self.step(&mut judge, |one| {
                one.sandbox.call_test(&mut one.store, tests, &loaded.names, &known, output_bytes)
            })?;
            let (name, arguments) = match tested {
                Tested::Finished(report) => return check(&report),
                Tested::Wants(call) => call,
            };
            if answers.len() >= MAX_CALLS || n_bytes > MAX_ANSWER_BYTES {
                let detail = format!(
                    "the tests make more than {MAX_CALLS} calls, or their answers exceed {MAX_ANSWER_BYTES} bytes"
                );
                return Err((Status::Crashed, detail));
            }
            let called = self.step(&mut own, |one| one.sandbox.call_call(&mut one.store, &name, &arguments))?;
            if !matches!(called.report.ending, Ending::Done | Ending::Failed) {
                check(&called.report)?;
            }
            let answer: Result<serde::de::IgnoredAny, _> = serde_json::from_str(&called.outcome);
            answer.map_err(|error| (Status::Crashed, format!("an answer that is no JSON: {error}")))?;
            n_bytes += called.outcome.len();
            answers.push(called.outcome);
        }
    }

    fn interpreter(&mut self) -> Result<Interpreter, End> {
        let limits = Limits { memory_bytes: self.budget.memory_bytes, ..*self.limits };
        let mut store = Store::new(&self.python.engine, PyState { memory: MemoryLimiter::new(&limits), ticks: 0 });
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(self.limits.transfer_bytes);
        store.set_max_component_handles(crate::limits::COMPONENT_HANDLES);
        watch(&mut store, self.limits.backstop_s, self.cancel.clone());
        store.set_epoch_deadline(1);
        let crashed = |error: wasmtime::Error| (Status::Crashed, format!("{error:#}"));
        store.set_fuel(self.budget.fuel).map_err(crashed)?;
        match self.python.pre.instantiate(&mut store) {
            Ok(sandbox) => Ok(Interpreter { store, sandbox }),
            Err(error) => Err(explain(&store, &error)),
        }
    }

    /// One call, with what is left of the fuel of the whole run.
    fn step<R>(
        &mut self,
        one: &mut Interpreter,
        body: impl FnOnce(&mut Interpreter) -> wasmtime::Result<R>,
    ) -> Result<R, End> {
        let left = self.budget.fuel.saturating_sub(self.fuel_used);
        one.store.set_fuel(left).map_err(|error| (Status::Crashed, error.to_string()))?;
        let outcome = body(one);
        self.fuel_used += left.saturating_sub(one.store.get_fuel().unwrap_or(left));
        outcome.map_err(|error| explain(&one.store, &error))
    }
}

fn check(report: &Report) -> Result<(), End> {
    let status = match report.ending {
        Ending::Done => return Ok(()),
        Ending::Failed => Status::Failed,
        Ending::SyntaxError => Status::SyntaxError,
        Ending::OutOfMemory => Status::OutOfMemory,
        Ending::Recursion => Status::StackOverflow,
        Ending::Denied => Status::Denied,
    };
    Err((status, report.detail.clone()))
}

/// A trap in an interpreter. Its doors to the outside are traps, too: what was not refused by name in
/// Python ends here.
fn explain(store: &Store<PyState>, error: &wasmtime::Error) -> End {
    let detail = error.downcast_ref::<Trap>().map_or_else(|| error.root_cause().to_string(), ToString::to_string);
    let status = match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Status::OutOfFuel,
        Some(Trap::StackOverflow) => Status::StackOverflow,
        _ if store.data().memory.refused_bytes.is_some() => Status::OutOfMemory,
        Some(Trap::UnreachableCodeReached) => Status::Denied,
        _ => Status::Crashed,
    };
    (status, detail)
}

#[cfg(test)]
mod tests;
