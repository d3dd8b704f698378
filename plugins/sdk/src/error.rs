//! What can be wrong with a plugin's input, in the terms of the interface.

use std::fmt;

/// One problem in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// JSON Pointer into the configuration (`/database`); empty for the whole.
    pub pointer: String,
    /// For people: what was expected and what was found.
    pub message: String,
}

/// One problem in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowIssue {
    /// Position in the batch.
    pub row: u32,
    /// The column at fault, if it is one.
    pub column: Option<String>,
    /// Short reason code.
    pub code: String,
    /// For people.
    pub message: String,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is wrong, here and here.
    InvalidConfig(Vec<Issue>),
    /// The batch lacks a column, or a column has another type.
    SchemaMismatch(String),
    /// The batch is unusable because of these rows.
    InvalidRows(Vec<RowIssue>),
    /// The plugin does not do this.
    Unsupported(String),
    /// Anything else.
    Internal(String),
}

impl Error {
    /// A configuration with one problem.
    pub fn config(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidConfig(vec![Issue { pointer: pointer.into(), message: message.into() }])
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidConfig(issues) => {
                f.write_str("invalid configuration")?;
                issues.iter().try_for_each(|issue| write!(f, "; {}: {}", issue.pointer, issue.message))
            }
            Self::SchemaMismatch(message) => write!(f, "columns do not match: {message}"),
            Self::InvalidRows(rows) => {
                f.write_str("invalid rows")?;
                rows.iter().try_for_each(|row| write!(f, "; row {}: {} ({})", row.row, row.message, row.code))
            }
            Self::Unsupported(message) => write!(f, "unsupported: {message}"),
            Self::Internal(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}
