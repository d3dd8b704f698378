//! Why an evaluation could not be made.

/// This crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an evaluation could not start or go on. What concerns one row is a
/// [`RowScore::Error`](crate::RowScore::Error) and stops nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A metric reads a column that the data does not have.
    #[error(
        "metric {metric} reads column {column:?}, which the data does not have (it has {}){}",
        available.join(", "),
        match nearest { Some(name) => format!("; did you mean {name:?}?"), None => String::new() }
    )]
    UnknownInput {
        /// The metric.
        metric: String,
        /// The column it reads.
        column: String,
        /// All columns that there are.
        available: Vec<String>,
        /// The one whose name is nearest.
        nearest: Option<String>,
    },
    /// A metric did not answer row by row.
    #[error("metric {metric} returned {found} scores for {expected} rows")]
    WrongNumberOfScores {
        /// The metric.
        metric: String,
        /// Rows asked.
        expected: usize,
        /// Scores returned.
        found: usize,
    },
    /// A column that the metric reads has another type than it takes.
    #[error("metric {metric} reads column {column:?} as {expected}, and the data has {found}")]
    InputType {
        /// The metric.
        metric: String,
        /// The column.
        column: String,
        /// What it takes.
        expected: String,
        /// The column's Arrow type.
        found: String,
    },
    /// A metric whose scores are not reduced from sums was asked to.
    #[error("metric {metric} is not reduced from sums")]
    NotReduced {
        /// The metric.
        metric: String,
    },
    /// Columns, predictions or scores that belong together differ in length.
    #[error("{what} has {found} rows, expected {expected}")]
    Length {
        /// What is too short or too long.
        what: String,
        /// Rows expected.
        expected: usize,
        /// Rows found.
        found: usize,
    },
    /// A table of predictions lacks a column, or has it in another type.
    #[error("the predictions table has no column {column:?} of type {expected}")]
    PredictionsColumn {
        /// The column.
        column: String,
        /// Its type.
        expected: &'static str,
    },
    /// A metric failed as a whole: it trapped, ran out of fuel, or is no metric.
    #[error("metric {metric} failed: {source}")]
    Metric {
        /// The metric.
        metric: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The model failed as a whole, or was interrupted.
    #[error(transparent)]
    Model(#[from] luthier_lm::Error),
    /// Answers could not be taken out of completions.
    #[error("answers could not be taken out of the completions: {source}")]
    Extract {
        /// The cause.
        source: luthier_data::Error,
    },
    /// A table could not be built.
    #[error("a table could not be built: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
}
