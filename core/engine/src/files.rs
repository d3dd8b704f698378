//! Small files with a limit, written whole or not at all.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Serialize;

use crate::Error;

/// No JSON file of ours or of a model's configuration is larger.
pub(crate) const MAX_JSON_BYTES: u64 = 16 << 20;

/// The text of a file that must not be larger than `limit_bytes`.
pub(crate) fn read_text(path: &Path, limit_bytes: u64) -> Result<String, Error> {
    let fail = |source| Error::io("read", path, source);
    let mut text = String::new();
    let file = File::open(path).map_err(fail)?;
    file.take(limit_bytes + 1).read_to_string(&mut text).map_err(fail)?;
    if text.len() as u64 > limit_bytes {
        let found = format!("more than {limit_bytes} bytes");
        return Err(Error::Stored { path: path.to_path_buf(), expected: "a file of reasonable size", found });
    }
    Ok(text)
}

/// The bytes of a file that must not be larger than `limit_bytes`.
pub(crate) fn read_bytes(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, Error> {
    let fail = |source| Error::io("read", path, source);
    let mut bytes = Vec::new();
    File::open(path).map_err(fail)?.take(limit_bytes + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > limit_bytes {
        let found = format!("more than {limit_bytes} bytes");
        return Err(Error::Stored { path: path.to_path_buf(), expected: "a file of reasonable size", found });
    }
    Ok(bytes)
}

/// Write a value as indented JSON, atomically.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|error| Error::io("encode", path, std::io::Error::other(error)))?;
    bytes.push(b'\n');
    luthier_data::atomic::write(path, &bytes).map_err(|source| Error::io("write", path, source))
}
