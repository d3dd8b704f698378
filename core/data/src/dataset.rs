//! Rows, what their columns mean, and their identity.
//!
//! ```no_run
//! use luthier_data::Dataset;
//! let spec = luthier_protocol::spec::DatasetSpec::default();
//! let dataset = Dataset::import("shop.jsonl".as_ref(), &spec)?;
//! dataset.write(".luthier/datasets/shop".as_ref())?;
//! assert_eq!(Dataset::read(".luthier/datasets/shop".as_ref())?.fingerprint, dataset.fingerprint);
//! # Ok::<(), luthier_data::Error>(())
//! ```

pub(crate) mod cells;
mod checks;
pub(crate) mod fingerprint;
mod splits;
mod store;

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use luthier_protocol::response::Accounting;
use luthier_protocol::spec::{DatasetSpec, RolesSpec};
use serde::{Deserialize, Serialize};

use crate::import::{normalize::normalize, read_table};
use crate::roles::{column_names, missing_column};
use crate::{Error, Result, Roles};

/// Name of the column that assigns rows to splits.
pub const SPLIT: &str = "split";

/// The task template that renders a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemplateUse {
    /// Plugin id.
    pub id: String,
    /// Its configuration.
    pub config: serde_json::Value,
    /// `sha256:…` of the component.
    pub digest: String,
}

/// What [`Dataset::from_batch`] is told besides the rows.
#[derive(Debug, Clone, Default)]
pub struct DatasetOptions {
    /// Roles given; the others are guessed from well-known names.
    pub roles: RolesSpec,
    /// Shares by split name; empty: train 0.9, test 0.1. A `split` column wins.
    pub splits: BTreeMap<String, f64>,
    /// The template that renders the rows; then roles are not required.
    pub template: Option<TemplateUse>,
    /// SQLite files by name.
    pub databases: BTreeMap<String, String>,
    /// Where rows came from, for people.
    pub source: String,
    /// What happened to rows before these; its `kept` counts these.
    pub accounting: Option<Accounting>,
}

/// Rows, what their columns mean, and their identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Name in the project.
    pub name: String,
    /// All rows; columns are `Utf8`, `Int64`, `Float64` or `Boolean`; `split` (`Utf8`) is one.
    pub batch: RecordBatch,
    /// Which column is what.
    pub roles: Roles,
    /// `sha256:…` of schema, content and order.
    pub fingerprint: String,
    /// Fingerprint of the version that people's edits were made to, if any were (see
    /// [`crate::review`]).
    pub derived_from: Option<String>,
    /// The template that renders it, if any.
    pub template: Option<TemplateUse>,
    /// SQLite files by name.
    pub databases: BTreeMap<String, String>,
    /// requested = kept + Σ rejected + Σ failed.
    pub accounting: Accounting,
    /// Where rows came from.
    pub source: String,
    /// Findings for people: duplicates, rows shared between splits, empty splits.
    pub warnings: Vec<String>,
}

impl Dataset {
    /// Imports the file at `path` (`spec.path` is not looked at: the caller has resolved it) with
    /// the spec's format, roles, splits and databases. `spec.template` means that roles are not
    /// required; the caller sets [`Dataset::template`].
    ///
    /// # Errors
    /// As [`read_table`] and [`Dataset::from_batch`].
    pub fn import(path: &Path, spec: &DatasetSpec) -> Result<Dataset> {
        let batch = renamed(&path.display().to_string(), read_table(path, spec.format.as_deref())?, &spec.columns)?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let template = spec.template.as_ref().map(|id| TemplateUse {
            id: id.clone(),
            config: serde_json::to_value(&spec.config).unwrap_or_default(),
            digest: String::new(),
        });
        let options = DatasetOptions {
            roles: spec.roles.clone(),
            splits: spec.splits.clone(),
            template,
            databases: spec.databases.clone(),
            source: path.display().to_string(),
            accounting: None,
        };
        Self::from_batch(spec.name.as_deref().unwrap_or(&stem), batch, options)
    }

    /// Rows that exist already: a template's generator made them, or a client sent them. Rows that
    /// cannot teach anything (no prompt, no completion, no assistant turn) are rejected and
    /// counted; the others keep their order.
    ///
    /// # Errors
    /// [`Error::Roles`], [`Error::MissingColumn`], [`Error::ColumnType`], [`Error::Cell`] (chat
    /// messages or splits that are none), [`Error::Splits`], [`Error::NothingKept`].
    pub fn from_batch(name: &str, batch: RecordBatch, options: DatasetOptions) -> Result<Dataset> {
        let what = if options.source.is_empty() { name } else { &options.source };
        let batch = normalize(what, &batch)?;
        let roles = Roles::resolve(what, &column_names(&batch), &options.roles, options.template.is_none())?;
        let before = options.accounting.unwrap_or_else(|| fresh(batch.num_rows()));
        let checked = checks::check(what, &batch, &roles, options.template.is_some())?;
        let batch = filter_record_batch(&batch, &BooleanArray::from(checked.keep))?;
        let accounting = account(before, batch.num_rows(), checked.rejected);
        if batch.num_rows() == 0 {
            let Accounting { requested, rejected, .. } = accounting;
            return Err(Error::NothingKept { what: what.to_string(), requested, rejected });
        }
        let (batch, mut warnings) = splits::assign(what, batch, &roles, &options.splits)?;
        warnings.splice(0..0, checked.warnings);
        warnings.extend(checks::duplicates(what, &batch, &roles)?);
        Ok(Dataset {
            name: name.to_string(),
            fingerprint: fingerprint::of(&batch),
            batch,
            roles,
            derived_from: None,
            template: options.template,
            databases: options.databases,
            accounting,
            source: options.source,
            warnings,
        })
    }

    /// Writes `<fingerprint>.parquet` and then, as the step that counts, `dataset.json` into `dir`
    /// (made if absent). Earlier versions stay, for runs that were started on them.
    ///
    /// # Errors
    /// [`Error::Io`]; what was stored before is then still there.
    pub fn write(&self, dir: &Path) -> Result<()> {
        store::write(self, dir)
    }

    /// Reads what [`Dataset::write`] wrote last.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Stored`] (another format version, or rows that are not those of the
    /// fingerprint), [`Error::Parquet`].
    pub fn read(dir: &Path) -> Result<Dataset> {
        store::read(dir)
    }

    /// Reads the version of that fingerprint, which may be older than the last.
    ///
    /// # Errors
    /// As [`Dataset::read`].
    pub fn read_version(dir: &Path, fingerprint: &str) -> Result<Dataset> {
        store::read_version(dir, fingerprint)
    }

    /// Rows of one split, in order.
    ///
    /// # Errors
    /// [`Error::NoSuchSplit`] with the splits there are.
    pub fn split(&self, name: &str) -> Result<RecordBatch> {
        let splits = self.text_column(SPLIT)?;
        let wanted: BooleanArray = splits.iter().map(|split| Some(split == name)).collect();
        if wanted.true_count() == 0 {
            let splits = self.split_counts().into_iter().map(|(split, _)| split).collect();
            return Err(Error::NoSuchSplit { dataset: self.name.clone(), split: name.to_string(), splits });
        }
        Ok(filter_record_batch(&self.batch, &wanted)?)
    }

    /// Rows by split, in order of first appearance.
    pub fn split_counts(&self) -> Vec<(String, u64)> {
        let mut counts: Vec<(String, u64)> = Vec::new();
        for split in self.text_column(SPLIT).unwrap_or_default() {
            match counts.iter_mut().find(|(name, _)| *name == split) {
                Some((_, n)) => *n += 1,
                None => counts.push((split, 1)),
            }
        }
        counts
    }

    /// Fingerprint of each split's rows, by its name: a split that has not changed keeps its own.
    pub fn split_fingerprints(&self) -> BTreeMap<String, String> {
        let names = self.split_counts().into_iter();
        names.filter_map(|(name, _)| self.split(&name).ok().map(|rows| (name, fingerprint::of(&rows)))).collect()
    }

    /// A column as text: numbers and booleans written out, null as "".
    ///
    /// # Errors
    /// [`Error::MissingColumn`] with the nearest name.
    pub fn text_column(&self, column: &str) -> Result<Vec<String>> {
        cells::text_column(&self.name, &self.batch, column)
    }

    /// Name and Arrow type of each column.
    pub fn columns(&self) -> Vec<(String, String)> {
        let schema = self.batch.schema();
        schema.fields().iter().map(|field| (field.name().clone(), field.data_type().to_string())).collect()
    }

    /// The first `n` rows of a batch as text, in the order of its columns.
    pub fn sample(batch: &RecordBatch, n: usize) -> Vec<Vec<String>> {
        let row = |index| batch.columns().iter().map(|array| cells::text(array, index)).collect();
        (0..batch.num_rows().min(n)).map(row).collect()
    }
}

/// A column of any batch as text; see [`Dataset::text_column`]. `what` names the batch in errors.
///
/// # Errors
/// [`Error::MissingColumn`] with the nearest name.
pub fn text_column(what: &str, batch: &RecordBatch, column: &str) -> Result<Vec<String>> {
    cells::text_column(what, batch, column)
}

/// A warning if rows of `before` stand in another split now: other shares were asked for, or the
/// rows' own `split` column says so.
///
/// # Errors
/// As [`text_column`].
pub fn moved_rows(before: &Dataset, now: &Dataset) -> Result<Option<String>> {
    let keyed = |dataset: &Dataset| -> Result<BTreeMap<String, String>> {
        let keys = splits::prompt_keys(&dataset.name, &dataset.batch, &dataset.roles)?.unwrap_or_default();
        Ok(keys.into_iter().zip(dataset.text_column(SPLIT)?).collect())
    };
    let splits = keyed(now)?;
    let was = keyed(before)?;
    let n_moved = was.iter().filter(|(key, split)| splits.get(*key).is_some_and(|now| now != *split)).count();
    Ok((n_moved > 0).then(|| {
        format!("{n_moved} prompts stand in another split than before: what was trained on may now be scored")
    }))
}

fn fresh(n_rows: usize) -> Accounting {
    Accounting { requested: n_rows as u64, kept: n_rows as u64, ..Accounting::default() }
}

fn account(before: Accounting, kept: usize, rejected: BTreeMap<String, u64>) -> Accounting {
    let mut after = Accounting { kept: kept as u64, ..before };
    for (reason, n) in rejected {
        *after.rejected.entry(reason).or_default() += n;
    }
    after
}

/// One cell of any column as text: null is empty, fractions are as Python writes them.
pub fn cell_text(column: &dyn Array, row: usize) -> String {
    cells::text(column, row)
}

/// A column that must be there.
pub(crate) fn find_column<'a>(what: &str, batch: &'a RecordBatch, column: &str) -> Result<&'a dyn Array> {
    match batch.column_by_name(column) {
        Some(array) => Ok(array.as_ref()),
        None => Err(missing_column(what, column, &column_names(batch))),
    }
}

/// The columns under their new names (`columns`: new name to the file's).
fn renamed(what: &str, batch: RecordBatch, columns: &BTreeMap<String, String>) -> Result<RecordBatch> {
    if columns.is_empty() {
        return Ok(batch);
    }
    let names = column_names(&batch);
    for (new, old) in columns {
        if !names.contains(old) {
            return Err(missing_column(what, old, &names));
        }
        if new != old && names.contains(new) && !columns.values().any(|moved| moved == new) {
            let finding = format!("`{old}` cannot be called `{new}`: there is a column of this name");
            return Err(Error::Roles { what: what.to_owned(), finding, columns: names });
        }
    }
    let new_name = |name: &String| columns.iter().find(|(_, old)| *old == name).map_or(name, |(new, _)| new).clone();
    let renamed = names.iter().map(new_name).zip(batch.columns().iter().cloned());
    Ok(RecordBatch::try_from_iter_with_nullable(renamed.map(|(name, column)| (name, column, true)))?)
}

#[cfg(test)]
mod tests;
