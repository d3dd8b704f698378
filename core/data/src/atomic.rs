//! Files that are either old or new, never half of each: a temporary sibling, `fsync`, `rename`,
//! `fsync` of the directory. A full disk leaves the old file as it was.
//!
//! ```
//! # let dir = tempfile::tempdir().unwrap();
//! luthier_data::atomic::write(&dir.path().join("a.json"), b"{}").unwrap();
//! ```

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Puts `bytes` at `path`, replacing what is there in one step.
///
/// # Errors
/// The system's; the file at `path` is then untouched and nothing is left beside it.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// Like [`write()`], for content that is made while it is written.
///
/// # Errors
/// Whatever `fill` returns, or the system's; the file at `path` is then untouched and nothing is
/// left beside it.
pub fn write_with<E: From<io::Error>>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&File>) -> Result<(), E>,
) -> Result<(), E> {
    let dir = parent(path);
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    // Removed again when dropped before `persist`.
    let temporary = tempfile::Builder::new().prefix(&prefix).suffix(".tmp").tempfile_in(dir)?;
    let mut writer = BufWriter::with_capacity(1 << 16, temporary.as_file());
    fill(&mut writer)?;
    writer.flush()?;
    drop(writer);
    keep_mode(path, temporary.as_file())?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_dir(dir)?;
    Ok(())
}

/// Makes a rename or removal inside `dir` durable.
///
/// # Errors
/// The system's.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// A temporary file is private (0600); a replaced file keeps its mode, a new one is readable as any
/// other file of the project directory, whose own mode decides who gets that far.
#[cfg(unix)]
fn keep_mode(path: &Path, file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map_or(0o644, |old| old.permissions().mode() & 0o777);
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn keep_mode(_: &Path, _: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
