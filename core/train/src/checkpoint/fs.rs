//! The file-system calls of a checkpoint, behind a seam: tests let each of them fail in turn.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// What writing a checkpoint asks of the file system.
pub(crate) trait Fs: Send + Sync {
    /// Make one directory; its parent exists.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// A new file.
    fn create_file(&self, path: &Path) -> io::Result<Box<dyn SyncFile>>;
    /// Move a directory to a name that is free.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Remove a directory with all that is in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Make renames inside a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// A file whose content can be made durable.
pub(crate) trait SyncFile: Write {
    /// Wait until everything written is on disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// The machine's own.
pub(crate) struct RealFs;

impl Fs for RealFs {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn create_file(&self, path: &Path) -> io::Result<Box<dyn SyncFile>> {
        Ok(Box::new(File::create_new(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        luthier_data::atomic::sync_dir(path)
    }
}

impl SyncFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}
