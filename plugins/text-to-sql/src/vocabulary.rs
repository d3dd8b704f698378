//! How people speak of a schema: nouns for tables, phrases for columns, and a house style where
//! business words do not follow from the schema text (codes, cents, soft deletes, integer dates,
//! named filters and measures).
//!
//! [`Vocabulary::infer`] guesses from names and values; a [`Glossary`] overrides the guess.

mod infer;
#[cfg(test)]
mod tests;

use crate::{Error, Schema, Value};

/// A countable thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noun {
    /// "order line"
    pub singular: String,
    /// "order lines"
    pub plural: String,
}

/// How a date is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateForm {
    /// Text, `2024-03-15` (a time may follow).
    Iso,
    /// Integer, `20240315`.
    Compact,
}

/// What a column is to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Primary or foreign key: joined on, never asked about.
    Key,
    /// Names the row; values are copied into questions.
    Label,
    /// Text with few values.
    Category,
    /// Code letters whose meaning only the glossary knows.
    Code,
    /// A quantity.
    Number,
    /// A number that is compared and sorted by but never added up: a year, a rank.
    Ordinal,
    /// Money stored as whole hundredths; questions and answers use whole units.
    Cents,
    /// A calendar date.
    Date(DateForm),
    /// 0 or 1.
    Flag,
    /// Nothing the grammar asks about (blobs, long text).
    Other,
}

/// Words for one table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableWords {
    /// At least one; the first is the usual one.
    pub nouns: Vec<Noun>,
    /// The column that names a row, if any does.
    pub label: Option<usize>,
    /// Predicate that every question silently means, as `{void} = 0`.
    pub scope: Option<String>,
}

/// Words for one column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnWords {
    /// At least one.
    pub phrases: Vec<String>,
    /// See [`Role`].
    pub role: Role,
}

/// A business word that stands for a predicate: "out of stock", "open orders".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFilter {
    /// Index of the table.
    pub table: usize,
    /// Adjective before the noun ("open"), or empty.
    pub before: String,
    /// Clause after the noun ("that are out of stock"), or empty.
    pub after: String,
    /// Replaces the table's noun: "violins" for products of one family.
    pub noun: Option<Noun>,
    /// `{column}` stands for a column of the table.
    pub predicate: String,
}

/// A business word that stands for an aggregate: "revenue".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// Index of the table whose rows it sums over.
    pub table: usize,
    /// "revenue"
    pub phrase: String,
    /// `{column}` stands for a column of the table.
    pub expression: String,
}

/// The whole way of speaking, indexed as the schema is.
#[derive(Debug, Clone, PartialEq)]
pub struct Vocabulary {
    /// Per table.
    pub tables: Vec<TableWords>,
    /// Per table and column.
    pub columns: Vec<Vec<ColumnWords>>,
    /// Business words for predicates.
    pub filters: Vec<NamedFilter>,
    /// Business words for aggregates.
    pub measures: Vec<Measure>,
}

/// Overrides by name, as a configuration or a curated task gives them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Glossary {
    /// Table, nouns as ("customer", "customers"), label column, scope.
    pub tables: Vec<GlossaryTable>,
    /// Table, column, phrases, role.
    pub columns: Vec<GlossaryColumn>,
    /// Table, before, after, predicate.
    pub filters: Vec<GlossaryFilter>,
    /// Table, phrase, expression.
    pub measures: Vec<GlossaryMeasure>,
}

/// See [`TableWords`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GlossaryTable {
    /// Name in the schema.
    pub table: String,
    /// Replaces the inferred nouns unless empty.
    pub nouns: Vec<Noun>,
    /// Column that names a row.
    pub label: Option<String>,
    /// Silent predicate.
    pub scope: Option<String>,
}

/// See [`ColumnWords`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GlossaryColumn {
    /// Name in the schema.
    pub table: String,
    /// Name in the schema.
    pub column: String,
    /// Replaces the inferred phrases unless empty.
    pub phrases: Vec<String>,
    /// Replaces the inferred role.
    pub role: Option<Role>,
}

/// See [`NamedFilter`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GlossaryFilter {
    /// Name in the schema.
    pub table: String,
    /// Adjective.
    pub before: String,
    /// Clause.
    pub after: String,
    /// Noun.
    pub noun: Option<Noun>,
    /// Predicate.
    pub predicate: String,
}

/// See [`Measure`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GlossaryMeasure {
    /// Name in the schema.
    pub table: String,
    /// Phrase.
    pub phrase: String,
    /// Expression.
    pub expression: String,
}

impl Vocabulary {
    /// What names, types and sampled values suggest.
    #[must_use]
    pub fn infer(schema: &Schema) -> Vocabulary {
        infer::infer(schema)
    }

    /// Replaces guesses by what the glossary says.
    ///
    /// # Errors
    /// A glossary entry that names a table or column that the schema lacks.
    pub fn apply(&mut self, schema: &Schema, glossary: &Glossary) -> Result<(), Error> {
        for entry in &glossary.tables {
            let table = find_table(schema, &entry.table)?;
            let words = &mut self.tables[table];
            if !entry.nouns.is_empty() {
                words.nouns.clone_from(&entry.nouns);
            }
            if let Some(label) = &entry.label {
                words.label = Some(find_column(schema, table, label)?);
            }
            if let Some(scope) = &entry.scope {
                check_placeholders(schema, table, scope)?;
                words.scope = Some(scope.clone());
            }
        }
        for entry in &glossary.columns {
            let table = find_table(schema, &entry.table)?;
            let column = find_column(schema, table, &entry.column)?;
            let words = &mut self.columns[table][column];
            if !entry.phrases.is_empty() {
                words.phrases.clone_from(&entry.phrases);
            }
            words.role = entry.role.unwrap_or(words.role);
        }
        for entry in &glossary.filters {
            let table = find_table(schema, &entry.table)?;
            check_placeholders(schema, table, &entry.predicate)?;
            let GlossaryFilter { before, after, noun, predicate, .. } = entry.clone();
            self.filters.push(NamedFilter { table, before, after, noun, predicate });
        }
        for GlossaryMeasure { table, phrase, expression } in &glossary.measures {
            let table = find_table(schema, table)?;
            check_placeholders(schema, table, expression)?;
            self.measures.push(Measure { table, phrase: phrase.clone(), expression: expression.clone() });
        }
        Ok(())
    }

    /// Columns of a table that have one of the roles.
    #[must_use]
    pub fn columns_with(&self, table: usize, wanted: fn(Role) -> bool) -> Vec<usize> {
        let columns = self.columns[table].iter().enumerate();
        columns.filter(|(_, words)| wanted(words.role)).map(|(index, _)| index).collect()
    }
}

fn find_table(schema: &Schema, name: &str) -> Result<usize, Error> {
    schema.table(name).ok_or_else(|| Error::UnknownTable {
        name: name.to_owned(),
        known: schema.tables.iter().map(|table| table.name.clone()).collect(),
    })
}

fn find_column(schema: &Schema, table: usize, name: &str) -> Result<usize, Error> {
    let table = &schema.tables[table];
    table.column(name).ok_or_else(|| Error::UnknownColumn {
        table: table.name.clone(),
        name: name.to_owned(),
        known: table.columns.iter().map(|column| column.name.clone()).collect(),
    })
}

/// Every `{name}` of a predicate or expression must be a column.
fn check_placeholders(schema: &Schema, table: usize, text: &str) -> Result<(), Error> {
    for part in text.split('{').skip(1) {
        find_column(schema, table, part.split('}').next().unwrap_or_default())?;
    }
    Ok(())
}

/// A sampled value that a question can quote.
pub(crate) fn sampled_text(samples: &[Value]) -> Vec<&str> {
    samples.iter().filter_map(Value::text).collect()
}
