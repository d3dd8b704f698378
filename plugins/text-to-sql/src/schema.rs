//! What the grammar knows of a database: tables, columns, keys and a few sampled values.
//!
//! It comes from any SQLite database through [`read`], which asks `sqlite_schema` and the tables
//! themselves; nothing here opens a file.

mod parse;
mod read;
#[cfg(test)]
mod tests;

use crate::Value;

pub use parse::parse_create_table;
pub use read::{ReadLimits, SqlSource, read_schema};

/// SQLite's type affinity, as far as questions care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affinity {
    /// Whole numbers, flags, keys.
    Integer,
    /// Other numbers.
    Real,
    /// Text, dates included.
    Text,
}

/// The column that a foreign key points at, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// Index into [`Schema::tables`].
    pub table: usize,
    /// Index into that table's columns.
    pub column: usize,
}

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Name as declared, unquoted.
    pub name: String,
    /// Declared type's affinity.
    pub affinity: Affinity,
    /// NULL may occur.
    pub nullable: bool,
    /// Foreign key.
    pub references: Option<Reference>,
    /// A few distinct, non-null values.
    pub samples: Vec<Value>,
    /// The table holds more distinct values than `samples`.
    pub more_values: bool,
}

/// One table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Name as declared, unquoted.
    pub name: String,
    /// In declaration order.
    pub columns: Vec<Column>,
    /// Index of the single-column primary key.
    pub primary_key: Option<usize>,
}

impl Table {
    /// Index of a column by name, ignoring ASCII case as SQLite does.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// A foreign key: `child.child_column` points at `parent.parent_column`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Referring table.
    pub child: usize,
    /// Its column.
    pub child_column: usize,
    /// Table referred to.
    pub parent: usize,
    /// Its column.
    pub parent_column: usize,
}

/// All tables of a database, in creation order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schema {
    /// See the type.
    pub tables: Vec<Table>,
}

impl Schema {
    /// Index of a table by name, ignoring ASCII case.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// Every foreign key between two different tables.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        let mut links = Vec::new();
        for (child, table) in self.tables.iter().enumerate() {
            for (child_column, column) in table.columns.iter().enumerate() {
                if let Some(Reference { table: parent, column: parent_column }) = column.references
                    && parent != child
                {
                    links.push(Link { child, child_column, parent, parent_column });
                }
            }
        }
        links
    }

    /// The schema as a model is shown it: one line `table(column, fk->parent, …)` per table. A foreign
    /// key names the parent's column only where that is not the parent's first one.
    #[must_use]
    pub fn compact(&self) -> String {
        let mut text = String::new();
        for table in &self.tables {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&crate::sql::identifier(&table.name));
            text.push('(');
            for (index, column) in table.columns.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                text.push_str(&crate::sql::identifier(&column.name));
                if let Some(reference) = column.references {
                    let parent = &self.tables[reference.table];
                    text.push_str("->");
                    text.push_str(&crate::sql::identifier(&parent.name));
                    if reference.column != 0 {
                        text.push('.');
                        text.push_str(&crate::sql::identifier(&parent.columns[reference.column].name));
                    }
                }
            }
            text.push(')');
        }
        text
    }
}
