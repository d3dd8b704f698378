//! The one error type of this crate. Each variant names the thing, what was expected, what was found.

use std::path::PathBuf;

/// Why rows, tokens or templates could not be read, made or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, read or written.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file's format is none that can be imported.
    #[error("{}: expected csv, tsv, json, jsonl, parquet, arrow or text, found {found}", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// Its extension, or the format that was asked for.
        found: String,
    },
    /// A file is larger than this crate reads.
    #[error("{}: {size_bytes} bytes, the limit is {limit_bytes}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// The file holds no rows.
    #[error("{}: expected at least one row, found none", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A place in a text file does not have the expected form.
    #[error("{}:{line}: expected {expected}, found {found}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A Parquet file is damaged, truncated or hostile.
    #[error("{}: not a readable Parquet file: {found}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the reader found.
        found: String,
    },
    /// An Arrow IPC file is damaged, truncated, or of a kind that is not read.
    #[error("{}: not a readable Arrow file: {found}", path.display())]
    ArrowFile {
        /// The file.
        path: PathBuf,
        /// What the reader found.
        found: String,
    },
    /// A column that a role or template needs does not exist.
    #[error("{what}: column `{column}` does not exist; the columns are {}{}", list(columns), nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    MissingColumn {
        /// Dataset, file or role.
        what: String,
        /// The column asked for.
        column: String,
        /// The columns there are.
        columns: Vec<String>,
        /// The nearest of them, if one is near.
        nearest: Option<String>,
    },
    /// A column has a type that its use does not allow.
    #[error("{what}: column `{column}` must be {expected}, found {found}")]
    ColumnType {
        /// Dataset or file.
        what: String,
        /// The column.
        column: String,
        /// Type expected.
        expected: String,
        /// Type found.
        found: String,
    },
    /// A cell holds what it must not.
    #[error("{what}: row {row}, column `{column}`: expected {expected}, found {found}")]
    Cell {
        /// Dataset or file.
        what: String,
        /// Row, counted from 1.
        row: u64,
        /// The column.
        column: String,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A row is not what a row must be.
    #[error("{what}: row {row}: expected {expected}, found {found}")]
    Row {
        /// Dataset or file.
        what: String,
        /// Row, counted from 1.
        row: u64,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Every row was rejected.
    #[error("{what}: none of {requested} rows can be used: {}", reasons(rejected))]
    NothingKept {
        /// Dataset or file.
        what: String,
        /// Rows there were.
        requested: u64,
        /// How many were rejected, by reason.
        rejected: std::collections::BTreeMap<String, u64>,
    },
    /// Roles are not given and cannot be guessed, or contradict each other.
    #[error("{what}: {finding}; the columns are {}", list(columns))]
    Roles {
        /// Dataset or file.
        what: String,
        /// What is wrong.
        finding: String,
        /// The columns there are.
        columns: Vec<String>,
    },
    /// Split shares are no shares.
    #[error("split shares: expected {expected}, found {found}")]
    Splits {
        /// What they must be.
        expected: &'static str,
        /// What they are.
        found: String,
    },
    /// A split of that name does not exist.
    #[error("dataset `{dataset}` has no split `{split}`; it has {}", list(splits))]
    NoSuchSplit {
        /// The dataset.
        dataset: String,
        /// The split asked for.
        split: String,
        /// The splits there are.
        splits: Vec<String>,
    },
    /// A stored dataset is not what its description says.
    #[error("{}: expected {expected}, found {found}", path.display())]
    Stored {
        /// The file.
        path: PathBuf,
        /// What it must hold.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// A model directory lacks a usable tokenizer.
    #[error("{}: {finding}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        finding: String,
    },
    /// Text could not be tokenized, or ids not decoded.
    #[error("the tokenizer cannot {action}: {finding}")]
    Tokenize {
        /// `encode`, `decode`.
        action: &'static str,
        /// The library's reason.
        finding: String,
    },
    /// A chat template cannot be parsed or rendered.
    #[error("chat template `{template}`: {finding}")]
    ChatTemplate {
        /// Its name.
        template: String,
        /// What is wrong.
        finding: String,
    },
    /// A row's example is longer than allowed.
    #[error("row {row} has {n_tokens} tokens, more than max_seq_len = {max_seq_len}")]
    TooLong {
        /// Row, counted from 1.
        row: u64,
        /// Its length in tokens.
        n_tokens: usize,
        /// The limit.
        max_seq_len: usize,
    },
    /// A row cannot be rendered or tokenized.
    #[error("row {row}: {source}")]
    InRow {
        /// Row, counted from 1.
        row: u64,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// The examples would train nothing, or the wrong thing.
    #[error("the data lint stops this run:\n{}", findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Lint {
        /// What stops it.
        findings: Vec<luthier_protocol::response::Finding>,
    },
    /// A finding that should pass has a name that no rule has.
    #[error("no finding of the data lint is named `{name}`; did you mean `{nearest}`?")]
    UnknownFinding {
        /// The name given.
        name: String,
        /// The nearest one there is.
        nearest: String,
    },
    /// Somebody stopped it.
    #[error("interrupted")]
    Interrupted,
    /// A renderer or extractor (a plugin, mostly) failed.
    #[error("{what}: {finding}")]
    Renderer {
        /// The renderer, by name.
        what: String,
        /// Its reason.
        finding: String,
        /// What it is caused by.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Something of ours went wrong inside Arrow.
    #[error("columns cannot be put together: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
}

/// Result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "(none)".into();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn reasons(rejected: &std::collections::BTreeMap<String, u64>) -> String {
    if rejected.is_empty() {
        return "there are none".into();
    }
    rejected.iter().map(|(reason, n)| format!("{n} {reason}")).collect::<Vec<_>>().join(", ")
}
