//! Datasets: named in the project, seen from here as rows of one's own type.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use luthier_protocol::response::DatasetInfo;
use luthier_protocol::spec::DatasetSpec;
use luthier_protocol::{Failure, FailureKind, Request, Response};
use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Error, Result};
use crate::session;

/// A dataset of the project, or one split of it.
///
/// ```no_run
/// use luthier::prelude::*;
/// #[derive(Serialize, Deserialize)]
/// struct Question { question: String, sql: String }
///
/// # fn main() -> Result<()> {
/// let joins = dataset("shop")?.split("train").filter(|row: &Question| row.sql.contains("JOIN"))?;
/// println!("{} questions need a join", joins.len());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    info: DatasetInfo,
    split: Option<String>,
}

/// A dataset of this project by its name.
pub fn dataset(name: &str) -> Result<Dataset> {
    let datasets = match session::request(Request::Datasets)? {
        Response::Datasets { datasets } => datasets,
        other => return Err(unexpected("datasets", &other)),
    };
    let names: Vec<String> = datasets.iter().map(|info| info.name.clone()).collect();
    match datasets.into_iter().find(|info| info.name == name) {
        Some(info) => Ok(Dataset { info, split: None }),
        None => {
            let failure = Failure::new(FailureKind::NotFound, format!("there is no dataset `{name}` in this project"));
            Err(match names.is_empty() {
                true => failure.hint("make one with `%%dataset NAME` or `Dataset::from_rows`"),
                false => failure.hint(format!("the project has: {}", names.join(", "))),
            }
            .into())
        }
    }
}

impl Dataset {
    /// A dataset made of these rows, one column per field. A dataset of that name is replaced.
    pub fn from_rows<T: Serialize>(name: &str, rows: &[T]) -> Result<Dataset> {
        Self::from_rows_with(DatasetSpec { name: Some(name.into()), overwrite: true, ..DatasetSpec::default() }, rows)
    }

    /// As [`Dataset::from_rows`], with everything that `%%dataset` can say (roles, splits, a task
    /// template); `path` and `format` are ours.
    pub fn from_rows_with<T: Serialize>(spec: DatasetSpec, rows: &[T]) -> Result<Dataset> {
        let name = spec.name.clone().unwrap_or_else(|| "rows".into());
        let file = RowsFile::write(&name, rows)?;
        let path = Some(file.path.to_string_lossy().into_owned());
        let spec = DatasetSpec { path, format: Some("jsonl".into()), name: Some(name), ..spec };
        match session::request(Request::Dataset(spec))? {
            Response::Dataset(info) => Ok(Dataset { info, split: None }),
            other => Err(unexpected("a dataset", &other)),
        }
    }

    /// Its name in the project.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// Everything that is known about it.
    pub fn info(&self) -> &DatasetInfo {
        &self.info
    }

    /// The split this is limited to.
    pub fn split_name(&self) -> Option<&str> {
        self.split.as_deref()
    }

    /// The same dataset, limited to one split.
    #[must_use]
    pub fn split(&self, name: &str) -> Dataset {
        Dataset { info: self.info.clone(), split: Some(name.into()) }
    }

    /// Rows of the split, or of all splits.
    pub fn len(&self) -> u64 {
        match &self.split {
            None => self.info.n_rows,
            Some(split) => self.info.splits.iter().find(|(name, _)| name == split).map_or(0, |(_, rows)| *rows),
        }
    }

    /// There are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All rows, as a type of one's own; columns that it has no field for are left out.
    pub fn rows<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        let request = Request::Rows { data: self.info.name.clone(), split: self.split.clone() };
        match session::request(request)? {
            Response::Rows { path, .. } => read_rows(&self.info.name, Path::new(&path)),
            other => Err(unexpected("rows", &other)),
        }
    }

    /// The rows that `keep` says yes to.
    pub fn filter<T: DeserializeOwned>(&self, mut keep: impl FnMut(&T) -> bool) -> Result<Vec<T>> {
        let mut rows = self.rows()?;
        rows.retain(|row| keep(row));
        Ok(rows)
    }

    /// What `change` makes of each row.
    pub fn map<T: DeserializeOwned, U>(&self, change: impl FnMut(T) -> U) -> Result<Vec<U>> {
        Ok(self.rows()?.into_iter().map(change).collect())
    }
}

/// Read a JSONL file that the engine wrote.
pub(crate) fn read_rows<T: DeserializeOwned>(data: &str, path: &Path) -> Result<Vec<T>> {
    let unreadable = |error: std::io::Error| Error::File { path: path.into(), cause: error.to_string() };
    let file = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut rows = Vec::new();
    for (index, line) in file.lines().enumerate() {
        let line = line.map_err(unreadable)?;
        if line.trim().is_empty() {
            continue;
        }
        rows.push(serde_json::from_str(&line).map_err(|error| row_error::<T>(data, index + 1, &error))?);
    }
    Ok(rows)
}

fn row_error<T>(data: &str, row: usize, error: &serde_json::Error) -> Error {
    let full = std::any::type_name::<T>();
    let expected = full.rsplit("::").next().unwrap_or(full);
    Error::Row { data: data.into(), row, expected, cause: error.to_string() }
}

/// Rows on their way to the engine; the file goes when this does.
struct RowsFile {
    path: PathBuf,
}

impl RowsFile {
    fn write<T: Serialize>(data: &str, rows: &[T]) -> Result<RowsFile> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("luthier-rows-{}-{count}.jsonl", std::process::id()));
        let unwritable = |error: std::io::Error| Error::File { path: path.clone(), cause: error.to_string() };
        // `create_new` and 0600: nobody else can have put a link here, or read the rows.
        let _ = fs::remove_file(&path);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(unwritable)?;
        let made = RowsFile { path: path.clone() };
        let mut writer = BufWriter::new(file);
        for (index, row) in rows.iter().enumerate() {
            let line = serde_json::to_string(row).map_err(|error| row_error::<T>(data, index + 1, &error))?;
            writeln!(writer, "{line}").map_err(unwritable)?;
        }
        writer.flush().map_err(unwritable)?;
        Ok(made)
    }
}

impl Drop for RowsFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The engine answered something else.
pub(crate) fn unexpected(expected: &'static str, found: &Response) -> Error {
    let json = serde_json::to_value(found).unwrap_or_default();
    let found = json["response"].as_str().unwrap_or("something without a name").to_owned();
    Error::UnexpectedResponse { expected, found }
}
