//! `cargo xtask guests --python`: the interpreter of generated programs, from a pinned wheel.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::component;
use crate::shell;

/// `plugins/python/pinned.toml`.
#[derive(Debug, Deserialize)]
struct Pinned {
    package: String,
    version: String,
    file: String,
    sha256: String,
}

/// Sources that the interpreter is built from; their digest lies beside it.
const SOURCES: [&str; 3] = ["app.py", "sandbox.wit", "pinned.toml"];

/// Builds it unless it was built from the same source.
pub(super) fn ensure() -> Result<()> {
    let stamp = shell::binary("luthier-python.wasm.source");
    let found = std::fs::read_to_string(&stamp).unwrap_or_default();
    if found == source_digest()? && shell::binary("luthier-python.wasm").exists() {
        return Ok(());
    }
    build()
}

fn source_digest() -> Result<String> {
    let folder = shell::root().join("plugins/python");
    let mut all = Vec::new();
    for name in SOURCES {
        all.extend(std::fs::read(folder.join(name)).with_context(|| format!("cannot read plugins/python/{name}"))?);
    }
    Ok(component::sha256(&all))
}

/// Builds `luthier-python.wasm` beside the engine that `cargo build` leaves. It has 20 MB and is not committed.
pub(super) fn build() -> Result<()> {
    let source = shell::root().join("plugins/python");
    let text = std::fs::read_to_string(source.join("pinned.toml")).context("cannot read plugins/python/pinned.toml")?;
    let pinned: Pinned = toml::from_str(&text)?;
    let work = shell::target_dir().join("guest-python");
    std::fs::create_dir_all(&work)?;
    let wheel = work.join(&pinned.file);
    if !wheel.exists() {
        let requirement = format!("{}=={}", pinned.package, pinned.version);
        let download =
            ["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--platform", "manylinux_2_28_x86_64"];
        shell::run(Command::new("python3").args(download).arg("-d").arg(&work).arg(requirement))?;
    }
    let found = component::sha256(&std::fs::read(&wheel).with_context(|| format!("cannot read {}", wheel.display()))?);
    ensure!(found == pinned.sha256, "{} has the sha256 {found}, pinned is {}", wheel.display(), pinned.sha256);
    let tool = install(&work, &wheel)?;
    let out = shell::binary("luthier-python.wasm");
    shell::say("building CPython as a component; this takes about a minute");
    shell::run(
        Command::new(tool)
            .current_dir(&source)
            .args(["-d", "sandbox.wit", "-w", "sandbox", "componentize", "--stub-wasi", "app", "-o"])
            .arg(&out),
    )?;
    let bytes = std::fs::read(&out)?;
    let names = component::names(&bytes)?;
    ensure!(names.imports.is_empty(), "the interpreter imports {}", names.imports.join(", "));
    std::fs::write(shell::binary("luthier-python.wasm.source"), source_digest()?)?;
    shell::say(&format!("{}: {} bytes, no imports, sha256 {}", out.display(), bytes.len(), component::sha256(&bytes)));
    Ok(())
}

/// The wheel in a virtual environment of its own.
fn install(work: &Path, wheel: &Path) -> Result<std::path::PathBuf> {
    let venv = work.join("venv");
    let tool = venv.join("bin/componentize-py");
    if !tool.exists() {
        shell::run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        shell::run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--no-deps"]).arg(wheel))?;
    }
    Ok(tool)
}
