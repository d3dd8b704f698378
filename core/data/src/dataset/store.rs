//! A dataset on disk: `<fingerprint>.parquet` with the rows, `<fingerprint>.json` with the rest,
//! and `dataset.json`, a copy of the latest. Each is written whole or not at all, `dataset.json`
//! last.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::properties::WriterProperties;
use arrow_array::RecordBatch;
use luthier_protocol::response::Accounting;
use serde::{Deserialize, Serialize};

use super::{Dataset, TemplateUse, fingerprint};
use crate::import::{self, normalize::normalize};
use crate::tokenizer::read_limited;
use crate::{Error, Result, Roles, atomic};

const LATEST: &str = "dataset.json";
const FORMAT: &str = "luthier-dataset";
const VERSION: u32 = 1;
/// Roles, accounting, a template's configuration: a few KB.
const MAX_DESCRIPTION_BYTES: u64 = 16 << 20;

/// Written beside the rows.
#[derive(Debug, Serialize, Deserialize)]
struct Description {
    format: String,
    version: u32,
    name: String,
    fingerprint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    derived_from: Option<String>,
    n_rows: u64,
    columns: Vec<(String, String)>,
    roles: Roles,
    template: Option<TemplateUse>,
    databases: BTreeMap<String, String>,
    source: String,
    accounting: Accounting,
    warnings: Vec<String>,
}

/// Read first: another version may have other fields.
#[derive(Debug, Deserialize)]
struct Head {
    format: String,
    version: u32,
}

pub(super) fn write(dataset: &Dataset, dir: &Path) -> Result<()> {
    let io = |path: &Path, source| Error::Io { path: path.to_path_buf(), action: "write", source };
    std::fs::create_dir_all(dir).map_err(|source| io(dir, source))?;
    let stem = stem(&dataset.fingerprint);
    let rows = dir.join(format!("{stem}.parquet"));
    atomic::write_with(&rows, |file| write_rows(&dataset.batch, file)).map_err(|source| io(&rows, source))?;
    let description = describe(dataset);
    let json = serde_json::to_vec_pretty(&description).map_err(|error| io(dir, std::io::Error::other(error)))?;
    for name in [format!("{stem}.json"), LATEST.to_string()] {
        let path = dir.join(name);
        atomic::write(&path, &json).map_err(|source| io(&path, source))?;
    }
    Ok(())
}

fn write_rows(batch: &RecordBatch, file: impl std::io::Write + Send) -> std::io::Result<()> {
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).map_err(as_io)?;
    writer.write(batch).map_err(as_io)?;
    writer.close().map_err(as_io)?;
    Ok(())
}

/// The system's own error where there is one, so that "no space left" stays that.
fn as_io(error: ::parquet::errors::ParquetError) -> std::io::Error {
    match error {
        ::parquet::errors::ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => *source,
            Err(source) => std::io::Error::other(source),
        },
        other => std::io::Error::other(other),
    }
}

fn describe(dataset: &Dataset) -> Description {
    Description {
        format: FORMAT.into(),
        version: VERSION,
        name: dataset.name.clone(),
        fingerprint: dataset.fingerprint.clone(),
        derived_from: dataset.derived_from.clone(),
        n_rows: dataset.batch.num_rows() as u64,
        columns: dataset.columns(),
        roles: dataset.roles.clone(),
        template: dataset.template.clone(),
        databases: dataset.databases.clone(),
        source: dataset.source.clone(),
        accounting: dataset.accounting.clone(),
        warnings: dataset.warnings.clone(),
    }
}

pub(super) fn read(dir: &Path) -> Result<Dataset> {
    read_described(dir, &dir.join(LATEST))
}

pub(super) fn read_version(dir: &Path, fingerprint: &str) -> Result<Dataset> {
    let stem = stem(fingerprint);
    let path = dir.join(format!("{stem}.json"));
    if !is_hex(stem) {
        return Err(stored(&path, "a fingerprint `sha256:` and 64 hexadecimal digits", format!("`{fingerprint}`")));
    }
    read_described(dir, &path)
}

fn read_described(dir: &Path, path: &Path) -> Result<Dataset> {
    let description = read_description(path)?;
    let stem = stem(&description.fingerprint).to_string();
    if !is_hex(&stem) {
        return Err(stored(path, "a fingerprint of 64 hexadecimal digits", format!("`{}`", description.fingerprint)));
    }
    let rows: PathBuf = dir.join(format!("{stem}.parquet"));
    let batch = import::parquet::read(&rows, import::open(&rows)?)?;
    let batch = normalize(&rows.display().to_string(), &batch)?;
    let found = fingerprint::of(&batch);
    if found != description.fingerprint {
        return Err(stored(
            &rows,
            &format!("rows of fingerprint {}", description.fingerprint),
            format!("rows of {found}"),
        ));
    }
    let columns = crate::roles::column_names(&batch);
    for (_, column) in description.roles.named() {
        if !columns.contains(column) {
            return Err(crate::roles::missing_column(&rows.display().to_string(), column, &columns));
        }
    }
    Ok(Dataset {
        name: description.name,
        batch,
        roles: description.roles,
        fingerprint: found,
        derived_from: description.derived_from,
        template: description.template,
        databases: description.databases,
        accounting: description.accounting,
        source: description.source,
        warnings: description.warnings,
    })
}

fn read_description(path: &Path) -> Result<Description> {
    let bytes = read_limited(path, MAX_DESCRIPTION_BYTES)?.ok_or_else(|| Error::Io {
        path: path.to_path_buf(),
        action: "read",
        source: std::io::Error::from(std::io::ErrorKind::NotFound),
    })?;
    let head: Head = serde_json::from_slice(&bytes)
        .map_err(|error| stored(path, "the description of a dataset", format!("something else: {error}")))?;
    if (head.format.as_str(), head.version) != (FORMAT, VERSION) {
        let found = format!("`{}` version {}", head.format, head.version);
        return Err(stored(path, &format!("`{FORMAT}` version {VERSION}"), found));
    }
    serde_json::from_slice(&bytes).map_err(|error| stored(path, "the description of a dataset", error.to_string()))
}

fn stored(path: &Path, expected: &str, found: String) -> Error {
    Error::Stored { path: path.to_path_buf(), expected: expected.to_string(), found }
}

/// File stem of a fingerprint: its digits.
fn stem(fingerprint: &str) -> &str {
    fingerprint.strip_prefix("sha256:").unwrap_or(fingerprint)
}

fn is_hex(stem: &str) -> bool {
    stem.len() == 64 && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
}
