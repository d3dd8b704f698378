//! What people say about rows: accepted, rejected, corrected, labeled.
//!
//! ```text
//! source dataset + edits in their order ─apply─► derived dataset (another fingerprint) + verdicts
//! ```
//!
//! The source stays as it was imported; edits name rows by a key of their content, so that they
//! still fit after more rows were imported. Must not know: who made an edit, and where they are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::filter::filter_record_batch;

use crate::dataset::{SPLIT, cells, fingerprint};
use crate::format::{parse_list, take_apart};
use crate::{Dataset, Error, Result};

/// Reason in [`Dataset::accounting`] of rows that a person rejected.
pub const REJECTED: &str = "rejected in review";

/// Column of labels that name no column of their own.
pub const LABEL: &str = "label";

/// What an edit does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The row is right as it is.
    Accept,
    /// The row is left out.
    Reject,
    /// A cell is replaced.
    Correct {
        /// The column.
        column: String,
        /// What it holds from now on.
        new: String,
    },
    /// A word about the row, in a column of its own.
    Label {
        /// The column, made if it is not there.
        column: String,
        /// The word.
        new: String,
    },
}

/// One edit of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The row's key; see [`row_keys`].
    pub key: String,
    /// What is done.
    pub action: Action,
}

/// What a person said last about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Right as it is.
    Accepted,
    /// Left out.
    Rejected,
    /// Right as it was corrected.
    Corrected,
}

/// A dataset after its edits.
#[derive(Debug, Clone)]
pub struct Reviewed {
    /// Rejected rows gone, corrected cells replaced, labels added. The source itself if no edit
    /// changes it.
    pub derived: Dataset,
    /// By the source's rows.
    pub verdicts: Vec<Option<Verdict>>,
    /// Labels by the source's rows.
    pub labels: Vec<BTreeMap<String, String>>,
    /// The source's rows with corrections and labels, the rejected ones too.
    pub rows: RecordBatch,
}

/// A key per row: a hash of its content without the split, and which of equal rows it is.
pub fn row_keys(source: &Dataset) -> Vec<String> {
    let schema = source.batch.schema();
    let columns: Vec<&dyn Array> = schema
        .fields()
        .iter()
        .zip(source.batch.columns())
        .filter(|(field, _)| field.name() != SPLIT)
        .map(|(_, array)| array.as_ref())
        .collect();
    let mut seen: BTreeMap<[u8; 32], u64> = BTreeMap::new();
    let key = |row| {
        let hash = fingerprint::of_row(&columns, row);
        let n = seen.entry(hash).and_modify(|n| *n += 1).or_insert(1);
        let hex: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{hex}#{n}")
    };
    (0..source.batch.num_rows()).map(key).collect()
}

/// The column and the whole cell that a correction means: a column by its name or its role, and of a
/// chat row its `completion`, which is its last assistant turn.
///
/// # Errors
/// [`Error::MissingColumn`]; [`Error::Cell`] if the new text does not fit the column.
pub fn correction(source: &Dataset, row: usize, name: &str, new: &str) -> Result<(String, String)> {
    let columns = crate::roles::column_names(&source.batch);
    if name == SPLIT {
        return Err(Error::Splits { expected: "rows to keep their split", found: "a correction of it".into() });
    }
    if let (Some(column), "completion" | "answer", false) =
        (&source.roles.messages, name, columns.iter().any(|column| column == name))
    {
        let text = cells::text(crate::dataset::find_column(&source.name, &source.batch, column)?, row);
        return Ok((column.clone(), with_answer(&text, new)));
    }
    let by_role = source.roles.named().into_iter().find(|(role, _)| *role == name).map(|(_, column)| column.clone());
    let column = columns.iter().find(|column| *column == name).cloned().or(by_role);
    let column = column.ok_or_else(|| crate::roles::missing_column(&source.name, name, &columns))?;
    let kind = crate::dataset::find_column(&source.name, &source.batch, &column)?.data_type().clone();
    if !fits(&kind, new) {
        return Err(Error::Cell {
            what: source.name.clone(),
            row: row as u64 + 1,
            column,
            expected: format!("a value of type {kind}"),
            found: format!("`{new}`"),
        });
    }
    Ok((column, new.to_string()))
}

/// A conversation whose last assistant turn says something else.
fn with_answer(text: &str, new: &str) -> String {
    let turns = parse_list(text).unwrap_or_default();
    let conversation = take_apart(turns);
    let answer = crate::Message::new("assistant", new);
    let turns = conversation.context.into_iter().chain([answer]);
    let json = |turn: crate::Message| {
        let mut fields = turn.extra;
        fields.insert("role".into(), turn.role.into());
        fields.insert("content".into(), turn.content.into());
        serde_json::Value::from(fields)
    };
    serde_json::Value::from(turns.map(json).collect::<Vec<_>>()).to_string()
}

/// The dataset after `edits`, made in their order. Edits of rows that are not there (any more) do
/// nothing.
///
/// # Errors
/// [`Error::NothingKept`] if every row is rejected; [`Error::Cell`] for a correction that does not
/// fit its column's type.
pub fn apply(source: &Dataset, edits: &[Edit]) -> Result<Reviewed> {
    let row_of: BTreeMap<String, usize> =
        row_keys(source).into_iter().enumerate().map(|(row, key)| (key, row)).collect();
    let n_rows = source.batch.num_rows();
    let mut verdicts = vec![None; n_rows];
    let mut labels = vec![BTreeMap::new(); n_rows];
    let mut changes: BTreeMap<&str, BTreeMap<usize, &str>> = BTreeMap::new();
    for edit in edits {
        let Some(row) = row_of.get(&edit.key).copied() else { continue };
        match &edit.action {
            Action::Accept => verdicts[row] = Some(Verdict::Accepted),
            Action::Reject => verdicts[row] = Some(Verdict::Rejected),
            Action::Correct { column, new } => {
                verdicts[row] = Some(Verdict::Corrected);
                changes.entry(column).or_default().insert(row, new);
            }
            Action::Label { column, new } => {
                labels[row].insert(column.clone(), new.clone());
                changes.entry(column).or_default().insert(row, new);
            }
        }
    }
    let rows = changed(source, &changes)?;
    let derived = derive(source, &rows, &verdicts)?;
    Ok(Reviewed { derived, verdicts, labels, rows })
}

fn derive(source: &Dataset, rows: &RecordBatch, verdicts: &[Option<Verdict>]) -> Result<Dataset> {
    let keep: BooleanArray = verdicts.iter().map(|verdict| Some(*verdict != Some(Verdict::Rejected))).collect();
    let n_rejected = keep.false_count() as u64;
    let batch = filter_record_batch(rows, &keep)?;
    let fingerprint = fingerprint::of(&batch);
    if fingerprint == source.fingerprint {
        return Ok(source.clone());
    }
    let mut accounting = source.accounting.clone();
    accounting.kept = batch.num_rows() as u64;
    if n_rejected > 0 {
        *accounting.rejected.entry(REJECTED.into()).or_default() += n_rejected;
    }
    if batch.num_rows() == 0 {
        let (requested, rejected) = (accounting.requested, accounting.rejected);
        return Err(Error::NothingKept { what: source.name.clone(), requested, rejected });
    }
    let derived_from = Some(source.fingerprint.clone());
    Ok(Dataset { batch, fingerprint, accounting, derived_from, ..source.clone() })
}

/// The rows with some cells replaced and columns added.
fn changed(source: &Dataset, changes: &BTreeMap<&str, BTreeMap<usize, &str>>) -> Result<RecordBatch> {
    let schema = source.batch.schema();
    let mut fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    let mut arrays = source.batch.columns().to_vec();
    for (column, cells) in changes {
        match fields.iter().position(|field| field.name() == column) {
            Some(index) => arrays[index] = replaced(source, column, &arrays[index], cells)?,
            None => {
                let label = |row| cells.get(&row).copied();
                let added: StringArray = (0..source.batch.num_rows()).map(label).collect();
                fields.push(Field::new(*column, DataType::Utf8, true));
                arrays.push(Arc::new(added));
            }
        }
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

fn replaced(source: &Dataset, column: &str, array: &ArrayRef, cells: &BTreeMap<usize, &str>) -> Result<ArrayRef> {
    let kind = array.data_type();
    if let Some((row, new)) = cells.iter().find(|(_, new)| !fits(kind, new)) {
        return Err(Error::Cell {
            what: source.name.clone(),
            row: *row as u64 + 1,
            column: column.to_string(),
            expected: format!("a value of type {kind}"),
            found: format!("`{new}`"),
        });
    }
    let text = |row: usize| match cells.get(&row) {
        Some(new) => Some((*new).to_string()),
        None if array.is_null(row) => None,
        None => Some(cells::text(array, row)),
    };
    let texts = (0..array.len()).map(text);
    Ok(match kind {
        DataType::Int64 => Arc::new(texts.map(|text| text?.trim().parse().ok()).collect::<Int64Array>()),
        DataType::Float64 => Arc::new(texts.map(|text| text?.trim().parse().ok()).collect::<Float64Array>()),
        DataType::Boolean => Arc::new(texts.map(|text| truth(&text?)).collect::<BooleanArray>()),
        _ => Arc::new(texts.collect::<StringArray>()),
    })
}

fn fits(kind: &DataType, text: &str) -> bool {
    match kind {
        DataType::Int64 => text.trim().parse::<i64>().is_ok(),
        DataType::Float64 => text.trim().parse::<f64>().is_ok(),
        DataType::Boolean => truth(text).is_some(),
        _ => true,
    }
}

fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
