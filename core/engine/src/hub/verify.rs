//! Whether a downloaded file is the one that was announced: its length, and the hash that the hub
//! uses as ETag (sha256 of large files, git's blob hash of small ones).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::HubProblem;
use crate::Error;

/// An ETag as a file name of the cache.
pub(super) fn etag_name(header: &str) -> Option<String> {
    let text = header.trim().trim_start_matches("W/").trim_matches('"');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = !text.is_empty() && text.len() <= 128 && !text.starts_with('.') && text.chars().all(plain);
    good.then(|| text.to_owned())
}

/// Compare the file at `path` with what its ETag says. An ETag of another form says nothing.
pub(super) fn check(path: &Path, file: &str, etag: &str, size: u64) -> Result<Option<HubProblem>, Error> {
    let (what, found) = match etag.len() {
        64 if is_hex(etag) => ("sha256", sha256(path)?),
        40 if is_hex(etag) => ("git hash", git_hash(path, size)?),
        _ => return Ok(None),
    };
    let damaged =
        || HubProblem::Damaged { file: file.to_owned(), what, expected: etag.to_owned(), found: found.clone() };
    Ok((!found.eq_ignore_ascii_case(etag)).then(damaged))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// 64 digits.
pub(super) fn sha256(path: &Path) -> Result<String, Error> {
    let mut hasher = Sha256::new();
    each_chunk(path, |chunk| hasher.update(chunk))?;
    Ok(format!("{:x}", hasher.finalize()))
}

/// SHA-1 of `blob <length>\0<content>`: git's name for a file.
fn git_hash(path: &Path, size: u64) -> Result<String, Error> {
    let mut context = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(format!("blob {size}\0").as_bytes());
    each_chunk(path, |chunk| context.update(chunk))?;
    Ok(context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn each_chunk(path: &Path, mut take: impl FnMut(&[u8])) -> Result<(), Error> {
    let fail = |source| Error::io("read", path, source);
    let mut file = File::open(path).map_err(fail)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer).map_err(fail)? {
            0 => return Ok(()),
            n => take(buffer.get(..n).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests;
