//! The store's tables, and which versions of them this engine reads.

use std::path::Path;

use rusqlite::Connection;

use crate::Error;

/// Written to `PRAGMA user_version`. Raised with every change of the tables; an older store is
/// then migrated here, a newer one refused.
pub(super) const VERSION: i64 = 2;

/// Written to `PRAGMA application_id`, so that `file` and we can tell a store from any other
/// SQLite file: "LUTH" in ASCII.
pub(super) const APPLICATION_ID: i64 = 0x4C55_5448;

const TABLES: &str = "
CREATE TABLE datasets (
    name TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, dir TEXT NOT NULL,
    source_digest TEXT NOT NULL, spec TEXT NOT NULL, info TEXT NOT NULL, created TEXT NOT NULL
) STRICT;
CREATE TABLE runs (
    run TEXT PRIMARY KEY, name TEXT NOT NULL, status TEXT NOT NULL, model TEXT NOT NULL, data TEXT NOT NULL,
    recipe TEXT NOT NULL, global_step INTEGER NOT NULL, total_steps INTEGER NOT NULL, loss REAL,
    started TEXT NOT NULL, seconds REAL NOT NULL, message TEXT, result TEXT,
    owner TEXT NOT NULL, updated_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE adapters (
    name TEXT PRIMARY KEY, info TEXT NOT NULL
) STRICT;
CREATE TABLE models (
    name TEXT PRIMARY KEY, source TEXT NOT NULL
) STRICT;
CREATE TABLE evaluations (
    name TEXT PRIMARY KEY, report TEXT NOT NULL, created TEXT NOT NULL
) STRICT;
CREATE TABLE scores (
    evaluation TEXT NOT NULL, position INTEGER NOT NULL, row TEXT NOT NULL,
    PRIMARY KEY (evaluation, position)
) STRICT;
CREATE TABLE predictions (
    id TEXT PRIMARY KEY, record TEXT NOT NULL, created TEXT NOT NULL
) STRICT;
";

/// Refuse a file that is not a store, or is one from a newer engine. Changes nothing.
pub(super) fn check_version(connection: &Connection, path: &Path) -> Result<(), Error> {
    let fail = |source| Error::Store { path: path.to_path_buf(), source };
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let n_tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(fail)?;
    if n_tables == 0 {
        return Ok(());
    }
    if pragma("application_id").map_err(fail)? != APPLICATION_ID {
        return Err(Error::NotAStore { path: path.to_path_buf() });
    }
    match pragma("user_version").map_err(fail)? {
        found if found > VERSION => Err(Error::StoreTooNew { path: path.to_path_buf(), found, supported: VERSION }),
        _ => Ok(()),
    }
}

/// Make the tables of an empty file. Two engines may try at once; one of them finds them made.
pub(super) fn create(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let fail = |source| Error::Store { path: path.to_path_buf(), source };
    let version = |connection: &Connection| connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    if version(connection).map_err(fail)? == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fail)?;
    if version(&transaction).map_err(fail)? == 0 {
        transaction.execute_batch(TABLES).map_err(fail)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(fail)?;
    }
    if version(&transaction).map_err(fail)? < 2 {
        transaction.execute_batch(super::reviews::TABLE).map_err(fail)?;
    }
    transaction.pragma_update(None, "user_version", VERSION).map_err(fail)?;
    transaction.commit().map_err(fail)
}
