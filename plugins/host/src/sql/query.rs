//! Running one query within its budget.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use luthier_plugin::{Budget, Rows, SqlError, SqlValue};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode};

/// A result and what it took.
pub(crate) struct Outcome {
    pub(crate) rows: Result<Rows, SqlError>,
    pub(crate) vm_steps: u64,
}

pub(super) fn run(connection: &mut Connection, sql: &str, budget: Budget, denied: &Mutex<Option<String>>) -> Outcome {
    let interval = (budget.vm_steps / 1_000).clamp(1, 1_000);
    let steps = Arc::new(AtomicU64::new(0));
    let counter = steps.clone();
    let limit = budget.vm_steps;
    // True interrupts the query.
    let watch = move || counter.fetch_add(interval, Ordering::Relaxed) + interval > limit;
    let rows = connection
        .progress_handler(interval as i32, Some(watch))
        .map_err(|error| SqlError::Runtime(error.to_string()))
        .and_then(|()| select(connection, sql, budget, denied));
    Outcome { rows, vm_steps: steps.load(Ordering::Relaxed) }
}

fn select(
    connection: &Connection,
    sql: &str,
    budget: Budget,
    denied: &Mutex<Option<String>>,
) -> Result<Rows, SqlError> {
    let explain = |error: &rusqlite::Error, running: bool| {
        let reason = denied.lock().unwrap_or_else(PoisonError::into_inner).take();
        sql_error(error, running, reason, budget)
    };
    let mut statement = connection.prepare(sql).map_err(|error| explain(&error, false))?;
    // VACUUM asks the authorizer only when it runs.
    if !statement.readonly() {
        return Err(SqlError::Denied("only SELECT is allowed".to_owned()));
    }
    if statement.column_count() == 0 {
        return Err(SqlError::Syntax("expected a SELECT".to_owned()));
    }
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let width = columns.len();
    let mut found = Rows { columns, rows: Vec::new() };
    let mut size_bytes = 0usize;
    let mut rows = statement.query([]).map_err(|error| explain(&error, true))?;
    while let Some(row) = rows.next().map_err(|error| explain(&error, true))? {
        if found.rows.len() >= budget.max_rows as usize {
            return Err(SqlError::TooLarge(format!("more than {} rows", budget.max_rows)));
        }
        let values: Vec<SqlValue> = (0..width)
            .map(|i| row.get_ref(i).map(value))
            .collect::<Result<_, _>>()
            .map_err(|error| explain(&error, true))?;
        size_bytes += values.iter().map(size).sum::<usize>();
        if size_bytes > budget.max_bytes as usize {
            return Err(SqlError::TooLarge(format!("more than {} bytes", budget.max_bytes)));
        }
        found.rows.push(values);
    }
    Ok(found)
}

fn value(value: ValueRef<'_>) -> SqlValue {
    match value {
        ValueRef::Null => SqlValue::Null,
        ValueRef::Integer(integer) => SqlValue::Integer(integer),
        ValueRef::Real(real) => SqlValue::Real(real),
        // SQLite does not check that text is UTF-8.
        ValueRef::Text(bytes) => SqlValue::Text(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => SqlValue::Blob(bytes.to_vec()),
    }
}

fn size(value: &SqlValue) -> usize {
    8 + match value {
        SqlValue::Text(text) => text.len(),
        SqlValue::Blob(bytes) => 2 * bytes.len(),
        SqlValue::Null | SqlValue::Integer(_) | SqlValue::Real(_) => 0,
    }
}

fn sql_error(error: &rusqlite::Error, running: bool, denied: Option<String>, budget: Budget) -> SqlError {
    if let Some(reason) = denied {
        return SqlError::Denied(reason);
    }
    let message = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, offset, .. } if *offset >= 0 => format!("{msg}, at byte {offset}"),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::MultipleStatement => "expected one statement, found several".to_owned(),
        other => other.to_string(),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => SqlError::Budget(format!("more than {} steps", budget.vm_steps)),
        Some(ErrorCode::OutOfMemory) => SqlError::Budget("SQLite is out of memory".to_owned()),
        Some(ErrorCode::TooBig) => SqlError::TooLarge(message),
        Some(ErrorCode::AuthorizationForStatementDenied) => SqlError::Denied(message),
        _ if running => SqlError::Runtime(message),
        _ => SqlError::Syntax(message),
    }
}
