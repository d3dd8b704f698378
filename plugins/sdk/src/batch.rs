//! A table of named columns with a common number of rows.

use crate::{BooleanColumn, Column, Error, Float64Column, Int64Column, Utf8Column};

/// A column with its name.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedColumn {
    /// Name.
    pub name: String,
    /// Values.
    pub data: Column,
}

/// Rows, column by column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Number of rows of every column.
    pub rows: usize,
    /// In order; a name occurs once, except in the result of a query.
    pub columns: Vec<NamedColumn>,
}

impl Batch {
    /// A table of `rows` rows and no columns yet.
    pub fn new(rows: usize) -> Self {
        Self { rows, columns: Vec::new() }
    }

    /// Adds a text column.
    #[must_use]
    pub fn with_texts<S: AsRef<str>>(self, name: &str, texts: impl IntoIterator<Item = S>) -> Self {
        self.with(name, Column::Utf8(Utf8Column::from_texts(texts)))
    }

    /// Adds a column of any type.
    #[must_use]
    pub fn with(mut self, name: &str, data: Column) -> Self {
        self.columns.push(NamedColumn { name: name.to_owned(), data });
        self
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Result<&Column, Error> {
        self.columns.iter().find(|column| column.name == name).map(|column| &column.data).ok_or_else(|| {
            let names: Vec<_> = self.columns.iter().map(|column| column.name.as_str()).collect();
            Error::SchemaMismatch(format!("no column `{name}`; there are {}", names.join(", ")))
        })
    }

    /// The text (or JSON) column of this name.
    pub fn utf8(&self, name: &str) -> Result<&Utf8Column, Error> {
        self.column(name)?.as_utf8(name)
    }

    /// The float column of this name.
    pub fn float64(&self, name: &str) -> Result<&Float64Column, Error> {
        match self.column(name)? {
            Column::Float64(column) => Ok(column),
            other => Err(other.mismatch(name, "float64")),
        }
    }

    /// The integer column of this name.
    pub fn int64(&self, name: &str) -> Result<&Int64Column, Error> {
        match self.column(name)? {
            Column::Int64(column) => Ok(column),
            other => Err(other.mismatch(name, "int64")),
        }
    }

    /// The boolean column of this name.
    pub fn boolean(&self, name: &str) -> Result<&BooleanColumn, Error> {
        match self.column(name)? {
            Column::Boolean(column) => Ok(column),
            other => Err(other.mismatch(name, "boolean")),
        }
    }
}
