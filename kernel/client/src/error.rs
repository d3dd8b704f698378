//! What can go wrong in a Rust cell, said as a person would want to read it.

use std::fmt;
use std::path::PathBuf;

use luthier_protocol::{Failure, FailureKind};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something failed. `Debug` and `Display` both give the message and the hint: a `?` in a cell
/// or in `main` prints one of them, and neither should be a dump of fields.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The engine refused or failed, or could not be reached.
    Engine(Failure),
    /// A file of rows could not be written or read.
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// A row does not fit the type it was asked as, or cannot be written as JSON.
    Row {
        /// The dataset.
        data: String,
        /// Counted from 1.
        row: usize,
        /// The type asked for.
        expected: &'static str,
        /// What serde said.
        cause: String,
    },
    /// The engine answered with a response of another kind.
    UnexpectedResponse {
        /// The kind asked for.
        expected: &'static str,
        /// The kind found.
        found: String,
    },
}

impl Error {
    /// What kind of failure it is.
    pub fn kind(&self) -> FailureKind {
        match self {
            Error::Engine(failure) => failure.kind,
            Error::File { .. } => FailureKind::Storage,
            Error::Row { .. } => FailureKind::Data,
            Error::UnexpectedResponse { .. } => FailureKind::Protocol,
        }
    }

    /// Advice, if there is any.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Error::Engine(failure) => failure.hint.as_deref(),
            Error::Row { .. } => Some(
                "the struct's fields must carry the dataset's column names (`#[serde(rename = …)]`), \
                 and a column that can be empty needs an Option",
            ),
            _ => None,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Error::Engine(failure)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Engine(failure) => write!(f, "{}", failure.message)?,
            Error::File { path, cause } => write!(f, "the file {} cannot be used: {cause}", path.display())?,
            Error::Row { data, row, expected, cause } => {
                write!(f, "row {row} of {data} is not a {expected}: {cause}")?;
            }
            Error::UnexpectedResponse { expected, found } => {
                write!(f, "the engine should have answered with {expected}, it answered with {found}")?;
            }
        }
        match self.hint() {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests;
