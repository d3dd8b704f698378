//! What people said about rows. Rows of this table are added and never changed; the database itself
//! refuses anything else.

use luthier_protocol::response::ReviewEdit;
use rusqlite::params;

use super::{Store, from_json, to_json};
use crate::Error;

/// Made by version 2 of the store.
pub(super) const TABLE: &str = "
CREATE TABLE reviews (
    id INTEGER PRIMARY KEY AUTOINCREMENT, dataset TEXT NOT NULL, source TEXT NOT NULL, key TEXT NOT NULL,
    edit TEXT NOT NULL
) STRICT;
CREATE INDEX reviews_of ON reviews (dataset, id);
CREATE TRIGGER reviews_stay BEFORE UPDATE ON reviews BEGIN SELECT RAISE(ABORT, 'reviews are never changed'); END;
CREATE TRIGGER reviews_last BEFORE DELETE ON reviews BEGIN SELECT RAISE(ABORT, 'reviews are never removed'); END;
";

/// One edit and the row that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewRecord {
    /// Name of the dataset.
    pub dataset: String,
    /// Fingerprint of the version that the person looked at.
    pub source: String,
    /// The row's key (`luthier_data::review::row_keys`).
    pub key: String,
    /// What was said, by whom and when.
    pub edit: ReviewEdit,
}

impl Store {
    /// Add edits, all or none.
    pub fn add_reviews(&mut self, records: &[ReviewRecord]) -> Result<(), Error> {
        self.transact(|connection| {
            let mut statement =
                connection.prepare("INSERT INTO reviews (dataset, source, key, edit) VALUES (?1, ?2, ?3, ?4)")?;
            for record in records {
                statement.execute(params![record.dataset, record.source, record.key, to_json(&record.edit)?])?;
            }
            Ok(())
        })
    }

    /// Every edit of a dataset's rows, in the order they were made.
    pub fn reviews(&self, dataset: &str) -> Result<Vec<ReviewRecord>, Error> {
        self.run(|connection| {
            let mut statement =
                connection.prepare("SELECT dataset, source, key, edit FROM reviews WHERE dataset = ?1 ORDER BY id")?;
            let read = |row: &rusqlite::Row<'_>| {
                Ok(ReviewRecord {
                    dataset: row.get(0)?,
                    source: row.get(1)?,
                    key: row.get(2)?,
                    edit: from_json(row, 3)?,
                })
            };
            statement.query_map([dataset], read)?.collect()
        })
    }
}
