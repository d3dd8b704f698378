//! What the host offers: log lines, databases, programs. Code that is not reached leaves no import.

use super::convert;
use crate::bindings::metric::luthier::plugin::{exec as host_exec, log as host_log, sql as host_sql};
use crate::exec::{ExecBudget, ExecError, ExecOutcome, ExecStatus};
use crate::json::{self, Value};
use crate::log::Level;
use crate::{Batch, Budget, Column, Databases, NoDatabases, Rows, SqlDatabase, SqlError, SqlValue};

/// Writes one line.
pub fn log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => host_log::Level::Debug,
        Level::Info => host_log::Level::Info,
        Level::Warn => host_log::Level::Warn,
        Level::Error => host_log::Level::Error,
    };
    host_log::log(level, message);
}

/// Runs a program in the host's sandbox.
pub fn run_program(language: &str, program: &str, tests: &str, budget: ExecBudget) -> Result<ExecOutcome, ExecError> {
    let ExecBudget { fuel, memory_bytes, output_bytes } = budget;
    let outcome = host_exec::run(language, program, tests, host_exec::Budget { fuel, memory_bytes, output_bytes });
    let outcome = outcome.map_err(|error| match error {
        host_exec::ExecError::UnsupportedLanguage(message) => ExecError::UnsupportedLanguage(message),
        host_exec::ExecError::Budget(message) => ExecError::Budget(message),
    })?;
    Ok(ExecOutcome {
        status: match outcome.status {
            host_exec::Status::Passed => ExecStatus::Passed,
            host_exec::Status::Failed => ExecStatus::Failed,
            host_exec::Status::SyntaxError => ExecStatus::SyntaxError,
            host_exec::Status::OutOfFuel => ExecStatus::OutOfFuel,
            host_exec::Status::OutOfMemory => ExecStatus::OutOfMemory,
            host_exec::Status::StackOverflow => ExecStatus::StackOverflow,
            host_exec::Status::Denied => ExecStatus::Denied,
            host_exec::Status::Crashed => ExecStatus::Crashed,
        },
        stdout: outcome.stdout,
        detail: outcome.detail,
        fuel_used: outcome.fuel_used,
    })
}

/// Which databases a guest's code can reach; what it cannot reach it does not import.
pub trait Capabilities: 'static {
    /// Those of an opened plugin.
    fn databases() -> Box<dyn Databases>;
}

/// No `sql` import.
pub struct WithoutSql;
/// Imports `sql`.
pub struct WithSql;

impl Capabilities for WithoutSql {
    fn databases() -> Box<dyn Databases> {
        Box::new(NoDatabases)
    }
}

impl Capabilities for WithSql {
    fn databases() -> Box<dyn Databases> {
        Box::new(HostDatabases)
    }
}

/// The databases that the host grants.
struct HostDatabases;

struct HostDatabase(host_sql::Database);

impl Databases for HostDatabases {
    fn open(&self, name: &str) -> Result<Box<dyn SqlDatabase>, SqlError> {
        let database = host_sql::Database::open(name).map_err(sql_error)?;
        Ok(Box::new(HostDatabase(database)))
    }
}

impl SqlDatabase for HostDatabase {
    fn query(&self, sql: &str, budget: Budget) -> Result<Rows, SqlError> {
        let Budget { vm_steps, max_rows, max_bytes } = budget;
        let batch = self.0.query(sql, host_sql::Budget { vm_steps, max_rows, max_bytes }).map_err(sql_error)?;
        rows(convert::batch_in(batch))
    }
}

fn sql_error(error: host_sql::SqlError) -> SqlError {
    match error {
        host_sql::SqlError::Denied(message) => SqlError::Denied(message),
        host_sql::SqlError::Syntax(message) => SqlError::Syntax(message),
        host_sql::SqlError::Runtime(message) => SqlError::Runtime(message),
        host_sql::SqlError::Budget(message) => SqlError::Budget(message),
        host_sql::SqlError::TooLarge(message) => SqlError::TooLarge(message),
    }
}

fn rows(batch: Batch) -> Result<Rows, SqlError> {
    let columns = batch.columns.iter().map(|column| column.name.clone()).collect();
    let rows = (0..batch.rows)
        .map(|row| batch.columns.iter().map(|column| value(&column.data, row)).collect())
        .collect::<Result<_, _>>()?;
    Ok(Rows { columns, rows })
}

fn value(column: &Column, row: usize) -> Result<SqlValue, SqlError> {
    Ok(match column {
        Column::Utf8(column) => column.get(row).map_or(SqlValue::Null, |text| SqlValue::Text(text.to_owned())),
        Column::Int64(column) => column.get(row).map_or(SqlValue::Null, SqlValue::Integer),
        Column::Float64(column) => column.get(row).map_or(SqlValue::Null, SqlValue::Real),
        Column::Json(column) => mixed_value(column.text(row))?,
        Column::Boolean(_) | Column::Ipc(_) => {
            return Err(SqlError::Runtime("the host sent a column type that SQLite does not have".to_owned()));
        }
    })
}

fn mixed_value(document: &str) -> Result<SqlValue, SqlError> {
    let unreadable = || SqlError::Runtime("the host sent an unreadable value".to_owned());
    Ok(match json::from_str(document).map_err(|_| unreadable())? {
        Value::Null => SqlValue::Null,
        Value::String(text) => SqlValue::Text(text),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => SqlValue::Integer(integer),
            None => SqlValue::Real(number.as_f64().ok_or_else(unreadable)?),
        },
        Value::Object(object) => match (object.get("blob"), object.get("real")) {
            (Some(Value::String(hex)), None) => SqlValue::Blob(bytes(hex).ok_or_else(unreadable)?),
            (None, Some(Value::String(real))) => SqlValue::Real(real.parse().map_err(|_| unreadable())?),
            _ => return Err(unreadable()),
        },
        Value::Bool(_) | Value::Array(_) => return Err(unreadable()),
    })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
