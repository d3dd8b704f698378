//! The crate that Rust cells import: `luthier-prelude`, with the client and everything it is built
//! from, written out of an archive in this binary (see `build.rs`). No network is needed.
//!
//! ```text
//! <target>/digest            which archive lies here
//! <target>/prelude/          luthier-prelude: crate-type ["lib", "dylib"], so that all cells share
//!                            one copy of the client and its connection
//! <target>/vendor/<package>/ each package, its dependencies rewritten to paths
//! <target>/.cargo/config.toml  makes a cell's own dependencies use these packages, too: one `serde`
//! ```

mod unpack;

use std::io;
use std::path::{Path, PathBuf};

use unpack::{Package, Unpacked};

/// The packed sources, deflated.
static ARCHIVE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/prelude.bin"));

/// Names one archive.
pub(super) const DIGEST: &str = env!("LUTHIER_PRELUDE_DIGEST");

/// Packages that a cell may name without depending on them itself.
const DIRECT: [&str; 3] = ["luthier", "serde", "serde_json"];

/// Why the prelude could not be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreludeError {
    /// A file could not be written.
    #[error("the prelude of Rust cells could not be written to {path}: {source}")]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The archive in this binary is damaged.
    #[error("the sources that this program carries are damaged: {what}")]
    Archive {
        /// What is wrong with them.
        what: String,
    },
    /// There is no home directory to keep it in.
    #[error("no directory for the prelude of Rust cells: neither XDG_CACHE_HOME nor HOME is set")]
    NoCacheDir,
}

/// Where the prelude lives if nobody says otherwise: `$XDG_CACHE_HOME/luthier/rust-<digest>`, else
/// below `~/.cache`. Another build of this program has another digest, and its own directory.
pub fn default_dir(xdg_cache_home: Option<PathBuf>, home: Option<PathBuf>) -> Result<PathBuf, PreludeError> {
    let cache = xdg_cache_home
        .filter(|dir| dir.is_absolute())
        .or_else(|| home.filter(|dir| dir.is_absolute()).map(|dir| dir.join(".cache")))
        .ok_or(PreludeError::NoCacheDir)?;
    Ok(cache.join("luthier").join(format!("rust-{}", &DIGEST[..8])))
}

/// [`default_dir`] of this process's environment; `LUTHIER_PRELUDE_DIR` names another directory.
pub fn default_dir_from_env() -> Result<PathBuf, PreludeError> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    if let Some(dir) = variable(super::wire::PRELUDE_DIR_VARIABLE).filter(|dir| dir.is_absolute()) {
        return Ok(dir);
    }
    default_dir(variable("XDG_CACHE_HOME"), variable("HOME"))
}

/// Write the prelude's sources below `target` unless they are there; nothing is compiled. Returns
/// the directory of the `luthier-prelude` crate.
pub fn prepare(target: &Path) -> Result<PathBuf, PreludeError> {
    let write = |path: &Path| {
        let path = path.to_path_buf();
        move |source| PreludeError::Write { path, source }
    };
    std::fs::create_dir_all(target).map_err(write(target))?;
    // Two kernels that start at once must not write into each other's files.
    let lock_path = target.join("prepare.lock");
    let lock = std::fs::OpenOptions::new().create(true).write(true).truncate(false).open(&lock_path);
    let lock = lock.map_err(write(&lock_path))?;
    lock.lock().map_err(write(&lock_path))?;
    let digest_path = target.join("digest");
    let crate_dir = target.join("prelude");
    if std::fs::read_to_string(&digest_path).is_ok_and(|digest| digest.trim() == DIGEST) {
        return Ok(crate_dir);
    }
    let unpacked = Unpacked::new(ARCHIVE, env!("LUTHIER_PRELUDE_BYTES").parse().unwrap_or(0))?;
    for (path, content) in files(&unpacked, target)? {
        let path = target.join(path);
        // An unchanged file keeps its time, or cargo would build its package again.
        if std::fs::read(&path).is_ok_and(|present| present == content) {
            continue;
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(write(parent))?;
        }
        atomic_write(&path, &content).map_err(write(&path))?;
    }
    // Last: an interrupted preparation starts over.
    atomic_write(&digest_path, DIGEST.as_bytes()).map_err(write(&digest_path))?;
    Ok(crate_dir)
}

/// The `:dep` lines of a cell process: the prelude, and the crates that derive macros want to find.
pub(super) fn dependencies(target: &Path) -> Result<Vec<(String, String)>, PreludeError> {
    let unpacked = Unpacked::new(ARCHIVE, env!("LUTHIER_PRELUDE_BYTES").parse().unwrap_or(0))?;
    let mut lines = vec![("luthier-prelude".to_owned(), format!("{{ path = {} }}", quoted(&target.join("prelude"))))];
    for package in unpacked.packages.iter().filter(|package| DIRECT.contains(&package.name.as_str())) {
        lines.push((package.name.clone(), direct_dependency(package, target)));
    }
    Ok(lines)
}

fn direct_dependency(package: &Package, target: &Path) -> String {
    let path = quoted(&target.join("vendor").join(&package.dir_name));
    match package.name.as_str() {
        "serde" => format!("{{ path = {path}, features = [\"derive\"] }}"),
        _ => format!("{{ path = {path} }}"),
    }
}

/// Every file below the target, relative to it.
fn files(unpacked: &Unpacked, target: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, PreludeError> {
    let mut files = Vec::new();
    for (path, content) in &unpacked.files {
        let content = match path.ends_with("/Cargo.toml") && path.matches('/').count() == 1 {
            true => unpacked.manifest(path, content)?.into_bytes(),
            false => content.clone(),
        };
        files.push((Path::new("vendor").join(path), content));
    }
    let mut manifest = "# Made by `luthier install`.\n[package]\nname = \"luthier-prelude\"\nversion = \"0.1.0\"\n\
        edition = \"2024\"\n\n[lib]\ncrate-type = [\"lib\", \"dylib\"]\n\n[workspace]\n\n[dependencies]\n"
        .to_owned();
    let mut patches = "[patch.crates-io]\n".to_owned();
    for package in &unpacked.packages {
        if DIRECT.contains(&package.name.as_str()) {
            manifest.push_str(&format!("{} = {}\n", package.name, direct_dependency(package, target)));
        }
        if !package.name.starts_with("luthier") {
            let path = quoted(&target.join("vendor").join(&package.dir_name));
            patches.push_str(&format!("{} = {{ path = {path} }}\n", package.name));
        }
    }
    let source = "//! What every Rust cell sees: `use luthier_prelude::*;`.\n\n\
        pub use luthier;\npub use luthier::prelude::*;\npub use serde_json;\n";
    files.push(("prelude/Cargo.toml".into(), manifest.into_bytes()));
    files.push(("prelude/src/lib.rs".into(), source.into()));
    files.push((".cargo/config.toml".into(), patches.into_bytes()));
    Ok(files)
}

/// A path as a TOML string.
fn quoted(path: &Path) -> String {
    toml::Value::String(path.to_string_lossy().into_owned()).to_string()
}

pub(super) fn atomic_write(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let parent = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(parent)?;
    file.write_all(content)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests;
