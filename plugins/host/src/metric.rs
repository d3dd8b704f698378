//! A metric plugin as the evaluation sees it.

mod descriptor;

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, Float64Array, RecordBatch};
use luthier_eval::{Metric, MetricDescriptor, RowScore};
use serde_json::Value;
use wasmtime::component::ResourceAny;

use crate::bindings::data::LogicalType;
use crate::bindings::metric::MetricPluginAny;
use crate::call::{Guest, Receipt};
use crate::columns::{Check, Expected, to_guest};
use crate::limits::NO_ROWS;
use crate::plugin::{Context, Description, Plugin, World, refused};
use crate::row_metric::RowSession;
use crate::{Error, text};

pub(crate) use descriptor::{FoundOutput, MetricShape, bounds, check_descriptor, fill};

/// Rows of one call: enough to make calls cheap, few enough to stop an endless loop soon.
const ROWS_PER_CALL: usize = 64;
/// A scored row has the fuel of so many others: it may compare two results of 100,000 rows each (about 1 G fuel), and
/// whether it fits must not depend on the rows that come with it.
const FUEL_ROWS_PER_SCORE: usize = 20;
/// Vectors of sums of one call of `reduce`; 64 sums each are half a MiB.
const VECTORS_PER_REDUCE: usize = 1_024;
/// The column in which a row without a score says why.
pub(crate) const ERROR_COLUMN: &str = "error";

/// An opened metric.
pub struct MetricPlugin {
    guest: Guest,
    shape: MetricShape,
    /// As the evaluation sees them; a label of the user's may have replaced the id.
    descriptors: Vec<MetricDescriptor>,
    session: Session,
}

enum Session {
    Batch { instance: MetricPluginAny, session: ResourceAny },
    Row(RowSession),
}

impl MetricPlugin {
    pub(crate) fn open(
        plugin: &Plugin,
        config: &Value,
        context: Context,
        databases: &BTreeMap<String, PathBuf>,
    ) -> Result<Self, Error> {
        let Description::Metric(shape) = &plugin.inner.description else {
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
                Session::Batch { instance, session }
            }
            World::RowMetric(pre) => Session::Row(RowSession::open(&mut guest, pre, config)?),
            World::Template(_) => return Err(plugin.wrong_kind("metric")),
        };
        Ok(Self { guest, shape: (**shape).clone(), descriptors: shape.descriptors.clone(), session })
    }

    /// Shows its outputs under another label than its id.
    pub fn rename(&mut self, label: &str) {
        let several = self.descriptors.len() > 1;
        for (descriptor, (output, _)) in self.descriptors.iter_mut().zip(&self.shape.outputs) {
            descriptor.id = if several { format!("{label}.{output}") } else { label.to_owned() };
        }
    }

    /// Fuel of all calls so far: the same for the same calls on any machine.
    pub fn fuel_used(&self) -> u64 {
        self.guest.receipt().fuel
    }

    /// What all calls so far took.
    pub fn receipt(&self) -> Receipt {
        self.guest.receipt()
    }

    /// Log lines since the last time, oldest first.
    pub fn take_log(&mut self) -> Vec<String> {
        self.guest.take_log()
    }

    /// Columns that `score` returns, outputs and statistics alike.
    pub fn columns(&self) -> &[String] {
        &self.shape.columns
    }

    /// Names of the outputs, in order.
    pub fn output_names(&self) -> impl Iterator<Item = &str> {
        self.shape.outputs.iter().map(|(name, _)| name.as_str())
    }

    pub(crate) fn aggregation(&self, output: usize) -> Option<luthier_eval::Aggregation> {
        self.descriptors.get(output).map(|descriptor| descriptor.aggregation)
    }

    /// Columns that it reads.
    pub fn input_names(&self) -> impl Iterator<Item = &str> {
        self.shape.inputs.iter().map(|input| input.name.as_str())
    }

    pub(crate) fn inputs_expected(&self) -> &[Expected] {
        &self.shape.inputs
    }

    /// Rows that belong together must come in one call.
    pub fn is_grouped(&self) -> bool {
        self.descriptors.iter().any(|descriptor| descriptor.group_by.is_some())
    }

    /// Of the first output: one outcome per row of `rows`, which has the inputs among its columns.
    pub fn score_rows(&mut self, rows: &RecordBatch) -> Result<Vec<RowScore>, Error> {
        Ok(self.score_outputs(rows)?.into_iter().next().unwrap_or_default())
    }

    /// By output, then by row.
    pub fn score_outputs(&mut self, rows: &RecordBatch) -> Result<Vec<Vec<RowScore>>, Error> {
        let table = self.score_table(rows)?;
        let shape = &self.shape;
        let row_of = |positions: &[usize], summed: bool, row: &Result<Vec<f64>, String>| match row {
            Err(code) => RowScore::Error(code.clone()),
            Ok(values) => {
                let own = positions.iter().filter_map(|position| values.get(*position).copied());
                if summed {
                    RowScore::Sums(own.collect())
                } else {
                    own.map(RowScore::Score).next().unwrap_or_else(none)
                }
            }
        };
        Ok(shape
            .outputs
            .iter()
            .zip(&shape.descriptors)
            .map(|((_, positions), descriptor)| {
                let summed = descriptor.aggregation.is_summed();
                table.iter().map(|row| row_of(positions, summed, row)).collect()
            })
            .collect())
    }

    /// By row: one number per column of [`Self::columns`], or why there are none.
    pub fn score_table(&mut self, rows: &RecordBatch) -> Result<Vec<Result<Vec<f64>, String>>, Error> {
        let rows = self.inputs(rows)?;
        let mut table = Vec::with_capacity(rows.num_rows());
        // The rows of a group come together; the caller hands over whole groups.
        let rows_per_call = if self.is_grouped() { self.guest.limits().batch_rows as usize } else { ROWS_PER_CALL };
        let mut start = 0;
        while start < rows.num_rows() {
            let n_rows = rows_per_call.min(rows.num_rows() - start);
            table.extend(self.score_call(&rows.slice(start, n_rows))?);
            start += n_rows;
        }
        self.check_bounds(&table)?;
        Ok(table)
    }

    /// The value of an output for each vector of summed statistics.
    pub fn reduce_sums(&mut self, output: usize, sums: &[Vec<f64>]) -> Result<Vec<f64>, Error> {
        let Some((name, positions)) = self.shape.outputs.get(output).cloned() else {
            let feature = format!("an output number {output}");
            return Err(Error::Unsupported { plugin: self.shape.id.clone(), feature });
        };
        let width = positions.len();
        if let Some(odd) = sums.iter().find(|sums| sums.len() != width) {
            let feature = format!("reducing `{name}` from {} sums instead of {width}", odd.len());
            return Err(Error::Unsupported { plugin: self.shape.id.clone(), feature });
        }
        let mut values = Vec::with_capacity(sums.len());
        for part in sums.chunks(VECTORS_PER_REDUCE) {
            values.extend(self.reduce_call(&name, part)?);
        }
        Ok(values)
    }

    fn reduce_call(&mut self, output: &str, sums: &[Vec<f64>]) -> Result<Vec<f64>, Error> {
        let Session::Batch { instance, session } = &self.session else {
            let feature = format!("reducing `{output}`");
            return Err(Error::Unsupported { plugin: self.shape.id.clone(), feature });
        };
        let found = self
            .guest
            .call("reduce", sums.len(), |store| {
                instance.luthier_plugin_metric().session().call_reduce(store, *session, output, sums)
            })?
            .map_err(|error| refused(&self.guest, "reduce", error))?;
        let check = self.check("reduce");
        if found.len() != sums.len() {
            return Err(check.error(format!("{} values", sums.len()), format!("{} values", found.len())));
        }
        match found.iter().position(|value| !value.is_finite()) {
            Some(i) => Err(check.error("finite values", format!("{} for vector {i}", found.get(i).unwrap_or(&0.0)))),
            None => Ok(found),
        }
    }

    /// Only what the metric declared is sent to it.
    fn inputs(&self, rows: &RecordBatch) -> Result<RecordBatch, Error> {
        let schema = rows.schema();
        let positions = self
            .shape
            .inputs
            .iter()
            .map(|input| {
                schema.index_of(&input.name).map_err(|_| Error::MissingColumn {
                    plugin: self.shape.id.clone(),
                    column: input.name.clone(),
                    columns: schema.fields().iter().map(|field| field.name().clone()).collect(),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        rows.project(&positions).map_err(|error| Error::Runtime { detail: error.to_string() })
    }

    fn score_call(&mut self, rows: &RecordBatch) -> Result<Vec<Result<Vec<f64>, String>>, Error> {
        match &self.session {
            Session::Row(session) => session.score(&mut self.guest, rows),
            Session::Batch { instance, session } => {
                let n_rows = rows.num_rows();
                let batch = to_guest(rows, &self.shape.inputs)?;
                let found = self
                    .guest
                    .call_with("score", n_rows, FUEL_ROWS_PER_SCORE, |store| {
                        instance.luthier_plugin_metric().session().call_score(store, *session, &batch)
                    })?
                    .map_err(|error| refused(&self.guest, "score", error))?;
                let floats = self.shape.columns.iter().map(|name| Expected::new(name, LogicalType::Float64).nullable());
                let error = Expected::new(ERROR_COLUMN, LogicalType::Utf8).nullable().optional();
                let expected: Vec<Expected> = floats.chain([error]).collect();
                let check = self.check("score");
                row_values(&check, &check.batch(found, Some(n_rows), &expected)?, &self.shape.columns)
            }
        }
    }

    /// Scores lie within their output's bounds; statistics are merely finite.
    fn check_bounds(&self, table: &[Result<Vec<f64>, String>]) -> Result<(), Error> {
        let check = self.check("score");
        for (row, values) in table.iter().enumerate() {
            let Ok(values) = values else { continue };
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(check.error("finite scores", format!("{value} at row {row}")));
            }
            for ((_, positions), descriptor) in self.shape.outputs.iter().zip(&self.shape.descriptors) {
                let (lower, upper) = descriptor.bounds;
                let (lower, upper) = (lower.unwrap_or(f64::NEG_INFINITY), upper.unwrap_or(f64::INFINITY));
                let score = positions.first().and_then(|position| values.get(*position)).copied().unwrap_or(lower);
                if !descriptor.aggregation.is_summed() && (score < lower || score > upper) {
                    let expected = format!("scores from {lower} to {upper}");
                    return Err(check.error(expected, format!("{score} at row {row}")));
                }
            }
        }
        Ok(())
    }

    fn check(&self, call: &'static str) -> Check<'_> {
        Check { plugin: self.guest.plugin(), call, limits: self.guest.limits() }
    }

    fn eval_error(&self, error: Error) -> luthier_eval::Error {
        luthier_eval::Error::Metric { metric: self.shape.id.clone(), source: Box::new(error) }
    }
}

impl Metric for MetricPlugin {
    fn descriptors(&self) -> &[MetricDescriptor] {
        &self.descriptors
    }

    fn score(&mut self, rows: &RecordBatch) -> Result<Vec<Vec<RowScore>>, luthier_eval::Error> {
        self.score_outputs(rows).map_err(|error| self.eval_error(error))
    }

    fn reduce(&mut self, output: usize, sums: &[Vec<f64>]) -> Result<Vec<f64>, luthier_eval::Error> {
        self.reduce_sums(output, sums).map_err(|error| self.eval_error(error))
    }
}

fn none() -> RowScore {
    RowScore::Error("no-score".to_owned())
}

/// A row has all of its numbers, or none and a reason.
fn row_values(
    check: &Check<'_>,
    batch: &RecordBatch,
    columns: &[String],
) -> Result<Vec<Result<Vec<f64>, String>>, Error> {
    let arrays: Vec<&Float64Array> = columns
        .iter()
        .filter_map(|name| batch.column_by_name(name))
        .filter_map(|array| array.as_primitive_opt::<Float64Type>())
        .collect();
    let errors = batch.column_by_name(ERROR_COLUMN).map(|column| column.as_string::<i32>());
    (0..batch.num_rows())
        .map(|row| {
            let error = errors.filter(|errors| errors.is_valid(row)).map(|errors| errors.value(row));
            let n_values = arrays.iter().filter(|array| array.is_valid(row)).count();
            match (n_values, error) {
                (n, None) if n == arrays.len() => Ok(Ok(arrays.iter().map(|array| array.value(row)).collect())),
                (0, Some(error)) => Ok(Err(error_code(error))),
                (0, None) => Err(check.error("a score or an error", format!("neither at row {row}"))),
                (_, Some(_)) => Err(check.error("a score or an error", format!("both at row {row}"))),
                (n, None) => {
                    Err(check.error(format!("{} numbers or an error", arrays.len()), format!("{n} at row {row}")))
                }
            }
        })
        .collect()
}

/// Details after the code would make every row its own reason.
pub(crate) fn error_code(error: &str) -> String {
    let code = error.split(':').next().unwrap_or_default().trim();
    if code.is_empty() { "error".to_owned() } else { text::clean(code, 64) }
}
