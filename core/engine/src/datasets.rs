//! Datasets of a project: made once, found by name or by the file they come from.
//!
//! ```text
//! spec ─► rows (a file, or a template's generator) ─► Dataset ─► .luthier/datasets/<name>/ + store
//! ```
//!
//! Must not know: models.

mod databases;
mod info;
mod make;
pub(crate) mod review;

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use luthier_data::Dataset;
use luthier_protocol::response::DatasetInfo;
use luthier_protocol::spec::DatasetSpec;

pub(crate) use databases::{collect as collect_databases, granted};
pub(crate) use make::{keep, make, roles as template_roles};

use crate::Error;
use crate::project::{Project, check_name};
use crate::service::Context;
use crate::store::DatasetRecord;

/// The name that stands for all splits together.
const EVERY_ROW: &str = "all";

/// A dataset by its name in the project, or by the path of a file that is imported under its stem
/// (again if it has changed).
pub(crate) fn open(context: Context<'_>, data: &str) -> Result<Dataset, Error> {
    let store = context.project.store_if_any()?;
    let by_name = |name: &str| store.as_ref().map_or(Ok(None), |store| store.dataset(name));
    if let Some(record) = by_name(data)? {
        return read(context.project, &record);
    }
    let path = context.project.resolve(data);
    if path.is_file() {
        // Keys of a dataset's own cell mean nothing to the one that only names the file.
        return import_file(context, data, &path).map_err(Error::anywhere);
    }
    if looks_like_path(data) {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(luthier_data::Error::Io { path, action: "read", source }.into());
    }
    Err(Error::unknown("dataset", data, known(context.project)?))
}

/// Rows of a split; `all` is every row, unless a split has that name.
pub(crate) fn rows(dataset: &Dataset, split: &str) -> Result<RecordBatch, Error> {
    let is_split = dataset.split_counts().iter().any(|(name, _)| name == split);
    if split == EVERY_ROW && !is_split { Ok(dataset.batch.clone()) } else { Ok(dataset.split(split)?) }
}

/// The version of a dataset that a run was started on.
pub(crate) fn open_version(project: &Project, name: &str, fingerprint: &str) -> Result<Dataset, Error> {
    Ok(Dataset::read_version(&project.dataset_dir(name), fingerprint)?)
}

/// Names of the project's datasets.
pub(crate) fn known(project: &Project) -> Result<Vec<String>, Error> {
    let records = project.store_if_any()?.map_or(Ok(Vec::new()), |store| store.datasets())?;
    Ok(records.into_iter().map(|record| record.info.name).collect())
}

/// The dataset of this name, if it was made from exactly this and can still be read.
pub(crate) fn made_from(context: Context<'_>, name: &str, digest: &str) -> Result<Option<DatasetInfo>, Error> {
    let Some(record) = context.project.store()?.dataset(name)? else { return Ok(None) };
    let is_same = record.source_digest == digest && read(context.project, &record).is_ok();
    Ok(is_same.then_some(record.info))
}

fn read(project: &Project, record: &DatasetRecord) -> Result<Dataset, Error> {
    Ok(Dataset::read(&project.dir().join(&record.dir))?)
}

fn looks_like_path(data: &str) -> bool {
    let extensions = ["csv", "json", "jsonl", "ndjson", "parquet", "arrow", "feather", "tsv", "txt"];
    data.contains('/')
        || extensions.iter().any(|extension| Path::new(data).extension().is_some_and(|e| e == *extension))
}

/// Import a file under a name of its own, with everything guessed.
fn import_file(context: Context<'_>, data: &str, path: &Path) -> Result<Dataset, Error> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut spec = DatasetSpec { name: Some(stem.into_owned()), path: Some(data.to_owned()), ..DatasetSpec::default() };
    if is_taken(context.project, &spec)? {
        // Another dataset has that name already: this file gets one that says where it lies.
        let place = crate::hash::parts([path.as_os_str().as_encoded_bytes()]);
        let stem = spec.name.take().unwrap_or_default();
        spec.name = Some(format!("{stem}-{}", crate::hash::short(&place)));
    }
    check_name("dataset", spec.name.as_deref().unwrap_or_default())?;
    spec.overwrite = true;
    Ok(make(context, &spec)?.dataset)
}

/// Is the name another dataset's: one that does not come from this very file, with defaults.
fn is_taken(project: &Project, spec: &DatasetSpec) -> Result<bool, Error> {
    let Some(store) = project.store_if_any()? else { return Ok(false) };
    let Some(record) = store.dataset(spec.name.as_deref().unwrap_or_default())? else { return Ok(false) };
    let same = serde_json::from_str::<DatasetSpec>(&record.spec).is_ok_and(|stored| stored == make::normal(spec));
    Ok(!same)
}

/// The file of a database, which a dataset names relative to its project.
pub(crate) fn database_path(project: &Project, path: &str) -> PathBuf {
    project.resolve(path)
}
