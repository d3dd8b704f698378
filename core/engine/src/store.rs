//! A project's metadata: one SQLite file, small rows, atomic updates.
//!
//! Rows hold the protocol's own types as JSON beside the columns that are searched, so that what a
//! client is shown is what was stored. Must not know: models, plugins, sockets.

mod adapters;
mod datasets;
mod journal;
mod reviews;
mod runs;
mod schema;
mod scores;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use adapters::AdapterRecord;
pub use datasets::DatasetRecord;
pub use reviews::ReviewRecord;
pub use runs::{Owner, RunRecord, RunStatus};
pub use scores::PredictionRecord;

use crate::Error;

/// The file's name inside `.luthier/`.
pub const FILE_NAME: &str = "store.sqlite";

/// No field of the store is longer; a file that claims otherwise is refused by SQLite itself.
const MAX_FIELD_BYTES: i32 = 64 << 20;

/// How long one writer waits for another (two engines on one shared project).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// An open store. Cheap to open; each request opens its own.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
}

impl Store {
    /// Open or create the store in `dir` (a project's `.luthier/`).
    pub fn open(dir: &Path) -> Result<Store, Error> {
        Store::open_on(dir, crate::os::file_system(dir))
    }

    /// [`Store::open`] on a file system of a given kind.
    pub(crate) fn open_on(dir: &Path, file_system: crate::os::FileSystem) -> Result<Store, Error> {
        let path = dir.join(FILE_NAME);
        let fail = |source| Error::Store { path: path.clone(), source };
        let mut connection = connect(&path).map_err(fail)?;
        // Before the journal: a file that is not ours must not be changed at all.
        schema::check_version(&connection, &path)?;
        journal::prepare(&connection, &path, file_system).map_err(fail)?;
        schema::create(&mut connection, &path)?;
        Ok(Store { path, connection })
    }

    /// How changes are journalled: `wal` or `delete`.
    pub fn journal_mode(&self) -> Result<String, Error> {
        self.run(|connection| connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)))
    }

    fn run<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        work(&self.connection).map_err(|source| Error::Store { path: self.path.clone(), source })
    }

    /// All changes of `work`, or none.
    fn transact<T>(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let path = &self.path;
        let fail = |source| Error::Store { path: path.clone(), source };
        let transaction =
            self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fail)?;
        let value = work(&transaction).map_err(fail)?;
        transaction.commit().map_err(fail)?;
        Ok(value)
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_limit(rusqlite::limits::Limit::SQLITE_LIMIT_LENGTH, MAX_FIELD_BYTES)?;
    // A schema from a hostile file must not reach functions with side effects.
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

fn to_json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn from_json<T: DeserializeOwned>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into()))
}

#[cfg(test)]
mod tests;
