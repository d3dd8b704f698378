//! Files of rows to one Arrow [`RecordBatch`]: CSV, JSON array, JSON lines, Parquet, Arrow IPC, text.
//!
//! Whatever the file, a column comes out as one of four types ([`normalize`]): `Utf8`, `Int64`,
//! `Float64`, `Boolean`; lists and objects become JSON text. Nothing is skipped: a row that cannot
//! be read is an error with its place. Must not know: roles, splits, tokens.

mod arrow;
mod csv;
mod json;
pub(crate) mod normalize;
pub(crate) mod parquet;
mod text;

use std::fs::File;
use std::path::Path;

use arrow_array::RecordBatch;

use crate::{Error, Result};

/// Largest file that is read into memory.
pub const MAX_FILE_BYTES: u64 = 4 << 30;

/// Formats by the name and the file extension that select them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header row; every column is text.
    Csv,
    /// The same with tabs.
    Tsv,
    /// One JSON array of objects.
    Json,
    /// One JSON object per line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC, file or stream.
    Arrow,
    /// Plain text; each row is this.
    Text(Unit),
}

pub use text::Unit;

impl Format {
    /// From the name given, else from the extension of `path`.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`].
    pub fn of(path: &Path, given: Option<&str>) -> Result<Format> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let name = given.map(str::to_lowercase).or(extension).unwrap_or_default();
        match name.as_str() {
            "csv" => Ok(Format::Csv),
            "tsv" => Ok(Format::Tsv),
            "json" => Ok(Format::Json),
            "jsonl" | "ndjson" => Ok(Format::Jsonl),
            "parquet" => Ok(Format::Parquet),
            "arrow" | "feather" | "ipc" | "arrows" => Ok(Format::Arrow),
            "txt" | "text" => Ok(Format::Text(Unit::Line)),
            "paragraphs" => Ok(Format::Text(Unit::Paragraph)),
            "document" => Ok(Format::Text(Unit::Document)),
            _ => Err(Error::UnknownFormat {
                path: path.to_path_buf(),
                found: if name.is_empty() { "a file without an extension".into() } else { format!("`{name}`") },
            }),
        }
    }
}

/// All rows of a file. `format`: `csv`, `tsv`, `json`, `jsonl`, `parquet`, `arrow`, `text`,
/// `paragraphs` or `document`; by extension if None.
///
/// # Errors
/// [`Error::Io`], [`Error::UnknownFormat`], [`Error::TooLarge`], [`Error::Empty`] (no rows),
/// [`Error::Malformed`] with the line, [`Error::Cell`] with the row and column,
/// [`Error::Parquet`], [`Error::ArrowFile`], [`Error::ColumnType`].
pub fn read_table(path: &Path, format: Option<&str>) -> Result<RecordBatch> {
    let format = Format::of(path, format)?;
    let file = open(path)?;
    let batch = match format {
        Format::Csv => csv::read(path, file, b',')?,
        Format::Tsv => csv::read(path, file, b'\t')?,
        Format::Json => json::read(path, file)?,
        Format::Jsonl => json::read_lines(path, file)?,
        Format::Parquet => parquet::read(path, file)?,
        Format::Arrow => arrow::read(path, file)?,
        Format::Text(unit) => text::read(path, file, unit)?,
    };
    if batch.num_rows() == 0 {
        return Err(Error::Empty { path: path.to_path_buf() });
    }
    normalize::normalize(&path.display().to_string(), &batch)
}

/// Opens a file of at most [`MAX_FILE_BYTES`].
pub(crate) fn open(path: &Path) -> Result<File> {
    let io = |source| Error::Io { path: path.to_path_buf(), action: "read", source };
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if metadata.is_dir() {
        return Err(io(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
    }
    let size_bytes = metadata.len();
    if size_bytes > MAX_FILE_BYTES {
        return Err(Error::TooLarge { path: path.to_path_buf(), size_bytes, limit_bytes: MAX_FILE_BYTES });
    }
    Ok(file)
}

/// A long or multi-line finding cut to one readable line.
fn shorten(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let line = text.trim().replace(['\n', '\r', '\t'], " ");
    match line.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("`{}…`", &line[..end]),
        None => format!("`{line}`"),
    }
}

#[cfg(test)]
mod tests;
