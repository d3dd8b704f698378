//! Columns in Arrow's physical layout: values back to back, validity as little-endian bits. The
//! host moves the buffers in and out as they are, so a guest needs no Arrow library.

use crate::Error;

/// Text: row `i` is `bytes[offsets[i]..offsets[i + 1]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utf8Column {
    /// One more than there are rows; starts at 0.
    pub offsets: Vec<u32>,
    /// UTF-8.
    pub bytes: Vec<u8>,
    /// A set bit is a value, a clear bit a null; `None`: no nulls.
    pub validity: Option<Vec<u8>>,
}

/// 64-bit floats.
#[derive(Debug, Clone, PartialEq)]
pub struct Float64Column {
    /// One per row.
    pub values: Vec<f64>,
    /// As in [`Utf8Column`].
    pub validity: Option<Vec<u8>>,
}

/// 64-bit signed integers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Int64Column {
    /// One per row.
    pub values: Vec<i64>,
    /// As in [`Utf8Column`].
    pub validity: Option<Vec<u8>>,
}

/// Booleans, bit-packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BooleanColumn {
    /// Bits, least significant first.
    pub bits: Vec<u8>,
    /// Number of rows.
    pub rows: usize,
    /// As in [`Utf8Column`].
    pub validity: Option<Vec<u8>>,
}

/// One column of a [`crate::Batch`].
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Text.
    Utf8(Utf8Column),
    /// One JSON document per row.
    Json(Utf8Column),
    /// 64-bit floats.
    Float64(Float64Column),
    /// 64-bit signed integers.
    Int64(Int64Column),
    /// Booleans.
    Boolean(BooleanColumn),
    /// A one-column, uncompressed Arrow IPC stream; for nested types.
    Ipc(Vec<u8>),
}

impl Utf8Column {
    /// Texts without nulls.
    pub fn from_texts<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Self {
        texts.into_iter().map(Some).collect()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Row `i`; `None` for a null and past the end.
    pub fn get(&self, i: usize) -> Option<&str> {
        if !is_valid(self.validity.as_deref(), i) {
            return None;
        }
        let (start, end) = (*self.offsets.get(i)?, *self.offsets.get(i + 1)?);
        std::str::from_utf8(self.bytes.get(start as usize..end as usize)?).ok()
    }

    /// Row `i`, a null being the empty text.
    pub fn text(&self, i: usize) -> &str {
        self.get(i).unwrap_or_default()
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        (0..self.len()).map(|i| self.get(i))
    }
}

impl<S: AsRef<str>> FromIterator<Option<S>> for Utf8Column {
    fn from_iter<I: IntoIterator<Item = Option<S>>>(rows: I) -> Self {
        let (mut offsets, mut bytes, mut bits) = (vec![0], Vec::new(), Bits::default());
        for row in rows {
            bits.push(row.is_some());
            if let Some(text) = &row {
                bytes.extend_from_slice(text.as_ref().as_bytes());
            }
            // A batch is limited to far less than 4 GiB by the host.
            offsets.push(bytes.len() as u32);
        }
        Self { offsets, bytes, validity: bits.into_validity() }
    }
}

impl Float64Column {
    /// Row `i`; `None` for a null and past the end.
    pub fn get(&self, i: usize) -> Option<f64> {
        if is_valid(self.validity.as_deref(), i) { self.values.get(i).copied() } else { None }
    }
}

impl FromIterator<Option<f64>> for Float64Column {
    fn from_iter<I: IntoIterator<Item = Option<f64>>>(rows: I) -> Self {
        let (values, validity) = split_nulls(rows);
        Self { values, validity }
    }
}

impl Int64Column {
    /// Row `i`; `None` for a null and past the end.
    pub fn get(&self, i: usize) -> Option<i64> {
        if is_valid(self.validity.as_deref(), i) { self.values.get(i).copied() } else { None }
    }
}

impl FromIterator<Option<i64>> for Int64Column {
    fn from_iter<I: IntoIterator<Item = Option<i64>>>(rows: I) -> Self {
        let (values, validity) = split_nulls(rows);
        Self { values, validity }
    }
}

impl BooleanColumn {
    /// Row `i`; `None` for a null and past the end.
    pub fn get(&self, i: usize) -> Option<bool> {
        (i < self.rows && is_valid(self.validity.as_deref(), i)).then(|| bit(&self.bits, i))
    }
}

impl FromIterator<Option<bool>> for BooleanColumn {
    fn from_iter<I: IntoIterator<Item = Option<bool>>>(rows: I) -> Self {
        let (mut values, mut validity) = (Bits::default(), Bits::default());
        for row in rows {
            values.push(row.unwrap_or(false));
            validity.push(row.is_some());
        }
        Self { rows: values.len, bits: values.bytes, validity: validity.into_validity() }
    }
}

impl Column {
    /// Number of rows; unknown for an IPC column.
    pub fn rows(&self) -> Option<usize> {
        match self {
            Self::Utf8(column) | Self::Json(column) => Some(column.len()),
            Self::Float64(column) => Some(column.values.len()),
            Self::Int64(column) => Some(column.values.len()),
            Self::Boolean(column) => Some(column.rows),
            Self::Ipc(_) => None,
        }
    }

    /// The text column it is, or an error that names `name`.
    pub fn as_utf8(&self, name: &str) -> Result<&Utf8Column, Error> {
        match self {
            Self::Utf8(column) | Self::Json(column) => Ok(column),
            other => Err(other.mismatch(name, "utf8")),
        }
    }

    pub(crate) fn mismatch(&self, name: &str, expected: &str) -> Error {
        let found = match self {
            Self::Utf8(_) => "utf8",
            Self::Json(_) => "json",
            Self::Float64(_) => "float64",
            Self::Int64(_) => "int64",
            Self::Boolean(_) => "boolean",
            Self::Ipc(_) => "ipc",
        };
        Error::SchemaMismatch(format!("column `{name}` should be {expected}, found {found}"))
    }
}

/// Bits, least significant first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    len: usize,
    any_clear: bool,
}

impl Bits {
    fn push(&mut self, set: bool) {
        if self.len.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let (true, Some(last)) = (set, self.bytes.last_mut()) {
            *last |= 1 << (self.len % 8);
        }
        self.any_clear |= !set;
        self.len += 1;
    }

    fn into_validity(self) -> Option<Vec<u8>> {
        self.any_clear.then_some(self.bytes)
    }
}

fn bit(bytes: &[u8], i: usize) -> bool {
    bytes.get(i / 8).is_some_and(|byte| byte >> (i % 8) & 1 == 1)
}

fn is_valid(validity: Option<&[u8]>, i: usize) -> bool {
    validity.is_none_or(|bits| bit(bits, i))
}

fn split_nulls<T: Default>(rows: impl IntoIterator<Item = Option<T>>) -> (Vec<T>, Option<Vec<u8>>) {
    let mut bits = Bits::default();
    let values = rows
        .into_iter()
        .map(|row| {
            bits.push(row.is_some());
            row.unwrap_or_default()
        })
        .collect();
    (values, bits.into_validity())
}

#[cfg(test)]
mod tests;
