//! `execution-accuracy`: 1 if the predicted query gives the rows that the reference query gives on the
//! same database, else 0.
//!
//! * Rows are compared as a multiset (duplicates count), in order if the reference has a top-level
//!   `ORDER BY`. Column names do not matter, their number and order do.
//! * Values compare by type ([`compare`]): NULL equals NULL, text and blobs byte by byte, numbers
//!   within a relative 1e-9, text never equals a number.
//! * A prediction that is empty, fails, writes, or runs out of budget scores 0.
//! * A reference that fails or runs out of budget gives the row no score at all: nothing can be
//!   said about the prediction, so the row counts against coverage, never as correct.
//!
//! The budget of each query: 10 million steps of SQLite's virtual machine (`vm_steps` in the
//! configuration), 100,000 rows, 16 MiB. Steps are the same on every machine.

pub mod compare;
pub mod order;

use std::collections::BTreeMap;

use luthier_plugin::json::{Value, json};
use luthier_plugin::{
    Batch, Budget, Context, Databases, Error, Metric, MetricDescriptor, RowScore, Rows, SqlDatabase, SqlError,
    export_metric, score_batch,
};

/// Steps of each query, unless configured.
const DEFAULT_VM_STEPS: u64 = 10_000_000;
/// Rows of each result.
const MAX_ROWS: u32 = 100_000;
/// Bytes of each result.
const MAX_BYTES: u32 = 16 << 20;

/// The opened metric.
pub struct ExecutionAccuracy {
    databases: Box<dyn Databases>,
    opened: BTreeMap<String, Result<Box<dyn SqlDatabase>, SqlError>>,
    budget: Budget,
}

impl Metric for ExecutionAccuracy {
    fn describe() -> MetricDescriptor {
        MetricDescriptor {
            config_schema: json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "vm_steps": {
                        "type": "integer", "minimum": 1, "default": DEFAULT_VM_STEPS,
                        "description": "steps of SQLite's virtual machine that each query may take",
                    },
                },
            }),
            ..MetricDescriptor::proportion(
                "execution-accuracy",
                "0.1.0",
                "share of predicted queries that give the reference's rows",
                &["prediction", "reference", "database"],
            )
        }
    }

    fn open(config: Value, _context: Context, databases: Box<dyn Databases>) -> Result<Self, Error> {
        let budget = Budget { vm_steps: vm_steps(&config)?, max_rows: MAX_ROWS, max_bytes: MAX_BYTES };
        Ok(Self { databases, opened: BTreeMap::new(), budget })
    }

    fn score(&mut self, rows: &Batch) -> Result<Batch, Error> {
        let (predictions, references) = (rows.utf8("prediction")?, rows.utf8("reference")?);
        let databases = rows.utf8("database")?;
        let scores: Vec<_> = (0..rows.rows)
            .map(|row| self.score_row(predictions.text(row), references.text(row), databases.text(row)))
            .collect();
        Ok(score_batch("score", &scores))
    }
}

export_metric!(ExecutionAccuracy, sql);

impl ExecutionAccuracy {
    fn score_row(&mut self, prediction: &str, reference: &str, database: &str) -> RowScore {
        let budget = self.budget;
        let opened = self.opened.entry(database.to_owned()).or_insert_with(|| self.databases.open(database));
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => return RowScore::Error(format!("database: {error}")),
        };
        let expected = match opened.query(reference, budget) {
            Ok(rows) => rows,
            Err(error) => return RowScore::Error(reference_error(&error)),
        };
        if prediction.trim().is_empty() {
            return RowScore::Score(0.0);
        }
        let correct = opened
            .query(prediction, budget)
            .is_ok_and(|found| same_result(&found, &expected, order::has_top_level_order_by(reference)));
        RowScore::Score(f64::from(correct))
    }
}

fn same_result(found: &Rows, expected: &Rows, ordered: bool) -> bool {
    if ordered { compare::same_sequence(found, expected) } else { compare::same_multiset(found, expected) }
}

fn reference_error(error: &SqlError) -> String {
    match error {
        SqlError::Budget(_) | SqlError::TooLarge(_) => format!("gold-budget: {error}"),
        _ => format!("gold-error: {error}"),
    }
}

fn vm_steps(config: &Value) -> Result<u64, Error> {
    let object = match config {
        Value::Null => return Ok(DEFAULT_VM_STEPS),
        Value::Object(object) => object,
        other => return Err(Error::config("", format!("expected a table of options, found `{other}`"))),
    };
    if let Some(key) = object.keys().find(|key| *key != "vm_steps") {
        return Err(Error::config(format!("/{key}"), "unknown option; there is vm_steps"));
    }
    match object.get("vm_steps") {
        None => Ok(DEFAULT_VM_STEPS),
        Some(value) => value
            .as_u64()
            .filter(|steps| *steps > 0)
            .ok_or_else(|| Error::config("/vm_steps", format!("expected a positive integer, found `{value}`"))),
    }
}

#[cfg(test)]
mod tests;
