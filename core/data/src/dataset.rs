use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::RecordBatch;
use luthier_protocol::response::Accounting;
use luthier_protocol::spec::{DatasetSpec, RolesSpec};
use serde::{Deserialize, Serialize};

use crate::{Result, Roles};

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

/// What [`Dataset::from_batch`] is told besides rows.
#[derive(Debug, Clone, Default)]
pub struct DatasetOptions {
    /// Roles given; the others are guessed.
    pub roles: RolesSpec,
    /// Shares by split; empty: train 0.9, test 0.1. A `split` column wins.
    pub splits: BTreeMap<String, f64>,
    /// The template that renders it.
    pub template: Option<TemplateUse>,
    /// SQLite files by name.
    pub databases: BTreeMap<String, String>,
    /// Where rows came from, for people.
    pub source: String,
    /// What happened to rows before this; `kept` must be the batch's rows.
    pub accounting: Option<Accounting>,
}

/// Rows, what their columns mean, and their identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Name in the project.
    pub name: String,
    /// All columns, `split` (utf8) included.
    pub batch: RecordBatch,
    /// Which column is what.
    pub roles: Roles,
    /// `sha256:…` of schema, content and order.
    pub fingerprint: String,
    /// The template that renders it, if any.
    pub template: Option<TemplateUse>,
    /// SQLite files by name.
    pub databases: BTreeMap<String, String>,
    /// requested = kept + rejected + failed.
    pub accounting: Accounting,
    /// Where rows came from.
    pub source: String,
    /// Findings for people.
    pub warnings: Vec<String>,
}

impl Dataset {
    /// A file, by the spec's format, roles and splits. `path` is taken as it is (not `spec.path`).
    pub fn import(path: &Path, spec: &DatasetSpec) -> Result<Dataset> {
        let _ = (path, spec);
        unimplemented!()
    }
    /// Rows that exist already (a template's generator, a client's structs).
    pub fn from_batch(name: &str, batch: RecordBatch, options: DatasetOptions) -> Result<Dataset> {
        let _ = (name, batch, options);
        unimplemented!()
    }
    /// Writes `<fingerprint>.parquet` and `dataset.json`.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let _ = dir;
        unimplemented!()
    }
    /// Reads what [`Dataset::write`] wrote; the fingerprint is checked.
    pub fn read(dir: &Path) -> Result<Dataset> {
        let _ = dir;
        unimplemented!()
    }
    /// Rows of one split, in order.
    pub fn split(&self, name: &str) -> Result<RecordBatch> {
        let _ = name;
        unimplemented!()
    }
    /// Rows by split, in order of first appearance.
    pub fn split_counts(&self) -> Vec<(String, u64)> {
        unimplemented!()
    }
    /// A column as text; numbers and booleans written out, null is "".
    pub fn text_column(&self, column: &str) -> Result<Vec<String>> {
        let _ = column;
        unimplemented!()
    }
    /// First `n` rows of a batch as text, by column.
    pub fn sample(batch: &RecordBatch, n: usize) -> Vec<Vec<String>> {
        let _ = (batch, n);
        unimplemented!()
    }
}
