//! Checkpoints: directories that are there or not there, never half.
//!
//! ```text
//! checkpoints/
//!   step-000100/ state.json  tensors.safetensors  checksums.json
//!   step-000150/ …
//! ```
//!
//! One is written under a temporary name, synced and renamed; the newest few are kept (two by
//! default, so that one that the disk has damaged costs some steps and not the run), and the best.
//! Whichever file-system call fails, the checkpoints that were there stay.

mod fs;
mod state;
mod tensors;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use state::{Checkpoint, Cursor, Identity, OptimizerState};

use fs::{Fs, RealFs};

use crate::{Error, Result};
use tensors::HashingWriter;

/// Version of the files described here.
const FORMAT_VERSION: u64 = 2;
/// Checkpoints are this or nothing; anything else in the directory is left alone.
const PREFIX: &str = "step-";
/// What a writer that was killed leaves behind.
const TEMPORARY_PREFIX: &str = ".writing-";
/// An earlier checkpoint of a step that is being saved again.
const REPLACED_PREFIX: &str = "replaced-";
/// Where a damaged checkpoint is put, out of the way of its successor.
const DAMAGED_PREFIX: &str = "damaged-";
const STATE_FILE: &str = "state.json";
const TENSORS_FILE: &str = "tensors.safetensors";
const CHECKSUMS_FILE: &str = "checksums.json";
/// A `state.json` or `checksums.json` larger than this is not one of ours.
const MAX_JSON_BYTES: u64 = 64 << 20;

/// The checkpoints of one run.
pub struct CheckpointDir {
    root: PathBuf,
    fs: Box<dyn Fs>,
}

/// Which checkpoints survive a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// So many of the newest.
    pub newest: usize,
    /// And the one of this step.
    pub best: Option<u64>,
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
        std::fs::create_dir_all(&root).map_err(io_error(&root))?;
        let directory = CheckpointDir { root, fs: Box::new(RealFs) };
        directory.tidy()?;
        Ok(directory)
    }

    /// Undo what a killed writer has left half done.
    fn tidy(&self) -> Result<()> {
        let remove = |path: &Path| std::fs::remove_dir_all(path).map_err(io_error(path));
        for name in self.entries()? {
            let path = self.root.join(&name);
            if name.starts_with(TEMPORARY_PREFIX) {
                remove(&path)?;
            } else if let Some(step) = name.strip_prefix(REPLACED_PREFIX) {
                let target = self.root.join(format!("{PREFIX}{step}"));
                match target.exists() {
                    true => remove(&path)?,
                    false => std::fs::rename(&path, &target).map_err(io_error(&path))?,
                }
            }
        }
        Ok(())
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

    /// Write `checkpoint`, then let go of those not to `keep`. Either the whole checkpoint is on disk
    /// afterwards, or none of it and every earlier one as it was. Returns what could not be let go of.
    pub fn save(&self, checkpoint: &Checkpoint<'_>, keep: Keep) -> Result<Option<String>> {
        let not_written = |source| Error::CheckpointNotWritten {
            step: checkpoint.cursor.global_step,
            safe_step: self.steps().ok().and_then(|steps| steps.last().copied()),
            dir: self.root.clone(),
            source,
        };
        self.write(checkpoint).map_err(not_written)?;
        // The checkpoint is safe: an old one that stays costs space and nothing else.
        Ok(self.prune(keep).err().map(|error| format!("an old checkpoint could not be removed: {error}")))
    }

    /// The checkpoint of one step.
    pub fn load(&self, step: u64) -> Result<Checkpoint<'static>> {
        self.read(step)
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
                std::fs::remove_dir_all(&aside).map_err(io_error(&aside))?;
            }
            std::fs::rename(&path, &aside).map_err(io_error(&path))?;
        }
        Ok(())
    }

    fn path_of(&self, step: u64) -> PathBuf {
        self.root.join(format!("{PREFIX}{step:06}"))
    }

    /// Names of all entries that are valid UTF-8, sorted.
    fn entries(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.root).map_err(io_error(&self.root))? {
            let entry = entry.map_err(io_error(&self.root))?;
            names.extend(entry.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn write(&self, checkpoint: &Checkpoint<'_>) -> io::Result<()> {
        let step = checkpoint.cursor.global_step;
        let temporary = self.root.join(format!("{TEMPORARY_PREFIX}{step:06}"));
        let written = self.write_in(&temporary, checkpoint).and_then(|()| self.put_in_place(&temporary, step));
        if written.is_err() && temporary.exists() {
            // Best effort: what stays is removed when the directory is opened again.
            let _ = self.fs.remove_dir_all(&temporary);
        }
        written
    }

    fn write_in(&self, directory: &Path, checkpoint: &Checkpoint<'_>) -> io::Result<()> {
        if directory.exists() {
            self.fs.remove_dir_all(directory)?;
        }
        self.fs.create_dir(directory)?;
        let tensors =
            self.write_file(&directory.join(TENSORS_FILE), |file| tensors::write(file, &checkpoint.tensors()))?;
        let state = serde_json::to_vec_pretty(&checkpoint.header())?;
        let state = self.write_file(&directory.join(STATE_FILE), |file| file.write_all(&state))?;
        let checksums = Checksums { format_version: FORMAT_VERSION, state, tensors };
        let checksums = serde_json::to_vec_pretty(&checksums)?;
        self.write_file(&directory.join(CHECKSUMS_FILE), |file| file.write_all(&checksums))?;
        self.fs.sync_dir(directory)
    }

    /// A step that is saved again replaces the earlier one, which is out of the way only while the
    /// new one takes its name.
    fn put_in_place(&self, temporary: &Path, step: u64) -> io::Result<()> {
        let target = self.path_of(step);
        let replaced = self.root.join(format!("{REPLACED_PREFIX}{step:06}"));
        let replaces = target.exists();
        if replaces {
            self.fs.rename(&target, &replaced)?;
        }
        if let Err(error) = self.fs.rename(temporary, &target) {
            if replaces {
                self.fs.rename(&replaced, &target)?;
            }
            return Err(error);
        }
        if replaces {
            // If it stays, the next `open` removes it.
            let _ = self.fs.remove_dir_all(&replaced);
        }
        self.fs.sync_dir(&self.root)
    }

    /// Write and sync one file; returns the hash of its content.
    fn write_file(&self, path: &Path, fill: impl FnOnce(&mut HashingWriter) -> io::Result<()>) -> io::Result<String> {
        let mut writer = HashingWriter::new(self.fs.create_file(path)?);
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

    fn prune(&self, keep: Keep) -> Result<()> {
        let steps = self.steps()?;
        let old = &steps[..steps.len().saturating_sub(keep.newest)];
        for &step in old.iter().filter(|step| Some(**step) != keep.best) {
            let path = self.path_of(step);
            self.fs.remove_dir_all(&path).map_err(io_error(&path))?;
        }
        Ok(())
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    move |source| Error::Io { path: path.to_path_buf(), source }
}

fn read_file(path: &Path, limit_bytes: u64) -> std::result::Result<Vec<u8>, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let size_bytes = std::fs::metadata(path).map_err(|error| format!("{name}: {error}"))?.len();
    if size_bytes > limit_bytes {
        return Err(format!("{name} has {size_bytes} bytes, at most {limit_bytes} are read"));
    }
    std::fs::read(path).map_err(|error| format!("{name}: {error}"))
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
pub(crate) mod tests;
