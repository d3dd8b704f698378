//! What the host keeps for one instance: its limits, its log, its databases.

use std::collections::BTreeMap;
use std::path::PathBuf;

use wasmtime::ResourceLimiter;
use wasmtime::component::{Resource, ResourceTable};

use crate::bindings::{data, log, sql};
use crate::limits::{CORE_INSTANCES, Limits};
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
}

impl State {
    pub(crate) fn new(limits: Limits, databases: BTreeMap<String, PathBuf>) -> Self {
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
        }
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
    fn new(limits: &Limits) -> Self {
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
