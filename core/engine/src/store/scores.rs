//! Evaluations, their scores, and predictions that a client scores itself.

use luthier_protocol::response::{Evaluation, ScoreRow, Signature};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{Store, from_json, to_json};
use crate::Error;

/// Predictions handed to a client: enough to turn its scores into a signed row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictionRecord {
    /// Id that the client returns with its scores.
    pub id: String,
    /// Name of the evaluation.
    pub evaluation: String,
    /// Dataset.
    pub data: String,
    /// Split predicted.
    pub split: String,
    /// Signature by arm label.
    pub signatures: Vec<(String, Signature)>,
    /// Level of the intervals.
    pub confidence: f64,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// The Parquet file of the predictions themselves.
    pub table: String,
}

impl Store {
    /// Add or replace an evaluation with all its scores.
    pub fn put_evaluation(&mut self, evaluation: &Evaluation, created: &str) -> Result<(), Error> {
        self.transact(|connection| {
            connection.execute(
                "INSERT OR REPLACE INTO evaluations (name, report, created) VALUES (?1, ?2, ?3)",
                params![evaluation.name, to_json(evaluation)?, created],
            )?;
            connection.execute("DELETE FROM scores WHERE evaluation = ?1", [&evaluation.name])?;
            insert_scores(connection, &evaluation.name, &evaluation.rows)
        })
    }

    /// Whether an evaluation of that name is stored.
    pub fn has_evaluation(&self, name: &str) -> Result<bool, Error> {
        self.run(|connection| {
            let found =
                connection.query_row("SELECT 1 FROM evaluations WHERE name = ?1", [name], |_| Ok(())).optional()?;
            Ok(found.is_some())
        })
    }

    /// All scores, in the order they were made.
    pub fn scores(&self) -> Result<Vec<ScoreRow>, Error> {
        self.run(|connection| {
            connection
                .prepare(
                    "SELECT row FROM scores JOIN evaluations ON name = evaluation
                     ORDER BY created, evaluation, position",
                )?
                .query_map([], |row| from_json(row, 0))?
                .collect()
        })
    }

    /// Keep predictions until a client returns their scores.
    pub fn put_predictions(&self, record: &PredictionRecord, created: &str) -> Result<(), Error> {
        self.run(|connection| {
            connection.execute(
                "INSERT OR REPLACE INTO predictions (id, record, created) VALUES (?1, ?2, ?3)",
                params![record.id, to_json(record)?, created],
            )
        })?;
        Ok(())
    }

    /// Predictions by id.
    pub fn predictions(&self, id: &str) -> Result<Option<PredictionRecord>, Error> {
        self.run(|connection| {
            connection
                .query_row("SELECT record FROM predictions WHERE id = ?1", [id], |row| from_json(row, 0))
                .optional()
        })
    }
}

fn insert_scores(connection: &Connection, evaluation: &str, rows: &[ScoreRow]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("INSERT INTO scores (evaluation, position, row) VALUES (?1, ?2, ?3)")?;
    for (position, row) in rows.iter().enumerate() {
        statement.execute(params![evaluation, position as i64, to_json(row)?])?;
    }
    Ok(())
}
