//! Size and type of weights from the headers of their files, so that a list of models reads
//! kilobytes and not gigabytes.
//!
//! A safetensors file begins with a little-endian `u64` length and that many bytes of JSON.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::Error;

/// The format's own limit.
const MAX_HEADER_BYTES: u64 = 100_000_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) n_parameters: u64,
    /// The type of most values.
    pub(super) dtype: String,
}

/// Add up all safetensors files of a model directory.
pub(super) fn summarize(dir: &Path) -> Result<Summary, Error> {
    let mut values_by_dtype: BTreeMap<String, u64> = BTreeMap::new();
    let gguf = dir.join("model.gguf");
    if gguf.is_file() && weight_files(dir)?.is_empty() {
        for (_, tensor) in luthier_model::gguf::Header::read(&gguf)?.tensors {
            *values_by_dtype.entry(tensor.kind.name().to_owned()).or_default() += tensor.n_values() as u64;
        }
    }
    for path in weight_files(dir)? {
        for (dtype, n_values) in tensors(&path)? {
            *values_by_dtype.entry(dtype).or_default() += n_values;
        }
    }
    let most = values_by_dtype.iter().max_by_key(|(_, n_values)| **n_values);
    let dtype = most.map_or("none", |(dtype, _)| dtype).to_lowercase();
    Ok(Summary { n_parameters: values_by_dtype.values().sum(), dtype })
}

fn weight_files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let single = dir.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    let entries = std::fs::read_dir(dir).map_err(|source| Error::io("read", dir, source))?;
    let is_weights = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("model-") && name.ends_with(".safetensors")
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_weights).collect();
    files.sort();
    Ok(files)
}

/// Type and number of values of every tensor.
fn tensors(path: &Path) -> Result<Vec<(String, u64)>, Error> {
    let corrupt =
        |reason: String| Error::Model(luthier_model::Error::CorruptWeights { path: path.to_path_buf(), reason });
    let mut file = File::open(path).map_err(|source| Error::io("read", path, source))?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|error| corrupt(error.to_string()))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES {
        return Err(corrupt(format!("a header of {length} bytes is announced")));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(|source| Error::io("read", path, source))?;
    let header: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&header).map_err(|error| corrupt(error.to_string()))?;
    let tensors = header.iter().filter(|(name, _)| *name != "__metadata__");
    Ok(tensors.filter_map(|(_, tensor)| size(tensor)).collect())
}

fn size(tensor: &serde_json::Value) -> Option<(String, u64)> {
    let shape = tensor.get("shape")?.as_array()?;
    let n_values = shape.iter().try_fold(1u64, |n, dim| n.checked_mul(dim.as_u64()?))?;
    Some((tensor.get("dtype")?.as_str()?.to_owned(), n_values))
}
