//! Reads a schema and sampled values from a live database through plain SELECTs.

use super::{Affinity, Column, Reference, Schema, Table, parse_create_table};
use crate::sql::identifier;
use crate::{Error, Value};

/// Whoever can run a SELECT: the plugin's `sql` import, or SQLite itself in tests.
pub trait SqlSource {
    /// All rows of a query.
    ///
    /// # Errors
    /// The database's own message.
    fn query(&mut self, sql: &str) -> Result<Vec<Vec<Value>>, String>;
}

/// How much of a database is looked at.
#[derive(Debug, Clone, Copy)]
pub struct ReadLimits {
    /// Tables beyond this many are not shown to the model.
    pub max_tables: usize,
    /// Columns beyond this many of a table are not shown.
    pub max_columns: usize,
    /// Distinct values sampled per column.
    pub max_samples: usize,
    /// Longer text values are never quoted in a question.
    pub max_text_chars: usize,
}

impl Default for ReadLimits {
    fn default() -> ReadLimits {
        ReadLimits { max_tables: 12, max_columns: 16, max_samples: 24, max_text_chars: 40 }
    }
}

/// The schema with sampled values. Tables come in creation order; views and SQLite's own tables are left out.
///
/// # Errors
/// A failing query, or a database without a readable table.
pub fn read_schema(source: &mut dyn SqlSource, limits: ReadLimits) -> Result<Schema, Error> {
    let mut schema = read_structure(source, limits)?;
    for index in 0..schema.tables.len() {
        let table = schema.tables[index].name.clone();
        for column in &mut schema.tables[index].columns {
            sample(source, &table, column, limits)?;
        }
    }
    Ok(schema)
}

fn read_structure(source: &mut dyn SqlSource, limits: ReadLimits) -> Result<Schema, Error> {
    const TABLES: &str =
        "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid";
    let rows = run(source, TABLES)?;
    let mut tables: Vec<Table> = Vec::new();
    let mut named = Vec::new();
    for row in rows {
        let Some((mut table, references)) = row.first().and_then(Value::text).and_then(parse_create_table) else {
            continue;
        };
        if tables.len() == limits.max_tables {
            break;
        }
        table.columns.truncate(limits.max_columns);
        named.push(references);
        tables.push(table);
    }
    if tables.is_empty() {
        return Err(Error::EmptySchema);
    }
    let mut schema = Schema { tables };
    for (child, references) in named.into_iter().enumerate() {
        for reference in references {
            let Some(parent) = schema.table(&reference.parent) else { continue };
            let target = &schema.tables[parent];
            let column = match &reference.parent_column {
                Some(name) => target.column(name),
                None => target.primary_key,
            };
            if let (Some(column), Some(from)) = (column, schema.tables[child].columns.get_mut(reference.column)) {
                from.references = Some(Reference { table: parent, column });
            }
        }
    }
    Ok(schema)
}

/// Distinct values in the database's own order (row order of first occurrence), so that the same file gives the same questions.
fn sample(source: &mut dyn SqlSource, table: &str, column: &mut Column, limits: ReadLimits) -> Result<(), Error> {
    let (name, table) = (identifier(&column.name), identifier(table));
    let limit = limits.max_samples + 1;
    let rows = run(
        source,
        &format!(
            "SELECT {name} FROM {table} WHERE {name} IS NOT NULL GROUP BY {name} ORDER BY MIN(rowid) LIMIT {limit}"
        ),
    )
    .or_else(|_| run(source, &format!("SELECT DISTINCT {name} FROM {table} WHERE {name} IS NOT NULL LIMIT {limit}")))?;
    column.more_values = rows.len() > limits.max_samples;
    let fits = |value: &Value| match value {
        Value::Null => false,
        Value::Text(text) => !text.is_empty() && text.chars().count() <= limits.max_text_chars && !text.contains('\n'),
        Value::Integer(_) | Value::Real(_) => true,
    };
    column.samples =
        rows.into_iter().filter_map(|row| row.into_iter().next()).filter(fits).take(limits.max_samples).collect();
    refine_affinity(column);
    Ok(())
}

/// SQLite does not enforce declared types: what the values are decides.
fn refine_affinity(column: &mut Column) {
    if column.samples.is_empty() {
        return;
    }
    let all = |test: fn(&Value) -> bool| column.samples.iter().all(test);
    column.affinity = if all(|value| matches!(value, Value::Integer(_))) {
        Affinity::Integer
    } else if all(|value| value.number().is_some()) {
        Affinity::Real
    } else {
        Affinity::Text
    };
}

fn run(source: &mut dyn SqlSource, sql: &str) -> Result<Vec<Vec<Value>>, Error> {
    source.query(sql).map_err(|message| Error::Query { sql: sql.to_owned(), message })
}
