//! What a metric is to the evaluation: columns in, one score per row and output. The host owns every
//! mean and interval; a plugin cannot get statistics wrong.

use arrow_array::RecordBatch;

use crate::Error;

/// How per-row scores become one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregation {
    /// Arithmetic mean; bootstrap interval.
    Mean,
    /// Mean of zeros and ones; Wilson interval.
    Proportion,
    /// This quantile of the scores, between 0 and 1.
    Quantile(f64),
    /// A row is two numbers, `[numerator, denominator]`; the sum of the first over the sum of the second.
    Ratio,
    /// A row is so many numbers; [`Metric::reduce`] makes one number of their sums.
    Sufficient(usize),
}

impl Aggregation {
    /// As reports name it.
    pub fn name(self) -> String {
        match self {
            Aggregation::Mean => "mean".to_owned(),
            Aggregation::Proportion => "proportion".to_owned(),
            Aggregation::Quantile(q) => format!("quantile({q})"),
            Aggregation::Ratio => "ratio".to_owned(),
            Aggregation::Sufficient(_) => "corpus".to_owned(),
        }
    }

    /// Numbers of a row: one score, or the statistics that are summed.
    pub fn n_values(self) -> usize {
        match self {
            Aggregation::Mean | Aggregation::Proportion | Aggregation::Quantile(_) => 1,
            Aggregation::Ratio => 2,
            Aggregation::Sufficient(n) => n,
        }
    }

    /// Rows are sums of statistics, not scores.
    pub fn is_summed(self) -> bool {
        matches!(self, Aggregation::Ratio | Aggregation::Sufficient(_))
    }
}

/// Type of a column that a metric reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputType {
    /// Text; any column is shown as text.
    Utf8,
    /// One JSON document per row; a column of any type will do.
    Json,
    /// 64-bit floats.
    Float64,
    /// 64-bit integers.
    Int64,
    /// Booleans.
    Boolean,
    /// Whatever the data has.
    Any,
}

/// A column that a metric reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricInput {
    /// Of the evaluation's own ([`crate::score::OWN_COLUMNS`], [`crate::score::LIKELIHOOD_COLUMNS`]) or
    /// of the dataset's.
    pub name: String,
    /// What it is read as.
    pub ty: InputType,
    /// May hold nulls.
    pub nullable: bool,
}

impl MetricInput {
    /// Text without nulls.
    pub fn text(name: impl Into<String>) -> Self {
        MetricInput { name: name.into(), ty: InputType::Utf8, nullable: false }
    }

    /// For people: `text without nulls`.
    pub fn describe(&self) -> String {
        let ty = match self.ty {
            InputType::Utf8 => "text",
            InputType::Json => "values as JSON",
            InputType::Float64 => "numbers",
            InputType::Int64 => "integers",
            InputType::Boolean => "booleans",
            InputType::Any => "any values",
        };
        if self.nullable { ty.to_owned() } else { format!("{ty} without nulls") }
    }
}

/// What a metric says of one of its outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricDescriptor {
    /// Plugin id, as `execution-accuracy`; with several outputs `id.output`, as `prf.recall`.
    pub id: String,
    /// Semantic version of the plugin.
    pub version: String,
    /// One line.
    pub summary: String,
    /// Columns it reads.
    pub inputs: Vec<MetricInput>,
    /// Larger scores are better.
    pub higher_is_better: bool,
    /// How scores are combined.
    pub aggregation: Aggregation,
    /// Bounds that scores are checked against.
    pub bounds: (Option<f64>, Option<f64>),
    /// Rows with equal values in this column are shown to the metric together, and resampled together.
    pub group_by: Option<String>,
    /// `sha256:…` of the component; empty for a client's closure.
    pub digest: String,
}

impl MetricDescriptor {
    /// It reads a column of this name.
    pub fn reads(&self, name: &str) -> bool {
        self.inputs.iter().any(|input| input.name == name)
    }
}

/// One row's outcome. An error is never a score.
#[derive(Debug, Clone, PartialEq)]
pub enum RowScore {
    /// A finite number within the metric's bounds.
    Score(f64),
    /// The row's statistics, where the aggregation [sums](Aggregation::is_summed) them.
    Sums(Vec<f64>),
    /// Why this row has none: a short reason code, as `gold-error`.
    Error(String),
}

/// Scores rows. Rows in = outcomes out; the verdict depends on nothing but the row.
pub trait Metric: Send {
    /// One per output, at least one.
    fn descriptors(&self) -> &[MetricDescriptor];

    /// By output, then by row. `rows` has exactly the columns of the inputs, in their order.
    fn score(&mut self, rows: &RecordBatch) -> Result<Vec<Vec<RowScore>>, Error>;

    /// The value of an output for each vector of summed statistics; only for [`Aggregation::Sufficient`].
    fn reduce(&mut self, output: usize, sums: &[Vec<f64>]) -> Result<Vec<f64>, Error> {
        let _ = sums;
        let metric = self.descriptors().get(output).map_or_else(String::new, |descriptor| descriptor.id.clone());
        Err(Error::NotReduced { metric })
    }
}
