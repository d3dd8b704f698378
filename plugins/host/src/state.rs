//! What the host keeps for one instance: its limits, its log, its databases.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wasmtime::ResourceLimiter;
use wasmtime::component::{Resource, ResourceTable};

use crate::bindings::{data, exec, log, sql};
use crate::limits::{CORE_INSTANCES, Limits};
use crate::runtime::Runtime;
use crate::{columns, text};

/// A database that the guest has opened.
#[allow(unreachable_pub, reason = "the generated bindings re-export it within their own private module")]
pub struct OpenDatabase(crate::sql::ReadOnly);

/// Host state of one instance.
pub(crate) struct State {
    pub(crate) limits: Limits,
    pub(crate) memory: MemoryLimiter,
    pub(crate) log: Log,
    databases: BTreeMap<String, PathBuf>,
    table: ResourceTable,
    /// Left for the queries of this call.
    pub(crate) sql_steps_left: u64,
    /// Epochs since this call began.
    pub(crate) ticks: u64,
    runtime: Arc<Runtime>,
    cancel: Option<Arc<AtomicBool>>,
    /// Left for the programs of this call.
    pub(crate) exec_fuel_left: u64,
    /// Programs that this call ran.
    pub(crate) programs: u64,
}

impl State {
    pub(crate) fn new(
        limits: Limits,
        databases: BTreeMap<String, PathBuf>,
        runtime: Arc<Runtime>,
        cancel: Option<Arc<AtomicBool>>,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.sql.open_databases);
        Self {
            limits,
            memory: MemoryLimiter::new(&limits),
            log: Log::default(),
            databases,
            table,
            sql_steps_left: limits.sql.vm_steps_per_call,
            ticks: 0,
            runtime,
            cancel,
            exec_fuel_left: limits.exec.fuel_per_call,
            programs: 0,
        }
    }
}

/// A store's state that counts epochs.
pub(crate) trait Ticks {
    /// Epochs since the call began.
    fn ticks(&mut self) -> &mut u64;
}

impl Ticks for State {
    fn ticks(&mut self) -> &mut u64 {
        &mut self.ticks
    }
}

/// Counts all memories and tables of an instance together.
pub(crate) struct MemoryLimiter {
    memory_limit: usize,
    table_limit: usize,
    memory_bytes: usize,
    table_elements: usize,
    /// The total that was refused, for the error that follows when the guest gives up.
    pub(crate) refused_bytes: Option<usize>,
}

impl MemoryLimiter {
    /// All memories together; they never shrink, so this is also their peak.
    pub(crate) fn total_bytes(&self) -> usize {
        self.memory_bytes
    }

    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory_limit: limits.memory_bytes,
            table_limit: limits.table_elements,
            memory_bytes: 0,
            table_elements: 0,
            refused_bytes: None,
        }
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        if total > self.memory_limit {
            self.refused_bytes = Some(total);
            return Ok(false);
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table_elements.saturating_add(desired.saturating_sub(current));
        if total > self.table_limit {
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        CORE_INSTANCES
    }

    fn memories(&self) -> usize {
        CORE_INSTANCES
    }
}

/// Log lines of an instance, cleaned for people.
#[derive(Debug, Default)]
pub(crate) struct Log {
    lines: Vec<String>,
    dropped: u64,
}

impl Log {
    fn push(&mut self, level: log::Level, message: &str, limits: &Limits) {
        if self.lines.len() >= limits.log_lines {
            // The newest line is the one that explains a trap.
            self.lines.remove(0);
            self.dropped += 1;
        }
        let level = match level {
            log::Level::Trace => "trace",
            log::Level::Debug => "debug",
            log::Level::Info => "info",
            log::Level::Warn => "warn",
            log::Level::Error => "error",
        };
        self.lines.push(format!("{level}: {}", text::clean(message, limits.log_line_bytes)));
    }

    /// All lines since the last call, with a note if some were dropped.
    pub(crate) fn take(&mut self) -> Vec<String> {
        let mut lines = std::mem::take(&mut self.lines);
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            lines.insert(0, format!("warn: {dropped} earlier lines were dropped"));
        }
        lines
    }

    pub(crate) fn last(&self, n: usize) -> Vec<String> {
        self.lines.iter().skip(self.lines.len().saturating_sub(n)).cloned().collect()
    }
}

impl log::Host for State {
    fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.log.push(level, &message, &self.limits);
        Ok(())
    }
}

impl data::Host for State {}

impl exec::Host for State {
    fn run(
        &mut self,
        language: String,
        program: String,
        tests: String,
        budget: exec::Budget,
    ) -> wasmtime::Result<Result<exec::Outcome, exec::ExecError>> {
        let limits = &self.limits.exec;
        if language != "python" {
            let language = text::clean(&language, 64);
            return Ok(Err(exec::ExecError::UnsupportedLanguage(format!("`{language}`; there is python"))));
        }
        let Some(python) = self.runtime.python() else {
            return Ok(Err(exec::ExecError::UnsupportedLanguage(crate::exec::NO_PYTHON.to_owned())));
        };
        if self.exec_fuel_left == 0 {
            let message = "the programs of this call have used up what they have together".to_owned();
            return Ok(Err(exec::ExecError::Budget(message)));
        }
        let budget = crate::exec::Budget {
            fuel: budget.fuel.min(limits.fuel_per_program).min(self.exec_fuel_left),
            memory_bytes: (budget.memory_bytes as usize).min(limits.memory_bytes),
            output_bytes: (budget.output_bytes as usize).min(limits.output_bytes),
        };
        let outcome = match python {
            Ok(python) => python.run(&self.limits, &program, &tests, budget, self.cancel.clone()),
            Err(detail) => return Ok(Err(exec::ExecError::UnsupportedLanguage(detail.clone()))),
        };
        self.exec_fuel_left = self.exec_fuel_left.saturating_sub(outcome.fuel_used);
        self.programs += 1;
        // A program has a backstop of its own; the guest's counts the guest's own time.
        self.ticks = 0;
        Ok(Ok(outcome))
    }
}

impl sql::Host for State {}

impl sql::HostDatabase for State {
    fn open(&mut self, name: String) -> wasmtime::Result<Result<Resource<OpenDatabase>, sql::SqlError>> {
        let Some(path) = self.databases.get(&name) else {
            let name = text::clean(&name, self.limits.text_bytes);
            let granted: Vec<_> = self.databases.keys().map(String::as_str).collect();
            let granted =
                if granted.is_empty() { "none is".to_owned() } else { format!("granted: {}", granted.join(", ")) };
            return Ok(Err(sql::SqlError::Denied(format!("database `{name}` is not granted; {granted}"))));
        };
        match crate::sql::ReadOnly::open(path, &self.limits.sql) {
            Ok(database) => match self.table.push(OpenDatabase(database)) {
                Ok(handle) => Ok(Ok(handle)),
                Err(_) => Ok(Err(sql::SqlError::Denied(format!(
                    "at most {} databases may be open at once",
                    self.limits.sql.open_databases
                )))),
            },
            Err(error) => Ok(Err(sql::SqlError::Runtime(error.to_string()))),
        }
    }

    fn query(
        &mut self,
        database: Resource<OpenDatabase>,
        sql: String,
        budget: sql::Budget,
    ) -> wasmtime::Result<Result<data::Batch, sql::SqlError>> {
        let limits = &self.limits.sql;
        let budget = luthier_plugin::Budget {
            vm_steps: budget.vm_steps.min(limits.vm_steps).min(self.sql_steps_left),
            max_rows: budget.max_rows.min(limits.rows),
            max_bytes: budget.max_bytes.min(limits.bytes),
        };
        let database = self.table.get_mut(&database)?;
        let outcome = database.0.query(&sql, budget);
        self.sql_steps_left = self.sql_steps_left.saturating_sub(outcome.vm_steps);
        Ok(outcome.rows.map(columns::from_sql).map_err(sql_error))
    }

    fn drop(&mut self, database: Resource<OpenDatabase>) -> wasmtime::Result<()> {
        self.table.delete(database)?;
        Ok(())
    }
}

fn sql_error(error: luthier_plugin::SqlError) -> sql::SqlError {
    use luthier_plugin::SqlError;
    match error {
        SqlError::Denied(message) => sql::SqlError::Denied(message),
        SqlError::Syntax(message) => sql::SqlError::Syntax(message),
        SqlError::Runtime(message) => sql::SqlError::Runtime(message),
        SqlError::Budget(message) => sql::SqlError::Budget(message),
        SqlError::TooLarge(message) => sql::SqlError::TooLarge(message),
    }
}
