//! Two files of expected values: numbers within a tolerance, everything else equal.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

use crate::shell;

/// One file of one oracle.
pub(super) struct Compared {
    pub(super) oracle: String,
    pub(super) file: PathBuf,
    pub(super) tolerance: f64,
    /// The largest relative difference, or what is not comparable at all.
    pub(super) difference: Result<f64, String>,
}

impl Compared {
    /// What is wrong, if something is.
    pub(super) fn fault(&self) -> Option<String> {
        let file = self.file.display();
        match &self.difference {
            Err(reason) => Some(format!("{file}: {reason}")),
            Ok(difference) if *difference > self.tolerance => {
                Some(format!("{file}: differs by {difference:.1e}, tolerance {:.0e}", self.tolerance))
            }
            Ok(_) => None,
        }
    }
}

/// Compares `file` below `root` with the committed one.
pub(super) fn compare(oracle: &str, root: &Path, file: &Path, tolerance: f64) -> Result<Compared> {
    let new = std::fs::read(root.join(file))?;
    let difference = match std::fs::read(shell::root().join(file)) {
        Err(_) => Err("is not committed".to_owned()),
        Ok(old) if old == new => Ok(0.0),
        Ok(old) => contents(file, &old, &new).map_err(|error| format!("{error:#}")),
    };
    Ok(Compared { oracle: oracle.to_owned(), file: file.to_path_buf(), tolerance, difference })
}

fn contents(file: &Path, old: &[u8], new: &[u8]) -> Result<f64> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("json") => json(&serde_json::from_slice(old)?, &serde_json::from_slice(new)?, ""),
        Some("safetensors") => safetensors(old, new),
        // Generated source is formatted after it was written.
        Some("rs") if words(old).eq(words(new)) => Ok(0.0),
        _ => anyhow::bail!("is another file"),
    }
}

fn words(source: &[u8]) -> impl Iterator<Item = &[u8]> {
    source.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The largest difference of two values at `path`.
fn json(old: &Value, new: &Value, path: &str) -> Result<f64> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            ensure!(old.keys().eq(new.keys()), "{path}: other keys");
            let pairs = old.iter().filter(|(key, _)| *key != "made_with").map(|(key, value)| (key, value, &new[key]));
            pairs.map(|(key, old, new)| json(old, new, &format!("{path}/{key}"))).try_fold(0.0, largest)
        }
        (Value::Array(old), Value::Array(new)) => {
            ensure!(old.len() == new.len(), "{path}: {} values instead of {}", new.len(), old.len());
            if let (Some(old), Some(new)) = (floats(old), floats(new)) {
                return Ok(relative(&old, &new));
            }
            let pairs = old.iter().zip(new).enumerate();
            pairs.map(|(i, (old, new))| json(old, new, &format!("{path}/{i}"))).try_fold(0.0, largest)
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            Ok(relative(&[a.as_f64().unwrap_or(f64::NAN)], &[b.as_f64().unwrap_or(f64::NAN)]))
        }
        _ => {
            ensure!(old == new, "{path}: {new} instead of {old}");
            Ok(0.0)
        }
    }
}

fn largest(worst: f64, next: Result<f64>) -> Result<f64> {
    Ok(worst.max(next?))
}

/// The numbers of a list that has a fraction in it.
fn floats(list: &[Value]) -> Option<Vec<f64>> {
    let has_fraction = list.iter().any(Value::is_f64);
    list.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>().filter(|_| has_fraction)
}

/// The largest difference over the largest magnitude (at least 1); NaN is infinitely far away.
fn relative(old: &[f64], new: &[f64]) -> f64 {
    let scale = old.iter().fold(1f64, |scale, x| scale.max(x.abs()));
    let difference = |(a, b): (&f64, &f64)| if a == b { 0.0 } else { (a - b).abs() };
    let all = old.iter().zip(new).map(difference);
    all.fold(0f64, |worst, d| if d.is_nan() { f64::INFINITY } else { worst.max(d) }) / scale
}

/// Tensor by tensor; what is not f32 must be equal.
fn safetensors(old: &[u8], new: &[u8]) -> Result<f64> {
    let ((old_header, old_data), (new_header, new_data)) = (split(old)?, split(new)?);
    ensure!(old_header.keys().eq(new_header.keys()), "other tensors");
    let mut worst = 0f64;
    for (name, entry) in old_header.iter().filter(|(name, _)| *name != "__metadata__") {
        let other = &new_header[name];
        ensure!(entry["dtype"] == other["dtype"] && entry["shape"] == other["shape"], "{name}: another shape or type");
        let (a, b) = (bytes(entry, old_data)?, bytes(other, new_data)?);
        if entry["dtype"] == "F32" {
            worst = worst.max(relative(&f32s(a), &f32s(b)));
        } else {
            ensure!(a == b, "{name}: other bytes");
        }
    }
    Ok(worst)
}

fn split(file: &[u8]) -> Result<(Map<String, Value>, &[u8])> {
    let (length, rest) = file.split_first_chunk::<8>().context("no header")?;
    let length = usize::try_from(u64::from_le_bytes(*length))?;
    ensure!(length <= rest.len(), "a header beyond the file's end");
    let (header, data) = rest.split_at(length);
    Ok((serde_json::from_slice(header)?, data))
}

fn bytes<'a>(entry: &Value, data: &'a [u8]) -> Result<&'a [u8]> {
    let at = |i: usize| entry["data_offsets"][i].as_u64().map(|at| at as usize);
    let range = at(0).zip(at(1)).context("no offsets")?;
    data.get(range.0..range.1).context("offsets beyond the file's end")
}

fn f32s(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
}
