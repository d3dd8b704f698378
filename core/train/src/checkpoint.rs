//! Checkpoints: directories that are there or not there, never half.
//!
//! ```text
//! checkpoints/
//!   step-000100/ state.json  tensors.safetensors  checksums.json
//!   step-000150/ …
//! ```
//!
//! One is written under a temporary name, synced and renamed; the newest two are kept, so that one
//! that the disk has damaged costs some steps and not the run.

mod state;
mod tensors;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use state::{Checkpoint, Cursor, Identity};

use crate::{Error, Result};
use tensors::HashingWriter;

/// Version of the files described here.
const FORMAT_VERSION: u64 = 1;
/// Checkpoints kept.
const KEPT: usize = 2;
/// Checkpoints are this or nothing; anything else in the directory is left alone.
const PREFIX: &str = "step-";
/// What a writer that was killed leaves behind.
const TEMPORARY_PREFIX: &str = ".writing-";
/// Where a damaged checkpoint is put, out of the way of its successor.
const DAMAGED_PREFIX: &str = "damaged-";
const STATE_FILE: &str = "state.json";
const TENSORS_FILE: &str = "tensors.safetensors";
const CHECKSUMS_FILE: &str = "checksums.json";
/// A `state.json` or `checksums.json` larger than this is not one of ours.
const MAX_JSON_BYTES: u64 = 64 << 20;

/// Opens a new file for writing. A parameter so that a full disk can be tested.
type OpenFile = Box<dyn Fn(&Path) -> io::Result<File> + Send + Sync>;

/// The checkpoints of one run.
pub struct CheckpointDir {
    root: PathBuf,
    open_file: OpenFile,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checksums {
    format_version: u64,
    state: String,
    tensors: String,
}

/// A checkpoint that could be read, and what was wrong with newer ones.
#[derive(Debug)]
pub struct Loaded {
    /// The state to go on from.
    pub checkpoint: Checkpoint<'static>,
    /// One sentence per damaged checkpoint that was passed over.
    pub warnings: Vec<String>,
}

impl CheckpointDir {
    /// The checkpoints in `root`, which is created if it is absent. Leftovers of a writer that was
    /// killed are removed: one run has one writer.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(io_error(&root))?;
        let directory = CheckpointDir { root, open_file: Box::new(|path| File::create_new(path)) };
        for name in directory.entries()? {
            if name.starts_with(TEMPORARY_PREFIX) {
                let path = directory.root.join(name);
                fs::remove_dir_all(&path).map_err(io_error(&path))?;
            }
        }
        Ok(directory)
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Steps that a checkpoint exists for, oldest first; not yet known to be readable.
    pub fn steps(&self) -> Result<Vec<u64>> {
        let digits = |name: &String| name.strip_prefix(PREFIX).and_then(|digits| digits.parse().ok());
        let mut steps: Vec<u64> = self.entries()?.iter().filter_map(digits).collect();
        steps.sort_unstable();
        Ok(steps)
    }

    /// Write `checkpoint`, then let go of all but the newest two. Either the whole checkpoint is on
    /// disk afterwards, or none of it and every earlier one as it was.
    pub fn save(&self, checkpoint: &Checkpoint<'_>) -> Result<()> {
        let not_written = |source| Error::CheckpointNotWritten {
            step: checkpoint.cursor.global_step,
            safe_step: self.steps().ok().and_then(|steps| steps.last().copied()),
            dir: self.root.clone(),
            source,
        };
        self.write(checkpoint).map_err(not_written)?;
        self.prune()
    }

    /// The newest checkpoint that is whole. Damaged newer ones are moved aside and named in the
    /// warnings; `None` if there never was one.
    pub fn load_latest(&self) -> Result<Option<Loaded>> {
        let steps = self.steps()?;
        let mut warnings = Vec::new();
        for &step in steps.iter().rev() {
            let path = self.path_of(step);
            match self.read(step) {
                Ok(checkpoint) => return Ok(Some(Loaded { checkpoint, warnings })),
                Err(Error::CorruptCheckpoint { reason, .. }) => {
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    warnings.push(format!("checkpoint {name} is damaged ({reason}) and was passed over"));
                }
                Err(other) => return Err(other),
            }
        }
        if let Some(newest) = warnings.first() {
            return Err(Error::NoReadableCheckpoint { dir: self.root.clone(), n: steps.len(), newest: newest.clone() });
        }
        Ok(None)
    }

    /// Move checkpoints newer than `step` aside: a run that goes on from `step` must not meet them
    /// again. They have been found damaged.
    pub(crate) fn set_aside_after(&self, step: u64) -> Result<()> {
        for newer in self.steps()?.into_iter().filter(|&newer| newer > step) {
            let path = self.path_of(newer);
            let aside = self.root.join(format!("{DAMAGED_PREFIX}{newer:06}"));
            if aside.exists() {
                fs::remove_dir_all(&aside).map_err(io_error(&aside))?;
            }
            fs::rename(&path, &aside).map_err(io_error(&path))?;
        }
        Ok(())
    }

    fn path_of(&self, step: u64) -> PathBuf {
        self.root.join(format!("{PREFIX}{step:06}"))
    }

    /// Names of all entries that are valid UTF-8, sorted.
    fn entries(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(io_error(&self.root))? {
            let entry = entry.map_err(io_error(&self.root))?;
            names.extend(entry.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn write(&self, checkpoint: &Checkpoint<'_>) -> io::Result<()> {
        let directory = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempdir_in(&self.root)?;
        let tensors =
            self.write_file(&directory.path().join(TENSORS_FILE), |file| tensors::write(file, &checkpoint.tensors()))?;
        let state = serde_json::to_vec_pretty(&checkpoint.header())?;
        let state = self.write_file(&directory.path().join(STATE_FILE), |file| file.write_all(&state))?;
        let checksums = Checksums { format_version: FORMAT_VERSION, state, tensors };
        let checksums = serde_json::to_vec_pretty(&checksums)?;
        self.write_file(&directory.path().join(CHECKSUMS_FILE), |file| file.write_all(&checksums))?;
        luthier_data::atomic::sync_dir(directory.path())?;

        let target = self.path_of(checkpoint.cursor.global_step);
        if target.exists() {
            // Same run, same step, same content: only a repeated save gets here.
            fs::remove_dir_all(&target)?;
        }
        fs::rename(directory.path(), &target)?;
        // Its content has moved; there is nothing left for the guard to remove.
        let _ = directory.keep();
        luthier_data::atomic::sync_dir(&self.root)
    }

    /// Write and sync one file; returns the hash of its content.
    fn write_file(&self, path: &Path, fill: impl FnOnce(&mut HashingWriter) -> io::Result<()>) -> io::Result<String> {
        let mut writer = HashingWriter::new((self.open_file)(path)?);
        fill(&mut writer)?;
        writer.finish()
    }

    fn read(&self, step: u64) -> Result<Checkpoint<'static>> {
        let path = self.path_of(step);
        let corrupt = |reason: String| Error::CorruptCheckpoint { path: path.clone(), reason };
        let checksums = read_file(&path.join(CHECKSUMS_FILE), MAX_JSON_BYTES).map_err(corrupt)?;
        let version = serde_json::from_slice::<serde_json::Value>(&checksums)
            .ok()
            .and_then(|value| value.get("format_version")?.as_u64())
            .ok_or_else(|| corrupt(format!("{CHECKSUMS_FILE} has no format_version")))?;
        if version != FORMAT_VERSION {
            return Err(Error::CheckpointVersion { path, found: version, expected: FORMAT_VERSION });
        }
        let expected: Checksums =
            serde_json::from_slice(&checksums).map_err(|error| corrupt(format!("{CHECKSUMS_FILE}: {error}")))?;
        let state = read_checked(&path.join(STATE_FILE), MAX_JSON_BYTES, &expected.state).map_err(corrupt)?;
        let tensors = read_checked(&path.join(TENSORS_FILE), u64::MAX, &expected.tensors).map_err(corrupt)?;
        let checkpoint = Checkpoint::parse(&state, &tensors).map_err(corrupt)?;
        if checkpoint.cursor.global_step != step {
            let found = checkpoint.cursor.global_step;
            return Err(corrupt(format!("it holds step {found}")));
        }
        Ok(checkpoint)
    }

    fn prune(&self) -> Result<()> {
        let steps = self.steps()?;
        for &step in &steps[..steps.len().saturating_sub(KEPT)] {
            let path = self.path_of(step);
            fs::remove_dir_all(&path).map_err(io_error(&path))?;
        }
        Ok(())
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    move |source| Error::Io { path: path.to_path_buf(), source }
}

fn read_file(path: &Path, limit_bytes: u64) -> std::result::Result<Vec<u8>, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let size_bytes = fs::metadata(path).map_err(|error| format!("{name}: {error}"))?.len();
    if size_bytes > limit_bytes {
        return Err(format!("{name} has {size_bytes} bytes, at most {limit_bytes} are read"));
    }
    fs::read(path).map_err(|error| format!("{name}: {error}"))
}

fn read_checked(path: &Path, limit_bytes: u64, expected: &str) -> std::result::Result<Vec<u8>, String> {
    let bytes = read_file(path, limit_bytes)?;
    let found = format!("{:x}", Sha256::digest(&bytes));
    if found != expected {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        return Err(format!("{name} has {} bytes that do not match its checksum", bytes.len()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
