//! Which journal a store uses. WAL lets `runs` be read while a run writes; it needs memory shared
//! between all readers, which a network file system cannot give. So: never there, and elsewhere
//! only if a probe with two connections shows that it works.

use std::path::Path;

use rusqlite::Connection;

use crate::os::FileSystem;

/// Switch the store at `path` to the best journal its place allows.
pub(super) fn prepare(connection: &Connection, path: &Path, file_system: FileSystem) -> rusqlite::Result<()> {
    let current: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let wanted = choose(file_system, || current == "wal" || wal_works(path));
    if wanted != current {
        set(connection, wanted)?;
    }
    // With WAL, NORMAL cannot corrupt, but may lose the last commits on a power cut; a finished
    // run must not vanish.
    connection.pragma_update(None, "synchronous", "FULL")
}

/// The rule, without doing anything.
fn choose(file_system: FileSystem, wal_works: impl FnOnce() -> bool) -> &'static str {
    match file_system {
        FileSystem::Network(_) => "delete",
        FileSystem::Local if wal_works() => "wal",
        FileSystem::Local => "delete",
    }
}

/// Whether a second connection sees what a first one wrote through a WAL beside `path`.
fn wal_works(path: &Path) -> bool {
    let Some(dir) = path.parent() else { return false };
    // A file of its own: what is probed must not be at risk.
    let Ok(dir) = tempfile::Builder::new().prefix(".wal-probe").tempdir_in(dir) else { return false };
    let probe = || -> rusqlite::Result<bool> {
        let file = dir.path().join("probe.sqlite");
        let writer = Connection::open(&file)?;
        if set(&writer, "wal")? != "wal" {
            return Ok(false);
        }
        writer.execute_batch("CREATE TABLE probe (x); INSERT INTO probe VALUES (42)")?;
        let reader = Connection::open(&file)?;
        let seen: i64 = reader.query_row("SELECT x FROM probe", [], |row| row.get(0))?;
        Ok(seen == 42)
    };
    probe().unwrap_or(false)
}

/// Ask for a journal mode; SQLite answers with the mode it is really in.
fn set(connection: &Connection, mode: &str) -> rusqlite::Result<String> {
    connection.query_row(&format!("PRAGMA journal_mode = {mode}"), [], |row| row.get(0))
}

#[cfg(test)]
mod tests;
