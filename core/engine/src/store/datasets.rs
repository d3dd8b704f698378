//! Datasets of a project.

use luthier_protocol::response::DatasetInfo;
use rusqlite::{OptionalExtension, params};

use super::{Store, from_json, to_json};
use crate::Error;

/// A dataset and where its rows lie.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetRecord {
    /// What clients are shown.
    pub info: DatasetInfo,
    /// Directory of the rows, relative to `.luthier/`.
    pub dir: String,
    /// Hash of the file and spec it was made from: unchanged sources are not imported again.
    pub source_digest: String,
    /// The spec, as JSON.
    pub spec: String,
}

impl Store {
    /// Add or replace.
    pub fn put_dataset(&self, record: &DatasetRecord, created: &str) -> Result<(), Error> {
        self.run(|connection| {
            connection.execute(
                "INSERT OR REPLACE INTO datasets (name, fingerprint, dir, source_digest, spec, info, created)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    record.info.name,
                    record.info.fingerprint,
                    record.dir,
                    record.source_digest,
                    record.spec,
                    to_json(&record.info)?,
                    created
                ],
            )
        })?;
        Ok(())
    }

    /// One, by name.
    pub fn dataset(&self, name: &str) -> Result<Option<DatasetRecord>, Error> {
        self.run(|connection| {
            connection
                .query_row("SELECT info, dir, source_digest, spec FROM datasets WHERE name = ?1", [name], read)
                .optional()
        })
    }

    /// All, by name.
    pub fn datasets(&self) -> Result<Vec<DatasetRecord>, Error> {
        self.run(|connection| {
            let mut statement =
                connection.prepare("SELECT info, dir, source_digest, spec FROM datasets ORDER BY name")?;
            statement.query_map([], read)?.collect()
        })
    }
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<DatasetRecord> {
    Ok(DatasetRecord { info: from_json(row, 0)?, dir: row.get(1)?, source_digest: row.get(2)?, spec: row.get(3)? })
}
