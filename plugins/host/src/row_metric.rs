//! The smallest world: one call per row, two texts in, a number out.

use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use luthier_eval::Aggregation;
use serde_json::Value;

use crate::bindings::data;
use crate::bindings::data::LogicalType;
use crate::bindings::row_metric::{RowMetric, RowMetricPre};
use crate::call::Guest;
use crate::columns::{Check, Expected, parse_json};
use crate::limits::NO_ROWS;
use crate::metric::{FoundOutput, MetricShape, bounds, error_code, fill};
use crate::plugin::{Description, identity, refused};
use crate::state::State;
use crate::{Error, text};

/// Of each text of a row that an error shows.
const EXCERPT_BYTES: usize = 60;

/// An instance and its configuration.
pub(crate) struct RowSession {
    instance: RowMetric,
    config: String,
}

impl RowSession {
    /// A row metric has no `open`; an empty row shows whether it takes the configuration.
    pub(crate) fn open(guest: &mut Guest, pre: &RowMetricPre<State>, config: String) -> Result<Self, Error> {
        let (instance, probe) = guest.call("open", NO_ROWS, |store| {
            let instance = pre.instantiate(&mut *store)?;
            let probe = instance.call_score_row(store, "", "", &config)?;
            Ok((instance, probe))
        })?;
        match probe {
            Err(error @ data::Error::InvalidConfig(_)) => Err(refused(guest, "open", error)),
            _ => Ok(Self { instance, config }),
        }
    }

    pub(crate) fn score(&self, guest: &mut Guest, rows: &RecordBatch) -> Result<Vec<Result<Vec<f64>, String>>, Error> {
        let texts = |position: usize| -> Vec<String> {
            let column = rows.columns().get(position).and_then(|column| column.as_string_opt::<i32>());
            column
                .map(|column| column.iter().map(|text| text.unwrap_or_default().to_owned()).collect())
                .unwrap_or_default()
        };
        // In the order of `inputs` below.
        let (predictions, references) = (texts(0), texts(1));
        if predictions.len() != rows.num_rows() || references.len() != rows.num_rows() {
            return Err(Error::ColumnType {
                column: "prediction, reference".to_owned(),
                expected: "text".to_owned(),
                found: rows.schema().to_string(),
            });
        }
        let at = AtomicUsize::new(0);
        let outcomes = guest.call("score-row", rows.num_rows(), |store| {
            predictions
                .iter()
                .zip(&references)
                .enumerate()
                .map(|(row, (prediction, reference))| {
                    at.store(row, Ordering::Relaxed);
                    self.instance.call_score_row(&mut *store, prediction, reference, &self.config)
                })
                .collect::<wasmtime::Result<Vec<_>>>()
        });
        let outcomes = outcomes.map_err(|error| {
            let row = at.load(Ordering::Relaxed);
            with_row(error, row, predictions.get(row), references.get(row))
        })?;
        outcomes
            .into_iter()
            .map(|outcome| match outcome {
                Ok(score) => Ok(Ok(vec![score])),
                Err(error @ data::Error::InvalidConfig(_)) => Err(refused(guest, "score-row", error)),
                Err(
                    data::Error::SchemaMismatch(message)
                    | data::Error::Unsupported(message)
                    | data::Error::Internal(message),
                ) => Ok(Err(error_code(&message))),
                Err(data::Error::InvalidRows(rows)) => {
                    Ok(Err(rows.first().map_or_else(|| "invalid-row".to_owned(), |row| error_code(&row.code))))
                }
            })
            .collect()
    }
}

/// A trap, with the row that it happened at.
fn with_row(error: Error, at: usize, prediction: Option<&String>, reference: Option<&String>) -> Error {
    let excerpt = |text: Option<&String>| text::clean(text.map_or("", String::as_str), EXCERPT_BYTES);
    match error {
        Error::Trap { plugin, call, detail, mut site, log } => {
            let (prediction, reference) = (excerpt(prediction), excerpt(reference));
            site.row = Some(format!("row {at}, prediction {prediction:?}, reference {reference:?}"));
            Error::Trap { plugin, call, detail, site, log }
        }
        error => error,
    }
}

pub(crate) fn check_descriptor(guest: &Guest, found: &str, digest: &str) -> Result<Description, Error> {
    let check = Check { plugin: guest.plugin(), call: "describe", limits: guest.limits() };
    let found = parse_json(found, guest.limits()).map_err(|finding| check.error("JSON", finding))?;
    let field = |name: &str| {
        found
            .get(name)
            .and_then(Value::as_str)
            .ok_or_else(|| check.error(format!("the text `{name}`"), "an object without it"))
    };
    let [id, version, summary] = identity(guest, field("id")?, field("version")?, field("summary")?)?;
    let higher_is_better = match field("direction")? {
        "higher" => true,
        "lower" => false,
        _ => return Err(check.error("the direction `higher` or `lower`", "another")),
    };
    let aggregation = match found.get("aggregate").and_then(Value::as_str) {
        None | Some("mean") => Aggregation::Mean,
        Some("proportion") => Aggregation::Proportion,
        Some(_) => return Err(check.error("the aggregate `mean` or `proportion`", "another")),
    };
    let bound = |name: &str| found.get(name).and_then(Value::as_f64);
    let bounds = bounds(&check, bound("lower"), bound("upper"), aggregation)?;
    let config_schema = found.get("config-schema").cloned().unwrap_or_else(|| Value::Object(Default::default()));
    let mut shape = MetricShape {
        id,
        version,
        summary,
        config_schema,
        inputs: ["prediction", "reference"].map(|name| Expected::new(name, LogicalType::Utf8)).to_vec(),
        columns: Vec::new(),
        outputs: Vec::new(),
        descriptors: Vec::new(),
    };
    let (name, columns) = ("score".to_owned(), vec!["score".to_owned()]);
    let output = FoundOutput { name, higher_is_better, bounds, aggregation, columns };
    fill(&check, &mut shape, vec![output], None, digest)?;
    Ok(Description::Metric(Box::new(shape)))
}
