//! Where Jupyter looks for kernels, and what it finds there.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{error::Error, rust_cell::prelude};

mod logo;

/// Name of the kernelspec.
pub const NAME: &str = "luthier";

/// Where to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prefix {
    /// Jupyter's data directory of this account.
    User,
    /// The Python environment that is active.
    System,
    /// `DIR/share/jupyter`.
    Dir(PathBuf),
}

/// Write the kernelspec and prepare the crate that Rust cells import; returns the kernelspec's directory.
pub fn install(prefix: &Prefix) -> Result<PathBuf, Error> {
    let dir = spec_dir(prefix)?;
    let program = std::env::current_exe().map_err(|source| Error::File { path: "luthier".into(), source })?;
    std::fs::create_dir_all(&dir).map_err(|source| Error::File { path: dir.clone(), source })?;
    let spec = serde_json::to_vec_pretty(&spec(&program)).unwrap_or_default();
    write(&dir.join("kernel.json"), &spec)?;
    for size in [32, 64] {
        write(&dir.join(format!("logo-{size}x{size}.png")), &logo::png(size))?;
    }
    prelude::prepare(&prelude::default_dir_from_env()?)?;
    Ok(dir)
}

/// Remove the kernelspec; `None` if there was none.
pub fn uninstall(prefix: &Prefix) -> Result<Option<PathBuf>, Error> {
    let dir = spec_dir(prefix)?;
    if !dir.join("kernel.json").is_file() {
        return Ok(None);
    }
    std::fs::remove_dir_all(&dir).map_err(|source| Error::File { path: dir.clone(), source })?;
    Ok(Some(dir))
}

fn spec(program: &Path) -> Value {
    json!({
        "argv": [program, "kernel", "-f", "{connection_file}"],
        "display_name": "Luthier",
        "language": "rust",
        "interrupt_mode": "message",
        "env": {},
        "metadata": {"debugger": false},
    })
}

fn spec_dir(prefix: &Prefix) -> Result<PathBuf, Error> {
    let data = match prefix {
        Prefix::User => user_data_dir()?,
        Prefix::System => active_environment()?.join("share/jupyter"),
        Prefix::Dir(dir) => dir.join("share/jupyter"),
    };
    Ok(data.join("kernels").join(NAME))
}

/// As `jupyter --data-dir`: `JUPYTER_DATA_DIR`, else the platform's place.
fn user_data_dir() -> Result<PathBuf, Error> {
    if let Some(dir) = variable("JUPYTER_DATA_DIR") {
        return Ok(dir.into());
    }
    let home = variable("HOME").map(PathBuf::from).ok_or_else(|| Error::NoPrefix {
        message: "neither JUPYTER_DATA_DIR nor HOME is set, so there is no place for a user's kernels".into(),
    })?;
    if cfg!(target_os = "macos") {
        return Ok(home.join("Library/Jupyter"));
    }
    let data = variable("XDG_DATA_HOME").map_or_else(|| home.join(".local/share"), PathBuf::from);
    Ok(data.join("jupyter"))
}

/// Python's `sys.prefix`, as the active environment's variables name it, or as Python itself says.
fn active_environment() -> Result<PathBuf, Error> {
    if let Some(dir) = variable("VIRTUAL_ENV").or_else(|| variable("CONDA_PREFIX")) {
        return Ok(dir.into());
    }
    let asked = std::process::Command::new("python3").args(["-c", "import sys; print(sys.prefix)"]).output();
    let prefix = asked
        .ok()
        .filter(|output| output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    prefix.filter(|prefix| !prefix.is_empty()).map(PathBuf::from).ok_or_else(|| Error::NoPrefix {
        message: "no Python environment is active (VIRTUAL_ENV, CONDA_PREFIX) and python3 does not run; use --user or --prefix DIR".into(),
    })
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Through a temporary sibling: a client that looks meanwhile sees the old file or the new one.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    use std::{io::Write, os::unix::fs::PermissionsExt};
    let failed = |source| Error::File { path: path.to_owned(), source };
    let dir = path.parent().unwrap_or(Path::new("."));
    // Readable by all: `--sys-prefix` installs for every account of the machine.
    let permissions = std::fs::Permissions::from_mode(0o644);
    let mut file = tempfile::Builder::new().permissions(permissions).tempfile_in(dir).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.persist(path).map(drop).map_err(|error| failed(error.error))
}
