//! Plain text: a row per line, per paragraph, or for the whole file; blank rows are none.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};

use super::csv::not_utf8;
use crate::{Error, Result};

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A line, as in Hugging Face's `datasets`.
    Line,
    /// Lines up to a blank one.
    Paragraph,
    /// The whole file.
    Document,
}

/// One column, `text`.
pub(super) fn read(path: &Path, mut file: File, unit: Unit) -> Result<RecordBatch> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|source| Error::Io { path: path.to_path_buf(), action: "read", source })?;
    let text = std::str::from_utf8(&bytes).map_err(|error| Error::Malformed {
        path: path.to_path_buf(),
        line: bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() as u64 + 1,
        expected: "UTF-8 text".into(),
        found: not_utf8(&bytes, error.valid_up_to()),
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let rows: Vec<&str> = match unit {
        Unit::Line => text.lines().collect(),
        Unit::Paragraph => paragraphs(&text),
        Unit::Document => vec![text.as_str()],
    };
    let rows: StringArray = rows.into_iter().filter(|row| !row.trim().is_empty()).map(Some).collect();
    Ok(RecordBatch::try_from_iter([("text", Arc::new(rows) as ArrayRef)])?)
}

/// Stretches of lines between blank ones.
fn paragraphs(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() {
            found.push(text[start..at].trim_end());
            start = at + line.len();
        }
        at += line.len();
    }
    found.push(text[start..].trim_end());
    found
}
