//! One instance of a guest, and calls into it: fuel, clock, stack, and errors in people's words.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmtime::{Store, Trap, UpdateDeadline, WasmBacktrace};

use crate::error::TrapSite;
use crate::limits::{COMPONENT_HANDLES, Limits, THREAD_STACK_BYTES, WASM_STACK_BYTES};
use crate::runtime::{EPOCH, Runtime};
use crate::state::{State, Ticks};
use crate::{Error, text};

/// Log lines that an error quotes.
const QUOTED_LOG_LINES: usize = 5;
/// Functions that an error names, and bytes of each name.
const MAX_FRAMES: usize = 6;
const FRAME_BYTES: usize = 120;

/// What calls took. Fuel and rows are the same on every machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Calls that ended well.
    pub calls: u64,
    /// Their fuel.
    pub fuel: u64,
    /// Their rows.
    pub rows: u64,
    /// Most linear memory at once.
    pub peak_memory_bytes: u64,
    /// Steps of SQLite's virtual machine in queries of the plugin's.
    pub sql_steps: u64,
    /// Generated programs that were run.
    pub programs: u64,
}

impl Receipt {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Receipt) -> Receipt {
        Receipt {
            calls: self.calls + other.calls,
            fuel: self.fuel + other.fuel,
            rows: self.rows + other.rows,
            peak_memory_bytes: self.peak_memory_bytes.max(other.peak_memory_bytes),
            sql_steps: self.sql_steps + other.sql_steps,
            programs: self.programs + other.programs,
        }
    }
}

/// A store with its instance. It ends with the first trap: what a guest left half done is never
/// looked at again.
pub(crate) struct Guest {
    plugin: String,
    limits: Limits,
    cancel: Option<Arc<AtomicBool>>,
    store: Option<Store<State>>,
    log: Vec<String>,
    receipt: Receipt,
}

impl Guest {
    pub(crate) fn new(
        runtime: &Arc<Runtime>,
        plugin: &str,
        limits: Limits,
        databases: BTreeMap<String, PathBuf>,
        cancel: Option<Arc<AtomicBool>>,
    ) -> Self {
        let state = State::new(limits, databases, Arc::clone(runtime), cancel.clone());
        let mut store = Store::new(&runtime.engine, state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(limits.transfer_bytes);
        store.set_max_component_handles(COMPONENT_HANDLES);
        watch(&mut store, limits.backstop_s, cancel.clone());
        Self {
            plugin: plugin.to_owned(),
            limits,
            cancel,
            store: Some(store),
            log: Vec::new(),
            receipt: Receipt::default(),
        }
    }

    pub(crate) fn plugin(&self) -> &str {
        &self.plugin
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Log lines since the last time, oldest first.
    pub(crate) fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// What all calls so far that ended well took.
    pub(crate) fn receipt(&self) -> Receipt {
        self.receipt
    }

    /// Runs `body` with the fuel of a call with `rows` ordinary rows, on a thread with a known stack.
    pub(crate) fn call<R: Send>(
        &mut self,
        call: &'static str,
        rows: usize,
        body: impl FnOnce(&mut Store<State>) -> wasmtime::Result<R> + Send,
    ) -> Result<R, Error> {
        self.call_with(call, rows, 1, body)
    }

    /// The same, each row having the fuel of `fuel_rows` ordinary ones.
    pub(crate) fn call_with<R: Send>(
        &mut self,
        call: &'static str,
        rows: usize,
        fuel_rows: usize,
        body: impl FnOnce(&mut Store<State>) -> wasmtime::Result<R> + Send,
    ) -> Result<R, Error> {
        let mut store = self.store.take().ok_or_else(|| Error::Ended { plugin: self.plugin.clone(), call })?;
        let fuel = {
            let rows = (rows as u64).saturating_mul(fuel_rows as u64);
            self.limits.fuel_per_call.saturating_add(self.limits.fuel_per_row.saturating_mul(rows))
        };
        let setup = |error: wasmtime::Error| Error::Runtime { detail: error.to_string() };
        store.set_fuel(fuel).map_err(setup)?;
        store.set_epoch_deadline(1);
        let state = store.data_mut();
        state.ticks = 0;
        state.sql_steps_left = self.limits.sql.vm_steps_per_call;
        // A metric with groups sees all rows in one call; each must be able to run its program.
        let programs = self.limits.exec.fuel_per_program.saturating_mul(rows as u64);
        state.exec_fuel_left = self.limits.exec.fuel_per_call.saturating_add(programs);
        state.programs = 0;
        state.memory.refused_bytes = None;

        let outcome = on_large_stack(|| body(&mut store));
        let quoted = store.data().log.last(QUOTED_LOG_LINES);
        self.log.extend(store.data_mut().log.take());
        let excess = self.log.len().saturating_sub(self.limits.log_lines);
        self.log.drain(..excess);
        match outcome {
            Ok(Ok(result)) => {
                let state = store.data();
                self.receipt = self.receipt.plus(Receipt {
                    calls: 1,
                    fuel: fuel.saturating_sub(store.get_fuel().unwrap_or(fuel)),
                    rows: rows as u64,
                    peak_memory_bytes: state.memory.total_bytes() as u64,
                    sql_steps: self.limits.sql.vm_steps_per_call.saturating_sub(state.sql_steps_left),
                    programs: state.programs,
                });
                self.store = Some(store);
                Ok(result)
            }
            Ok(Err(error)) => Err(self.explain(call, fuel, &store, &error, quoted)),
            Err(detail) => Err(Error::Runtime { detail }),
        }
    }

    fn explain(
        &self,
        call: &'static str,
        fuel: u64,
        store: &Store<State>,
        error: &wasmtime::Error,
        log: Vec<String>,
    ) -> Error {
        let plugin = self.plugin.clone();
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => {
                let used = fuel - store.get_fuel().unwrap_or(0).min(fuel);
                return Error::OutOfFuel { plugin, call, used, limit: fuel };
            }
            Some(Trap::Interrupt) if self.is_cancelled() => return Error::Interrupted { plugin, call },
            Some(Trap::Interrupt) => return Error::Backstop { plugin, call, limit_s: self.limits.backstop_s },
            Some(Trap::StackOverflow) => return Error::StackOverflow { plugin, call, limit: WASM_STACK_BYTES },
            _ => {}
        }
        // A guest that gets no memory gives up soon after, in its own way.
        if let Some(requested) = store.data().memory.refused_bytes {
            return Error::OutOfMemory { plugin, call, requested, limit: self.limits.memory_bytes };
        }
        let detail = error.downcast_ref::<Trap>().map_or_else(|| error.root_cause().to_string(), ToString::to_string);
        let detail = text::clean(&detail, self.limits.text_bytes);
        Error::Trap { plugin, call, detail, site: Box::new(TrapSite { frames: frames(error), row: None }), log }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }
}

/// Names of the guest's functions, innermost first; the panic machinery says nothing about a plugin.
fn frames(error: &wasmtime::Error) -> Vec<String> {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let names = trace.frames().iter().filter_map(|frame| frame.func_name());
    let names = names.map(|name| text::clean(&demangled(name), FRAME_BYTES));
    let own = |name: &String| {
        !name.starts_with("std::") && !name.starts_with("core::") && !name.contains("rust_begin_unwind")
    };
    names.filter(own).take(MAX_FRAMES).collect()
}

/// Rust's mangling (`_ZN`, then names with their lengths, then a hash that helps nobody, then `E`); any other name as
/// it is.
fn demangled(name: &str) -> String {
    let Some(mut rest) = name.strip_prefix("_ZN") else { return name.to_owned() };
    let mut parts = Vec::new();
    while let Some(digits) = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0) {
        let (length, after) = rest.split_at(digits);
        let part = length.parse().ok().and_then(|length: usize| after.split_at_checked(length));
        let Some((part, after)) = part else { return name.to_owned() };
        parts.push(part.replace("$LT$", "<").replace("$GT$", ">").replace("$u20$", " ").replace("..", "::"));
        rest = after;
    }
    if parts.last().is_some_and(|last| last.len() == 17 && last.starts_with('h')) {
        parts.pop();
    }
    parts.join("::")
}

/// Looks at the cancel flag and at the backstop once per epoch.
pub(crate) fn watch<T: Ticks + 'static>(store: &mut Store<T>, backstop_s: u32, cancel: Option<Arc<AtomicBool>>) {
    let backstop_ticks = u128::from(backstop_s) * 1_000 / EPOCH.as_millis();
    store.epoch_deadline_callback(move |mut context| {
        let ticks = context.data_mut().ticks();
        *ticks += 1;
        let ticks = *ticks;
        let cancelled = cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed));
        if cancelled || u128::from(ticks) > backstop_ticks {
            return Ok(UpdateDeadline::Interrupt);
        }
        Ok(UpdateDeadline::Continue(1))
    });
}

/// The caller's stack may be of any size, and an overflow of the host's stack aborts the process.
pub(crate) fn on_large_stack<R: Send>(body: impl FnOnce() -> R + Send) -> Result<R, String> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("plugin".to_owned())
            .stack_size(THREAD_STACK_BYTES)
            .spawn_scoped(scope, body)
            .map_err(|error| format!("cannot start a thread: {error}"))?
            .join()
            .map_err(|_| "the host panicked while a plugin was called".to_owned())
    })
}
