//! JSON arrays of objects and JSON lines. A column has one type in all rows; where a row differs,
//! the error names it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};
use serde_json::{Map, Value};

use super::csv::not_utf8;
use super::shorten;
use crate::{Error, Result};

/// Longest line of a JSONL file: a row of text for a language model is a thousandth of it.
const MAX_LINE_BYTES: u64 = 64 << 20;

type Row = Map<String, Value>;

/// A JSON array of objects. A file that holds objects one after the other (JSON lines under the
/// name `.json`, which is common) is read as such.
pub(super) fn read(path: &Path, file: File) -> Result<RecordBatch> {
    let mut bytes = Vec::new();
    BufReader::new(file).read_to_end(&mut bytes).map_err(|source| Error::Io {
        path: path.to_path_buf(),
        action: "read",
        source,
    })?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        malformed(path, line, "UTF-8 text", not_utf8(&bytes, error.valid_up_to()))
    })?;
    let text = text.trim_start_matches('\u{feff}');
    match text.trim_start().bytes().next() {
        None => Err(Error::Empty { path: path.to_path_buf() }),
        Some(b'{') => {
            let lines = text.lines().map(|line| Ok(line.as_bytes().to_vec()));
            rows_of_lines(path, lines).and_then(|rows| columns(path, &rows))
        }
        Some(_) => {
            const EXPECTED: &str = "a JSON array of objects";
            let values = match serde_json::from_str(text).map_err(|error| syntax(path, 0, EXPECTED, &error))? {
                Value::Array(values) => values,
                other => {
                    let found = format!("{} {}", kind_name(&other), shorten(&other.to_string()));
                    return Err(malformed(path, 1, EXPECTED, found));
                }
            };
            let rows = values.into_iter().enumerate().map(|(index, value)| object(path, index, value));
            columns(path, &rows.collect::<Result<Vec<Row>>>()?)
        }
    }
}

/// One JSON object per line; blank lines are no rows.
pub(super) fn read_lines(path: &Path, file: File) -> Result<RecordBatch> {
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let lines = std::iter::from_fn(|| {
        let mut line = Vec::new();
        match reader.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(Ok(line)),
            Err(source) => Some(Err(Error::Io { path: path.to_path_buf(), action: "read", source })),
        }
    });
    columns(path, &rows_of_lines(path, lines)?)
}

fn rows_of_lines(path: &Path, lines: impl Iterator<Item = Result<Vec<u8>>>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (index, line) in lines.enumerate() {
        let (number, line) = (index as u64 + 1, line?);
        if line.len() as u64 > MAX_LINE_BYTES {
            let expected = format!("a line of at most {MAX_LINE_BYTES} bytes");
            return Err(malformed(path, number, &expected, "a longer one".into()));
        }
        let text = std::str::from_utf8(&line)
            .map_err(|error| malformed(path, number, "UTF-8 text", not_utf8(&line, error.valid_up_to())))?;
        let text = if index == 0 { text.trim_start_matches('\u{feff}') } else { text };
        if text.trim().is_empty() {
            continue;
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(row)) => rows.push(row),
            Ok(other) => {
                return Err(malformed(
                    path,
                    number,
                    "a JSON object",
                    format!("{} {}", kind_name(&other), shorten(text)),
                ));
            }
            Err(error) => return Err(syntax(path, number, "a JSON object", &error)),
        }
    }
    Ok(rows)
}

fn object(path: &Path, index: usize, value: Value) -> Result<Row> {
    match value {
        Value::Object(row) => Ok(row),
        other => Err(Error::Row {
            what: path.display().to_string(),
            row: index as u64 + 1,
            expected: "a JSON object".into(),
            found: format!("{} {}", kind_name(&other), shorten(&other.to_string())),
        }),
    }
}

/// `line` 0: the error's own line counts.
fn syntax(path: &Path, line: u64, expected: &str, error: &serde_json::Error) -> Error {
    let message = error.to_string();
    let reason = message.split(" at line ").next().unwrap_or_default();
    let line = if line == 0 { error.line() as u64 } else { line };
    malformed(path, line, expected, format!("malformed JSON: {reason} at column {}", error.column()))
}

fn malformed(path: &Path, line: u64, expected: &str, found: String) -> Error {
    Error::Malformed { path: path.to_path_buf(), line, expected: expected.to_string(), found }
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Int,
    Float,
    Text,
    /// Lists and objects, as JSON text.
    Nested,
}

impl Kind {
    fn of(value: &Value) -> Option<Kind> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(_) => Kind::Bool,
            Value::Number(number) if number.is_i64() => Kind::Int,
            Value::Number(_) => Kind::Float,
            Value::String(_) => Kind::Text,
            Value::Array(_) | Value::Object(_) => Kind::Nested,
        })
    }

    /// Integers among fractions are fractions; nothing else mixes.
    fn join(self, other: Kind) -> Option<Kind> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Kind::Int, Kind::Float) | (Kind::Float, Kind::Int) => Some(Kind::Float),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Bool => "a boolean",
            Kind::Int | Kind::Float => "a number",
            Kind::Text => "a string",
            Kind::Nested => "a list or object",
        }
    }
}

fn kind_name(value: &Value) -> &'static str {
    Kind::of(value).map_or("null", Kind::name)
}

/// Columns in the order in which rows first name them; a key that a row lacks is null.
fn columns(path: &Path, rows: &[Row]) -> Result<RecordBatch> {
    let mut names: Vec<&String> = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    for key in rows.iter().flat_map(Map::keys) {
        if known.insert(key) {
            names.push(key);
        }
    }
    if names.is_empty() {
        return Err(Error::Empty { path: path.to_path_buf() });
    }
    let arrays: Vec<ArrayRef> = names.iter().map(|name| column(path, rows, name)).collect::<Result<_>>()?;
    let fields: Vec<Field> =
        names.iter().zip(&arrays).map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

fn column(path: &Path, rows: &[Row], name: &str) -> Result<ArrayRef> {
    let mut kind: Option<(Kind, usize)> = None;
    for (index, row) in rows.iter().enumerate() {
        let Some(found) = row.get(name).and_then(Kind::of) else { continue };
        kind = match kind {
            None => Some((found, index)),
            Some((expected, first)) => Some((
                expected.join(found).ok_or_else(|| Error::Cell {
                    what: path.display().to_string(),
                    row: index as u64 + 1,
                    column: name.to_string(),
                    expected: format!("{}, as in row {}", expected.name(), first + 1),
                    found: format!("{} {}", found.name(), shorten(&row[name].to_string())),
                })?,
                first,
            )),
        };
    }
    let cells = rows.iter().map(|row| row.get(name).filter(|value| !value.is_null()));
    Ok(match kind.map_or(Kind::Text, |(kind, _)| kind) {
        Kind::Bool => Arc::new(cells.map(|cell| cell.and_then(Value::as_bool)).collect::<BooleanArray>()),
        Kind::Int => Arc::new(cells.map(|cell| cell.and_then(Value::as_i64)).collect::<Int64Array>()),
        Kind::Float => Arc::new(cells.map(|cell| cell.and_then(Value::as_f64)).collect::<Float64Array>()),
        Kind::Text => Arc::new(cells.map(|cell| cell.and_then(Value::as_str)).collect::<StringArray>()),
        Kind::Nested => Arc::new(cells.map(|cell| cell.map(Value::to_string)).collect::<StringArray>()),
    })
}
