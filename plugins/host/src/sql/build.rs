//! A template's script becomes a database file.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::AuthContext;
use rusqlite::limits::Limit;

use super::authorize;
use crate::limits::SqlLimits;
use crate::{Error, text};

const PAGE_BYTES: u64 = 4_096;
const STEP_INTERVAL: i32 = 10_000;

/// Runs `script` in an empty SQLite database at `path`, which appears whole or not at all. The
/// script may create and fill tables; it cannot attach, load, or take more than the limits' steps and bytes.
pub fn build_database(script: &str, path: &Path) -> Result<(), Error> {
    build_within(script, path, &SqlLimits::default())
}

pub(super) fn build_within(script: &str, path: &Path, limits: &SqlLimits) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let failed = |detail: String| Error::Script { name: name.clone(), detail: text::clean(&detail, 1_000) };
    let io = |source| Error::Io { path: path.to_owned(), source };
    if script.len() > limits.script_bytes {
        return Err(failed(format!("{} bytes (limit {})", script.len(), limits.script_bytes)));
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().prefix(".database-").tempfile_in(directory).map_err(io)?;
    run(script, file.path(), limits).map_err(failed)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

fn run(script: &str, path: &Path, limits: &SqlLimits) -> Result<(), String> {
    let text = |error: rusqlite::Error| error.to_string();
    let mut connection = Connection::open(path).map_err(text)?;
    prepare(&connection, limits).map_err(text)?;
    let denied = Arc::new(Mutex::new(None));
    let reason = denied.clone();
    let authorizer = move |context: AuthContext<'_>| {
        let outcome = authorize::script(&context);
        if let Err(message) = &outcome {
            *reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(message.clone());
        }
        authorize::verdict(&outcome)
    };
    connection.authorizer(Some(authorizer)).map_err(text)?;
    let steps = AtomicU64::new(0);
    let limit = limits.script_vm_steps;
    let watch = move || steps.fetch_add(STEP_INTERVAL as u64, Ordering::Relaxed) > limit;
    connection.progress_handler(STEP_INTERVAL, Some(watch)).map_err(text)?;
    let outcome = connection.execute_batch(script);
    if let Some(reason) = denied.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(reason);
    }
    outcome.map_err(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::OperationInterrupted) => format!("more than {limit} steps"),
        Some(rusqlite::ErrorCode::DiskFull) => {
            format!("more than {} bytes, or the disk is full", limits.database_bytes)
        }
        _ => error.to_string(),
    })?;
    if !connection.is_autocommit() {
        return Err("it leaves a transaction open".to_owned());
    }
    connection.close().map_err(|(_, error)| error.to_string())
}

fn prepare(connection: &Connection, limits: &SqlLimits) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
    connection.query_row("PRAGMA journal_mode = memory", [], |_| Ok(()))?;
    // The file is synced as a whole afterwards.
    connection.pragma_update(None, "synchronous", "off")?;
    let pages = limits.database_bytes / PAGE_BYTES;
    connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, 16 << 20)?;
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, 16 << 20)?;
    Ok(())
}
