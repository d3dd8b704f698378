//! What can be wrong with a schema, a glossary or a configuration.

use std::fmt;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The database has no table that the grammar can read.
    EmptySchema,
    /// A query of the template's own failed.
    Query {
        /// The query.
        sql: String,
        /// The database's message.
        message: String,
    },
    /// A glossary names a table that the schema lacks.
    UnknownTable {
        /// As written.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A glossary names a column that the table lacks.
    UnknownColumn {
        /// The table.
        table: String,
        /// As written.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::EmptySchema => out.write_str("the database has no ordinary table"),
            Error::Query { sql, message } => write!(out, "query failed: {message} ({sql})"),
            Error::UnknownTable { name, known } => write!(out, "no table `{name}`; there are {}", known.join(", ")),
            Error::UnknownColumn { table, name, known } => {
                write!(out, "table `{table}` has no column `{name}`; there are {}", known.join(", "))
            }
        }
    }
}

impl std::error::Error for Error {}
