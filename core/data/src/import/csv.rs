//! CSV with a header row. Cells stay text: a CSV file has no types, and `007` is no 7.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, builder::StringBuilder};
use arrow_schema::{DataType, Field, Schema};

use super::shorten;
use crate::{Error, Result};

pub(super) fn read(path: &Path, mut file: File, delimiter: u8) -> Result<RecordBatch> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|source| Error::Io { path: path.to_path_buf(), action: "read", source })?;
    let text = utf8(path, &bytes)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader =
        ::csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut records = reader.records();
    let Some(header) = records.next() else { return Err(Error::Empty { path: path.to_path_buf() }) };
    let header = header.map_err(|error| malformed(path, 1, "a header row", error.to_string()))?;
    let names = column_names(path, &header)?;
    let mut columns: Vec<StringBuilder> = names.iter().map(|_| StringBuilder::new()).collect();
    let mut last_start = 0;
    for record in records {
        let record = record.map_err(|error| malformed(path, line_of(&error), "a CSV row", error.to_string()))?;
        let (line, start) = record.position().map_or((0, 0), |position| (position.line(), position.byte()));
        last_start = start as usize;
        if record.len() != names.len() {
            let expected = format!("{} cells, as in the header", names.len());
            return Err(malformed(path, line, &expected, format!("{} cells", record.len())));
        }
        for (column, cell) in columns.iter_mut().zip(&record) {
            column.append_value(cell);
        }
    }
    closing_quote(path, text, last_start)?;
    let arrays: Vec<ArrayRef> = columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
    let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

fn column_names(path: &Path, header: &::csv::StringRecord) -> Result<Vec<String>> {
    let mut seen = BTreeSet::new();
    for name in header {
        if name.trim().is_empty() {
            return Err(malformed(path, 1, "a name for every column in the header", "an empty name".into()));
        }
        if !seen.insert(name.trim()) {
            return Err(malformed(path, 1, "every column name once in the header", format!("`{name}` twice")));
        }
    }
    Ok(header.iter().map(|name| name.trim().to_string()).collect())
}

/// The reader takes an unclosed quote to the end of the file as one cell; that swallows rows.
fn closing_quote(path: &Path, text: &str, last_start: usize) -> Result<()> {
    let last = text.get(last_start..).unwrap_or_default();
    let is_open = last.bytes().filter(|byte| *byte == b'"').count() % 2 == 1;
    if is_open && last.trim_end().contains('\n') {
        let line = text[..last_start].bytes().filter(|byte| *byte == b'\n').count() as u64 + 1;
        return Err(malformed(path, line, "a closing quote", format!("the end of the file after {}", shorten(last))));
    }
    Ok(())
}

fn utf8<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        malformed(path, line, "UTF-8 text", not_utf8(bytes, error.valid_up_to()))
    })
}

/// What stands where UTF-8 ends, for an error.
pub(super) fn not_utf8(bytes: &[u8], at: usize) -> String {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "UTF-16 (save the file as UTF-8)".into(),
        _ => format!("byte 0x{:02X}", bytes.get(at).copied().unwrap_or_default()),
    }
}

fn line_of(error: &::csv::Error) -> u64 {
    error.position().map_or(0, ::csv::Position::line)
}

fn malformed(path: &Path, line: u64, expected: &str, found: String) -> Error {
    Error::Malformed { path: path.to_path_buf(), line, expected: expected.to_string(), found }
}
