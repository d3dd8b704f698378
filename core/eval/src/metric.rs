//! What a metric is to the evaluation: columns in, one score per row out. The host owns every
//! mean and interval; a plugin cannot get statistics wrong.

use arrow_array::RecordBatch;

use crate::Error;

/// How per-row scores become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    /// Arithmetic mean; bootstrap interval.
    Mean,
    /// Mean of zeros and ones; Wilson interval.
    Proportion,
}

/// What a metric says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricDescriptor {
    /// Plugin id, as `execution-accuracy`.
    pub id: String,
    /// Semantic version of the plugin.
    pub version: String,
    /// One line.
    pub summary: String,
    /// Columns it reads, all utf8: of `prompt`, `prediction`, `reference`, `database`, and the dataset's own.
    pub inputs: Vec<String>,
    /// Larger scores are better.
    pub higher_is_better: bool,
    /// How scores are combined.
    pub aggregation: Aggregation,
    /// Bounds that scores are checked against.
    pub bounds: (Option<f64>, Option<f64>),
    /// `sha256:…` of the component; empty for a client's closure.
    pub digest: String,
}

/// One row's outcome. An error is never a score.
#[derive(Debug, Clone, PartialEq)]
pub enum RowScore {
    /// A finite number within the metric's bounds.
    Score(f64),
    /// Why this row has none: a short reason code, as `gold-error`.
    Error(String),
}

/// Scores rows. Rows in = outcomes out; the verdict depends on nothing but the row.
pub trait Metric: Send {
    /// What it says of itself.
    fn descriptor(&self) -> &MetricDescriptor;
    /// `rows` has exactly the columns of `descriptor().inputs`, utf8, no nulls.
    fn score(&mut self, rows: &RecordBatch) -> Result<Vec<RowScore>, Error>;
}
