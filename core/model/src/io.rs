//! Files: mapped safetensors, atomic writes.

mod mapped;
mod tensors;

pub(crate) use mapped::Mapped;
pub(crate) use tensors::{TensorFiles, serialize};

use crate::{Error, Result};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// Writes `bytes` to a temporary sibling, syncs it and renames it over `path`.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".writing-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The umask applies; the default of temporary files would hide the model from others.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(parent)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        sync_directory(parent)
    };
    write().map_err(Error::io(path))
}

/// Makes a rename durable. Only unix lets a directory be opened for that.
fn sync_directory(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    File::open(path)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// No configuration or index of shards is larger.
const MAX_TEXT_BYTES: u64 = 32 << 20;

/// The text of a file of reasonable size.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let mut text = String::new();
    let file = File::open(path).map_err(Error::io(path))?;
    file.take(MAX_TEXT_BYTES + 1).read_to_string(&mut text).map_err(Error::io(path))?;
    if text.len() as u64 > MAX_TEXT_BYTES {
        let reason = format!("it is larger than {MAX_TEXT_BYTES} bytes");
        return Err(Error::Json { what: path.display().to_string(), reason });
    }
    Ok(text)
}

/// Parses the JSON file at `path`.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_str(&read_text(path)?)
        .map_err(|e| Error::Json { what: path.display().to_string(), reason: e.to_string() })
}
