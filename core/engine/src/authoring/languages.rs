//! Languages other than Rust: their own compilers, as they are installed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use luthier_plugin_build::{Toolchain, sdk, toolchain};

use super::build::{Job, run};
use crate::Error;

/// The pinned version of the tool that makes components of Python.
const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";

/// A language that plugins are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    C,
    Python,
    JavaScript,
}

impl Language {
    /// By the file that a folder holds.
    pub(crate) fn of(folder: &Path) -> Option<Language> {
        [
            ("Cargo.toml", Language::Rust),
            ("plugin.c", Language::C),
            ("plugin.py", Language::Python),
            ("plugin.js", Language::JavaScript),
        ]
        .into_iter()
        .find(|(file, _)| folder.join(file).is_file())
        .map(|(_, language)| language)
    }

    /// By its name in commands.
    pub(crate) fn parse(name: &str) -> Option<Language> {
        Some(match name {
            "rust" => Language::Rust,
            "c" => Language::C,
            "python" => Language::Python,
            "js" => Language::JavaScript,
            _ => return None,
        })
    }
}

/// The component, and the toolchain in words.
pub(super) fn build(
    language: Language,
    folder: &Path,
    build_dir: &Path,
    job: &mut Job<'_>,
) -> Result<(Vec<u8>, String), Error> {
    let folder = std::path::absolute(folder).map_err(|source| Error::io("find", folder, source))?;
    let work = build_dir.join(format!("work-{}", super::build::name_of(&folder)));
    std::fs::create_dir_all(&work).map_err(|source| Error::io("make", &work, source))?;
    let out = work.join("plugin.wasm");
    let wit = work.join("plugin.wit");
    luthier_data::atomic::write(&wit, sdk::WIT.as_bytes()).map_err(|source| Error::io("write", &wit, source))?;
    let toolchain = match language {
        Language::C => c(&folder, &work, &wit, &out, job.cancel)?,
        Language::Python => python(&folder, &wit, &out, job)?,
        Language::JavaScript => javascript(&folder, &wit, &out, job)?,
        Language::Rust => return Err(Error::invalid("the language", "rust", "one that cargo does not build")),
    };
    Ok((crate::plugins::read_component(&out)?, toolchain))
}

/// clang makes an object, and the component linker of a Rust toolchain the rest.
fn c(folder: &Path, work: &Path, wit: &Path, out: &Path, cancel: Option<&AtomicBool>) -> Result<String, Error> {
    let (clang, linker) = (toolchain::find_clang()?, Toolchain::component_linker()?);
    let object = work.join("plugin.o");
    run(
        folder,
        Command::new(&clang)
            .current_dir(folder)
            .args([
                "--target=wasm32",
                "-std=c11",
                "-O2",
                "-Wall",
                "-ffreestanding",
                "-nostdlib",
                "-c",
                "plugin.c",
                "-o",
            ])
            .arg(&object),
        cancel,
    )?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let linkers = linker.parent().map(|parent| parent.join("gcc-ld")).unwrap_or_default();
    let path = std::env::join_paths([linkers].into_iter().chain(std::env::split_paths(&path))).unwrap_or_default();
    let world = one_world(work, wit, "row-metric")?;
    run(
        folder,
        Command::new(&linker)
            .env("PATH", path)
            .args(["--wasi-adapter", "none", "--no-entry", "--component-type"])
            .arg(&world)
            .arg(&object)
            .arg("-o")
            .arg(out),
        cancel,
    )?;
    Ok(format!("{} and {}", clang.display(), linker.display()))
}

/// The interface with a single world: a linker takes the only one there is.
fn one_world(work: &Path, wit: &Path, world: &str) -> Result<PathBuf, Error> {
    let text = std::fs::read_to_string(wit).map_err(|source| Error::io("read", wit, source))?;
    let mut kept = String::new();
    let mut skipping = false;
    for line in text.lines() {
        if line.starts_with("world ") {
            skipping = !line.starts_with(&format!("world {world} "));
        }
        if !skipping {
            kept.push_str(line);
            kept.push('\n');
        }
        if skipping && line.ends_with('}') {
            skipping = false;
        }
    }
    let path = work.join(format!("{world}.wit"));
    luthier_data::atomic::write(&path, kept.as_bytes()).map_err(|source| Error::io("write", &path, source))?;
    Ok(path)
}

fn python(folder: &Path, wit: &Path, out: &Path, job: &mut Job<'_>) -> Result<String, Error> {
    let tool = program(folder, ".venv/bin/componentize-py", "componentize-py").ok_or_else(|| {
        let found = "not found in .venv/bin of the folder nor on the path";
        Error::invalid("componentize-py", found, &format!("`pip install {COMPONENTIZE_PY}`"))
    })?;
    (job.say)("building with componentize-py (about 20 s)");
    run(
        folder,
        Command::new(&tool)
            .current_dir(folder)
            .arg("-d")
            .arg(wit)
            .args(["-w", "row-metric", "componentize", "--stub-wasi", "plugin", "-o"])
            .arg(out),
        job.cancel,
    )?;
    Ok(tool.display().to_string())
}

fn javascript(folder: &Path, wit: &Path, out: &Path, job: &mut Job<'_>) -> Result<String, Error> {
    if !folder.join("node_modules/@bytecodealliance/componentize-js").is_dir() {
        let found = "not installed in the folder";
        return Err(Error::invalid("@bytecodealliance/componentize-js", found, "`npm install` in the plugin's folder"));
    }
    (job.say)("building with componentize-js (about 20 s)");
    run(folder, Command::new("node").current_dir(folder).arg("build.mjs").arg(wit).arg(out), job.cancel)?;
    Ok("componentize-js".to_owned())
}

/// In the folder, else on the path.
fn program(folder: &Path, own: &str, name: &str) -> Option<PathBuf> {
    let own = folder.join(own);
    if own.is_file() {
        return Some(own);
    }
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())
}
