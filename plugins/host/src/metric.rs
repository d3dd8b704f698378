//! A metric plugin as the evaluation sees it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, RecordBatch};
use luthier_eval::{Aggregation, Metric, MetricDescriptor, RowScore};
use serde_json::Value;
use wasmtime::component::ResourceAny;

use crate::bindings::data::LogicalType;
use crate::bindings::metric::MetricPluginSql;
use crate::bindings::metric::exports::luthier::plugin::metric as wit;
use crate::call::Guest;
use crate::columns::{Check, Expected, parse_json, to_guest};
use crate::limits::NO_ROWS;
use crate::plugin::{Context, Description, Plugin, World, identity, refused};
use crate::row_metric::RowSession;
use crate::{Error, text};

/// Rows of one call: enough to make calls cheap, few enough to stop an endless loop soon.
const ROWS_PER_CALL: usize = 64;
/// A scored row has the fuel of so many others: it may compare two results of 100,000 rows each (about 1 G fuel), and
/// whether it fits must not depend on the rows that come with it.
const FUEL_ROWS_PER_SCORE: usize = 20;
/// The column in which a row without a score says why.
const ERROR_COLUMN: &str = "error";

/// An opened metric.
pub struct MetricPlugin {
    guest: Guest,
    descriptor: MetricDescriptor,
    session: Session,
}

enum Session {
    Batch { instance: MetricPluginSql, session: ResourceAny, output: String },
    Row(RowSession),
}

impl MetricPlugin {
    pub(crate) fn open(
        plugin: &Plugin,
        config: &Value,
        context: Context,
        databases: &BTreeMap<String, PathBuf>,
    ) -> Result<Self, Error> {
        let Description::Metric { descriptor, output, .. } = &plugin.inner.description else {
            return Err(plugin.wrong_kind("metric"));
        };
        let mut guest = plugin.guest(&context, databases);
        let config = config.to_string();
        let session = match &plugin.inner.world {
            World::Metric(pre) => {
                let context = context.to_guest(guest.limits());
                let (instance, session) = guest.call("open", NO_ROWS, |store| {
                    let instance = pre.instantiate(&mut *store)?;
                    let session = instance.luthier_plugin_metric().session().call_open(store, &config, &context)?;
                    Ok((instance, session))
                })?;
                let session = session.map_err(|error| refused(&guest, "open", error))?;
                Session::Batch { instance, session, output: output.clone() }
            }
            World::RowMetric(pre) => Session::Row(RowSession::open(&mut guest, pre, config)?),
            World::Template(_) => return Err(plugin.wrong_kind("metric")),
        };
        Ok(Self { guest, descriptor: descriptor.clone(), session })
    }

    /// Fuel of all calls so far: the same for the same calls on any machine.
    pub fn fuel_used(&self) -> u64 {
        self.guest.fuel_used()
    }

    /// Log lines since the last time, oldest first.
    pub fn take_log(&mut self) -> Vec<String> {
        self.guest.take_log()
    }

    /// One outcome per row of `rows`, which has the descriptor's inputs among its columns.
    pub fn score_rows(&mut self, rows: &RecordBatch) -> Result<Vec<RowScore>, Error> {
        let rows = self.inputs(rows)?;
        let mut scores = Vec::with_capacity(rows.num_rows());
        let mut start = 0;
        while start < rows.num_rows() {
            let n_rows = ROWS_PER_CALL.min(rows.num_rows() - start);
            scores.extend(self.score_call(&rows.slice(start, n_rows))?);
            start += n_rows;
        }
        Ok(scores)
    }

    /// Only what the metric declared is sent to it.
    fn inputs(&self, rows: &RecordBatch) -> Result<RecordBatch, Error> {
        let schema = rows.schema();
        let positions = self
            .descriptor
            .inputs
            .iter()
            .map(|input| {
                schema.index_of(input).map_err(|_| Error::MissingColumn {
                    plugin: self.descriptor.id.clone(),
                    column: input.clone(),
                    columns: schema.fields().iter().map(|field| field.name().clone()).collect(),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        rows.project(&positions).map_err(|error| Error::Runtime { detail: error.to_string() })
    }

    fn score_call(&mut self, rows: &RecordBatch) -> Result<Vec<RowScore>, Error> {
        let scores = match &self.session {
            Session::Row(session) => session.score(&mut self.guest, rows)?,
            Session::Batch { instance, session, output } => {
                let n_rows = rows.num_rows();
                let batch = to_guest(rows)?;
                let found = self
                    .guest
                    .call("score", n_rows * FUEL_ROWS_PER_SCORE, |store| {
                        instance.luthier_plugin_metric().session().call_score(store, *session, &batch)
                    })?
                    .map_err(|error| refused(&self.guest, "score", error))?;
                let expected = [
                    Expected::new(output, LogicalType::Float64).nullable(),
                    Expected::new(ERROR_COLUMN, LogicalType::Utf8).nullable().optional(),
                ];
                let check = Check { plugin: self.guest.plugin(), call: "score", limits: self.guest.limits() };
                row_scores(&check, &check.batch(found, Some(n_rows), &expected)?, output)?
            }
        };
        let check = Check { plugin: self.guest.plugin(), call: "score", limits: self.guest.limits() };
        check_bounds(&check, &scores, self.descriptor.bounds)?;
        Ok(scores)
    }
}

impl Metric for MetricPlugin {
    fn descriptor(&self) -> &MetricDescriptor {
        &self.descriptor
    }

    fn score(&mut self, rows: &RecordBatch) -> Result<Vec<RowScore>, luthier_eval::Error> {
        self.score_rows(rows).map_err(|error| luthier_eval::Error::Metric {
            metric: self.descriptor.id.clone(),
            source: Box::new(error),
        })
    }
}

fn row_scores(check: &Check<'_>, batch: &RecordBatch, output: &str) -> Result<Vec<RowScore>, Error> {
    let missing = || check.error(format!("the column `{output}`"), "a batch without it");
    let values = batch.column_by_name(output).ok_or_else(missing)?.as_primitive::<Float64Type>();
    let errors = batch.column_by_name(ERROR_COLUMN).map(|column| column.as_string::<i32>());
    (0..batch.num_rows())
        .map(|row| {
            let error = errors.filter(|errors| errors.is_valid(row)).map(|errors| errors.value(row));
            match (values.is_valid(row), error) {
                (true, None) => Ok(RowScore::Score(values.value(row))),
                (false, Some(error)) => Ok(RowScore::Error(error_code(error))),
                (true, Some(_)) => Err(check.error("a score or an error", format!("both at row {row}"))),
                (false, None) => Err(check.error("a score or an error", format!("neither at row {row}"))),
            }
        })
        .collect()
}

/// Details after the code would make every row its own reason.
pub(crate) fn error_code(error: &str) -> String {
    let code = error.split(':').next().unwrap_or_default().trim();
    if code.is_empty() { "error".to_owned() } else { text::clean(code, 64) }
}

fn check_bounds(check: &Check<'_>, scores: &[RowScore], bounds: (Option<f64>, Option<f64>)) -> Result<(), Error> {
    for (row, score) in scores.iter().enumerate() {
        let RowScore::Score(score) = score else { continue };
        let (lower, upper) = (bounds.0.unwrap_or(f64::NEG_INFINITY), bounds.1.unwrap_or(f64::INFINITY));
        if !score.is_finite() {
            return Err(check.error("finite scores", format!("{score} at row {row}")));
        }
        if *score < lower || *score > upper {
            return Err(check.error(format!("scores from {lower} to {upper}"), format!("{score} at row {row}")));
        }
    }
    Ok(())
}

pub(crate) fn check_descriptor(guest: &Guest, found: wit::Descriptor, digest: &str) -> Result<Description, Error> {
    let check = Check { plugin: guest.plugin(), call: "describe", limits: guest.limits() };
    let [id, version, summary] = identity(guest, &found.id, &found.version, &found.summary)?;
    let config_schema = parse_json(&found.config_schema, guest.limits())
        .map_err(|finding| check.error("JSON as config-schema", finding))?;
    let unsupported = |feature: &str| Error::Unsupported { plugin: id.clone(), feature: feature.to_owned() };
    if found.inputs.len() > guest.limits().list_items {
        return Err(
            check.error(format!("at most {} inputs", guest.limits().list_items), found.inputs.len().to_string())
        );
    }
    if !found.row_independent {
        return Err(unsupported("a metric whose rows depend on each other"));
    }
    if found.group_by.is_some() {
        return Err(unsupported("a metric that groups rows"));
    }
    let inputs = found
        .inputs
        .iter()
        .map(|input| match input.ty {
            LogicalType::Utf8 if text::is_name(&input.name) => Ok(input.name.clone()),
            LogicalType::Utf8 => Err(check.error("plain input names", format!("`{}`", text::clean(&input.name, 64)))),
            _ => Err(unsupported("an input that is not utf8")),
        })
        .collect::<Result<_, _>>()?;
    let [output] = found.outputs.as_slice() else {
        return Err(unsupported(&format!("a metric with {} outputs", found.outputs.len())));
    };
    if !text::is_name(&output.name) || output.name == ERROR_COLUMN {
        return Err(check.error("a plain output name", format!("`{}`", text::clean(&output.name, 64))));
    }
    let aggregation = match output.aggregate {
        wit::Aggregation::Mean => Aggregation::Mean,
        wit::Aggregation::Proportion => Aggregation::Proportion,
        _ => return Err(unsupported("an aggregation other than mean and proportion")),
    };
    let higher_is_better = match output.direction {
        wit::Direction::HigherIsBetter => true,
        wit::Direction::LowerIsBetter => false,
        wit::Direction::Neutral => return Err(unsupported("a metric without a better direction")),
    };
    let bounds = bounds(&check, output.lower, output.upper, aggregation)?;
    let descriptor = MetricDescriptor {
        id,
        version,
        summary,
        inputs,
        higher_is_better,
        aggregation,
        bounds,
        digest: digest.to_owned(),
    };
    Ok(Description::Metric { descriptor, config_schema, output: output.name.clone() })
}

pub(crate) fn bounds(
    check: &Check<'_>,
    lower: Option<f64>,
    upper: Option<f64>,
    aggregation: Aggregation,
) -> Result<(Option<f64>, Option<f64>), Error> {
    let finite = [lower, upper].into_iter().flatten().all(f64::is_finite);
    let ordered = lower.zip(upper).is_none_or(|(lower, upper)| lower <= upper);
    if !finite || !ordered {
        return Err(check.error("finite bounds in order", format!("{lower:?} and {upper:?}")));
    }
    // Wilson's interval holds for zeros and ones.
    if aggregation == Aggregation::Proportion && (lower, upper) != (Some(0.0), Some(1.0)) {
        return Err(check.error("the bounds 0 and 1 of a proportion", format!("{lower:?} and {upper:?}")));
    }
    Ok((lower, upper))
}
