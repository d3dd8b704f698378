//! A metric over batches: any columns in, one score per row out. The host owns means and intervals.

use crate::json::{Value, json};
use crate::{Batch, Column, ColumnSpec, Context, Databases, Error, Float64Column, LogicalType, Utf8Column};

/// An opened metric.
pub trait Metric: Sized {
    /// What it says of itself.
    fn describe() -> MetricDescriptor;

    /// Opens it for one run. `databases` are those that a person granted.
    fn open(config: Value, context: Context, databases: Box<dyn Databases>) -> Result<Self, Error>;

    /// Rows in = rows out: one float column per output, and, where rows may have no score, a text
    /// column `error` ([`score_batch`] makes both). For [`Aggregation::Ratio`] and
    /// [`Aggregation::Sufficient`] the columns that they name stand in for the output's own
    /// ([`columns_batch`]).
    fn score(&mut self, rows: &Batch) -> Result<Batch, Error>;

    /// For [`Aggregation::Sufficient`]: the value of `output` for each vector of summed statistics.
    fn reduce(&mut self, output: &str, sums: &[Vec<f64>]) -> Result<Vec<f64>, Error> {
        let _ = sums;
        Err(Error::Unsupported(format!("output `{output}` is not reduced from sums")))
    }
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Larger scores are better.
    HigherIsBetter,
    /// Smaller scores are better.
    LowerIsBetter,
    /// Neither.
    Neutral,
}

/// How the host makes one number, with an interval, from per-row scores.
#[derive(Debug, Clone, PartialEq)]
pub enum Aggregation {
    /// Arithmetic mean.
    Mean,
    /// Mean of zeros and ones.
    Proportion,
    /// Sum of one column over the sum of another.
    Ratio(String, String),
    /// This quantile.
    Quantile(f64),
    /// The host sums these columns, and [`Metric::reduce`] turns the sums into the value.
    Sufficient(Vec<String>),
}

/// One column of scores.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Column name.
    pub name: String,
    /// One line.
    pub description: String,
    /// Which way is better.
    pub direction: Direction,
    /// Least possible score.
    pub lower: Option<f64>,
    /// Greatest possible score.
    pub upper: Option<f64>,
    /// How rows are combined.
    pub aggregate: Aggregation,
}

impl Output {
    /// Higher is better, no bounds.
    pub fn new(name: &str, description: &str, aggregate: Aggregation) -> Self {
        Self {
            name: name.to_owned(),
            description: description.to_owned(),
            direction: Direction::HigherIsBetter,
            lower: None,
            upper: None,
            aggregate,
        }
    }

    /// With these bounds.
    #[must_use]
    pub fn between(self, lower: f64, upper: f64) -> Self {
        Self { lower: Some(lower), upper: Some(upper), ..self }
    }

    /// Smaller is better.
    #[must_use]
    pub fn lower_is_better(self) -> Self {
        Self { direction: Direction::LowerIsBetter, ..self }
    }
}

/// What a metric says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricDescriptor {
    /// Id, as `execution-accuracy`.
    pub id: String,
    /// Semantic version.
    pub version: String,
    /// One line.
    pub summary: String,
    /// JSON Schema of the configuration.
    pub config_schema: Value,
    /// Columns it reads.
    pub inputs: Vec<ColumnSpec>,
    /// Columns it gives.
    pub outputs: Vec<Output>,
    /// A row's score depends on nothing but the row.
    pub row_independent: bool,
    /// Rows with equal values here are resampled together.
    pub group_by: Option<String>,
}

impl MetricDescriptor {
    /// These outputs of the named text columns, row by row, without configuration.
    pub fn with_outputs(id: &str, version: &str, summary: &str, inputs: &[&str], outputs: Vec<Output>) -> Self {
        Self { outputs, ..Self::proportion(id, version, summary, inputs) }
    }

    /// A proportion in [0, 1] of the named text columns, row by row, without configuration.
    pub fn proportion(id: &str, version: &str, summary: &str, inputs: &[&str]) -> Self {
        Self {
            id: id.to_owned(),
            version: version.to_owned(),
            summary: summary.to_owned(),
            config_schema: json!({ "type": "object", "additionalProperties": false }),
            inputs: inputs.iter().map(|name| ColumnSpec::new(name, LogicalType::Utf8, "")).collect(),
            outputs: vec![Output {
                name: "score".to_owned(),
                description: summary.to_owned(),
                direction: Direction::HigherIsBetter,
                lower: Some(0.0),
                upper: Some(1.0),
                aggregate: Aggregation::Proportion,
            }],
            row_independent: true,
            group_by: None,
        }
    }
}

/// One row's outcome. An error is never a score.
#[derive(Debug, Clone, PartialEq)]
pub enum RowScore {
    /// A finite number within the bounds.
    Score(f64),
    /// Why there is none: a short code (`gold-error`), optionally with `: ` and details.
    Error(String),
}

/// The batch that a metric with the one output `output` returns.
pub fn score_batch(output: &str, scores: &[RowScore]) -> Batch {
    let values: Float64Column = scores
        .iter()
        .map(|score| match score {
            RowScore::Score(value) => Some(*value),
            RowScore::Error(_) => None,
        })
        .collect();
    let errors: Utf8Column = scores
        .iter()
        .map(|score| match score {
            RowScore::Score(_) => None,
            RowScore::Error(code) => Some(code),
        })
        .collect();
    Batch::new(scores.len()).with(output, Column::Float64(values)).with("error", Column::Utf8(errors))
}

/// The batch of a metric with several columns (outputs, or the statistics that stand in for them): a
/// row is one number per column, or why it has none.
pub fn columns_batch(names: &[&str], rows: &[Result<Vec<f64>, String>]) -> Batch {
    let batch = names.iter().enumerate().fold(Batch::new(rows.len()), |batch, (i, name)| {
        let column: Float64Column =
            rows.iter().map(|row| row.as_ref().ok().and_then(|row| row.get(i).copied())).collect();
        batch.with(name, Column::Float64(column))
    });
    let errors: Utf8Column = rows.iter().map(|row| row.as_ref().err()).collect();
    batch.with("error", Column::Utf8(errors))
}

/// Exports a [`Metric`] from a guest; natively it does nothing. `export_metric!(T, sql)` for one that
/// reads databases: only then does the component import `sql`.
#[macro_export]
macro_rules! export_metric {
    ($metric:ty) => {
        $crate::export_metric!(@with $metric, $crate::guest::WithoutSql);
    };
    ($metric:ty, sql) => {
        $crate::export_metric!(@with $metric, $crate::guest::WithSql);
    };
    (@with $metric:ty, $capabilities:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the component ABI, generated")]
        const _: () = {
            type ExportedPlugin = $crate::guest::MetricGuest<$metric, $capabilities>;
            $crate::bindings::metric::export_metric_world!(
                ExportedPlugin with_types_in $crate::bindings::metric
            );
        };
    };
}
