//! `pico`, carried inside the engine. It is unpacked once into the cache and from there treated as
//! any other directory, so that nothing in the path knows about it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::Error;

/// Names that need no file of the user's.
pub const BUILTIN_NAMES: [&str; 1] = ["pico"];

macro_rules! pico_file {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../assets/pico/", $name)).as_slice())
    };
}

const PICO: [(&str, &[u8]); 6] = [
    pico_file!("config.json"),
    pico_file!("generation_config.json"),
    pico_file!("model.safetensors"),
    pico_file!("tokenizer.json"),
    pico_file!("tokenizer_config.json"),
    pico_file!("README.md"),
];

/// Unpacks built-in models.
#[derive(Debug)]
pub struct Builtins {
    cache_dir: PathBuf,
    /// Without a cache directory: removed with the process.
    _temporary: Option<tempfile::TempDir>,
    pico: OnceLock<PathBuf>,
}

impl Builtins {
    /// Unpack into `cache_dir`, or a directory of its own in `temp_dir` if there is none.
    pub fn new(cache_dir: Option<&Path>, temp_dir: &Path) -> Result<Builtins, Error> {
        let usable = cache_dir.filter(|dir| std::fs::create_dir_all(dir).is_ok());
        let (cache_dir, temporary) = match usable {
            Some(dir) => (dir.to_path_buf(), None),
            None => {
                let dir = tempfile::Builder::new()
                    .prefix("luthier-cache-")
                    .tempdir_in(temp_dir)
                    .map_err(|source| Error::io("make a directory in", temp_dir, source))?;
                (dir.path().to_path_buf(), Some(dir))
            }
        };
        Ok(Builtins { cache_dir, _temporary: temporary, pico: OnceLock::new() })
    }

    /// Where files can be unpacked that may be deleted at any time.
    pub fn cache_dir(&self) -> &Path {
        &self.cache_dir
    }

    /// The directory of a built-in model.
    pub fn dir(&self, name: &str) -> Option<Result<PathBuf, Error>> {
        BUILTIN_NAMES.contains(&name).then(|| self.pico_dir())
    }

    fn pico_dir(&self) -> Result<PathBuf, Error> {
        if let Some(dir) = self.pico.get().filter(|dir| is_whole(dir, &PICO)) {
            return Ok(dir.clone());
        }
        let dir = unpack(&self.cache_dir.join("models"), "pico", &PICO)?;
        Ok(self.pico.get_or_init(|| dir).clone())
    }
}

/// Put `files` into `<parent>/<name>-<digest>/`, whole or not at all.
fn unpack(parent: &Path, name: &str, files: &[(&str, &[u8])]) -> Result<PathBuf, Error> {
    let target = parent.join(format!("{name}-{}", digest(files)));
    if is_whole(&target, files) {
        return Ok(target);
    }
    std::fs::create_dir_all(parent).map_err(|source| Error::io("make", parent, source))?;
    let temporary = tempfile::Builder::new()
        .prefix(".unpack-")
        .tempdir_in(parent)
        .map_err(|source| Error::io("make a directory in", parent, source))?;
    for (file, bytes) in files {
        let path = temporary.path().join(file);
        luthier_data::atomic::write(&path, bytes).map_err(|source| Error::io("write", &path, source))?;
    }
    // Something damaged may be in the way; another engine may be faster. Either is fine as long as
    // the directory is whole in the end.
    if target.exists() && !is_whole(&target, files) {
        std::fs::remove_dir_all(&target).map_err(|source| Error::io("replace", &target, source))?;
    }
    match std::fs::rename(temporary.path(), &target) {
        Err(_) if is_whole(&target, files) => Ok(target),
        Err(source) => Err(Error::io("make", &target, source)),
        Ok(()) => Ok(target),
    }
}

/// All files are there with their sizes; their content is that of the digest in the name.
fn is_whole(dir: &Path, files: &[(&str, &[u8])]) -> bool {
    files.iter().all(|(file, bytes)| {
        std::fs::metadata(dir.join(file)).is_ok_and(|metadata| metadata.len() == bytes.len() as u64)
    })
}

fn digest(files: &[(&str, &[u8])]) -> String {
    let mut hasher = Sha256::new();
    for (file, bytes) in files {
        hasher.update((file.len() as u64).to_le_bytes());
        hasher.update(file);
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    }
    let mut digits = format!("{:x}", hasher.finalize());
    digits.truncate(16);
    digits
}

#[cfg(test)]
mod tests;
