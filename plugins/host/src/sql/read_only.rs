//! Opening a database so that nothing that a query does can change anything.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use luthier_plugin::Budget;
use rusqlite::config::DbConfig;
use rusqlite::hooks::AuthContext;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::authorize;
use super::query::{Outcome, run};
use crate::Error;
use crate::limits::SqlLimits;

/// All of SQLite's memory in this process: a query that sorts large values fails instead of taking
/// the machine's. Steps do not bound it.
const HEAP_LIMIT_BYTES: u64 = 512 << 20;
/// One value or row.
const VALUE_BYTES: i32 = 4 << 20;

/// A database that is only read.
pub(crate) struct ReadOnly {
    connection: Connection,
    denied: Arc<Mutex<Option<String>>>,
}

impl ReadOnly {
    pub(crate) fn open(path: &Path, limits: &SqlLimits) -> Result<Self, Error> {
        let failed = |error: rusqlite::Error| Error::Database { path: path.to_owned(), detail: error.to_string() };
        let mut connection = connect(path).and_then(|connection| harden(connection, limits)).map_err(failed)?;
        let denied = Arc::new(Mutex::new(None));
        let reason = denied.clone();
        connection
            .authorizer(Some(move |context: AuthContext<'_>| {
                let outcome = authorize::query(&context);
                if let Err(message) = &outcome {
                    *reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(message.clone());
                }
                authorize::verdict(&outcome)
            }))
            .map_err(failed)?;
        Ok(Self { connection, denied })
    }

    /// Runs one SELECT.
    pub(crate) fn query(&mut self, sql: &str, budget: Budget) -> Outcome {
        *self.denied.lock().unwrap_or_else(PoisonError::into_inner) = None;
        run(&mut self.connection, sql, budget, &self.denied)
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri(path), flags)
}

/// `immutable` touches no lock and no side file; a write-ahead log with content rules it out.
fn uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log_is_empty = std::fs::metadata(&log).map_or(true, |metadata| metadata.len() == 0);
    uri + if log_is_empty { "?mode=ro&immutable=1" } else { "?mode=ro" }
}

fn harden(connection: Connection, limits: &SqlLimits) -> rusqlite::Result<Connection> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.query_row(&format!("PRAGMA hard_heap_limit = {HEAP_LIMIT_BYTES}"), [], |_| Ok(()))?;
    // The file is looked at only now; a file that is no database fails here and not in a query.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, limits.query_bytes),
        (Limit::SQLITE_LIMIT_COLUMN, 256),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
        (Limit::SQLITE_LIMIT_VDBE_OP, 250_000),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 64),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 0),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 0),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, value)?;
    }
    Ok(connection)
}
