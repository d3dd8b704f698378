//! Every file-system call of a save fails in turn: with an error, or as the last thing that the
//! process ever does.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::checkpoint::fs::{Fs, RealFs, SyncFile};

/// What happens at the chosen call.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Failure {
    /// This one call fails; a write leaves half of its bytes.
    Once,
    /// This call and all later ones fail: power is gone, nothing cleans up.
    FromThereOn,
}

/// The real file system until its `at`th call, counted from 0.
#[derive(Clone)]
struct FailingFs {
    at: usize,
    failure: Failure,
    calls: Arc<AtomicUsize>,
}

impl FailingFs {
    fn fails(&self) -> io::Result<()> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        match (self.failure, call.cmp(&self.at)) {
            (_, std::cmp::Ordering::Equal) | (Failure::FromThereOn, std::cmp::Ordering::Greater) => {
                Err(io::Error::new(io::ErrorKind::StorageFull, format!("call {call} fails")))
            }
            _ => Ok(()),
        }
    }
}

impl Fs for FailingFs {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.fails().and_then(|()| RealFs.create_dir(path))
    }

    fn create_file(&self, path: &Path) -> io::Result<Box<dyn SyncFile>> {
        self.fails()?;
        Ok(Box::new(FailingFile { fs: self.clone(), file: RealFs.create_file(path)? }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.fails().and_then(|()| RealFs.rename(from, to))
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.fails().and_then(|()| RealFs.remove_dir_all(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.fails().and_then(|()| RealFs.sync_dir(path))
    }
}

struct FailingFile {
    fs: FailingFs,
    file: Box<dyn SyncFile>,
}

impl Write for FailingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.fs.fails() {
            self.file.write_all(&bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl SyncFile for FailingFile {
    fn sync(&mut self) -> io::Result<()> {
        self.fs.fails().and_then(|()| self.file.sync())
    }
}

impl CheckpointDir {
    /// The same directory on a file system whose `at`th call fails; also the counter of calls.
    pub(crate) fn failing(mut self, at: usize, failure: Failure) -> (Self, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        self.fs = Box::new(FailingFs { at, failure, calls: Arc::clone(&calls) });
        (self, calls)
    }
}

/// A directory with checkpoints of steps 1 and 2, and the calls that saving `step` makes.
fn n_calls(step: u64) -> usize {
    let (_dir, checkpoints) = prepared();
    let (checkpoints, calls) = checkpoints.failing(usize::MAX, Failure::Once);
    checkpoints.save(&checkpoint(step), KEEP).unwrap();
    calls.load(Ordering::SeqCst)
}

fn prepared() -> (tempfile::TempDir, CheckpointDir) {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = CheckpointDir::open(dir.path()).unwrap();
    for step in [1, 2] {
        checkpoints.save(&checkpoint(step), KEEP).unwrap();
    }
    (dir, checkpoints)
}

/// Saving step 3 is a new checkpoint, saving step 2 replaces one.
fn every_call_fails_in_turn(step: u64, failure: Failure) {
    let n_calls = n_calls(step);
    // Three files with a create, a write and a sync each; directory, two syncs, renames, a removal.
    assert!((14..24).contains(&n_calls), "{n_calls} calls");
    for at in 0..n_calls {
        let what = format!("step {step}, call {at} of {n_calls}, {failure:?}");
        let (dir, checkpoints) = prepared();
        let (failing, _) = checkpoints.failing(at, failure);
        let saved = failing.save(&checkpoint(step), KEEP);
        drop(failing);

        let checkpoints = CheckpointDir::open(dir.path()).unwrap();
        let names: Vec<String> = checkpoints.entries().unwrap();
        assert!(names.iter().all(|name| name.starts_with(PREFIX)), "{what}: {names:?}");
        let loaded = checkpoints.load_latest().unwrap().unwrap();
        assert!(loaded.warnings.is_empty(), "{what}: {:?}", loaded.warnings);
        let newest = loaded.checkpoint.cursor.global_step;
        match saved {
            Ok(_) => assert_eq!(newest, step, "{what}"),
            Err(Error::CheckpointNotWritten { source, .. }) => {
                assert_eq!(source.kind(), io::ErrorKind::StorageFull, "{what}");
                assert!(newest >= 2, "{what}: step {newest}");
            }
            Err(other) => panic!("{what}: {other}"),
        }
        assert_eq!(loaded.checkpoint, checkpoint(newest), "{what}");
        // And the next save works.
        checkpoints.save(&checkpoint(4), KEEP).unwrap();
        assert_eq!(checkpoints.load_latest().unwrap().unwrap().checkpoint, checkpoint(4), "{what}");
    }
}

#[test]
fn an_error_in_any_call_loses_no_checkpoint() {
    every_call_fails_in_turn(3, Failure::Once);
    every_call_fails_in_turn(2, Failure::Once);
}

#[test]
fn power_that_goes_at_any_call_loses_no_checkpoint() {
    every_call_fails_in_turn(3, Failure::FromThereOn);
    every_call_fails_in_turn(2, Failure::FromThereOn);
}
