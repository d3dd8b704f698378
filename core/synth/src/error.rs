//! Why rows could not be made.

/// This crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why synthesis could not start or go on. What concerns one row is counted in the accounting and
/// stops nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The template has no generator of its own.
    #[error("template {template} does not generate rows: give it rows by `path`")]
    DoesNotGenerate {
        /// The template.
        template: String,
    },
    /// The template has nothing to ask a language model.
    #[error("template {template} does not ask language models for rows: leave `model` out")]
    DoesNotAsk {
        /// The template.
        template: String,
    },
    /// The model failed as a whole, or was interrupted.
    #[error(transparent)]
    Model(luthier_lm::Error),
    /// Answers could not be read or written down.
    #[error("the journal {} cannot be used: {source}", path.display())]
    Journal {
        /// The file.
        path: std::path::PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Nothing was asked for.
    #[error("rows = 0 is not possible: expected at least 1")]
    NothingRequested,
    /// A stage did not answer row by row.
    #[error("template {template}: {stage} returned {found} results for {expected} rows")]
    WrongNumberOfRows {
        /// The template.
        template: String,
        /// `validate` or `dedup_keys`; `generate` if it returned more than it was asked for.
        stage: &'static str,
        /// Rows asked.
        expected: usize,
        /// Results returned.
        found: usize,
    },
    /// Two batches of one generator have different columns.
    #[error("template {template} changed its columns from ({expected}) to ({found})")]
    ColumnsChanged {
        /// The template.
        template: String,
        /// Columns of the first batch.
        expected: String,
        /// Columns of a later one.
        found: String,
    },
    /// Every row was rejected.
    #[error("template {template} made no row that could be kept: {reasons}")]
    NothingKept {
        /// The template.
        template: String,
        /// How many rows were rejected and failed, by reason.
        reasons: String,
    },
    /// Somebody cancelled.
    #[error("synthesis was interrupted")]
    Interrupted,
    /// A stage failed as a whole: it trapped, ran out of fuel, or is no template.
    #[error("template {template}: {stage} failed: {source}")]
    Template {
        /// The template.
        template: String,
        /// `generate`, `validate` or `dedup_keys`.
        stage: &'static str,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A table could not be built.
    #[error("a table could not be built: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
}

impl From<luthier_lm::Error> for Error {
    fn from(error: luthier_lm::Error) -> Self {
        match error {
            luthier_lm::Error::Interrupted => Error::Interrupted,
            error => Error::Model(error),
        }
    }
}
