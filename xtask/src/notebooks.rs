//! Notebooks are user journeys: executed by a real Jupyter client, in a project of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::python::Venv;
use crate::{guests, quickstart, shell};

/// The journey that has a verdict of its own.
const QUICKSTART: &str = "quickstart";
/// Notebooks of less than two minutes, which `test` executes besides it; `--all` executes every one.
const QUICK: &[&str] = &["author-a-plugin", "custom"];
/// What notebooks read, beside them.
const DATA: &str = "data";

pub(crate) fn run(args: &[String]) -> Result<()> {
    let all = match args {
        [] => false,
        [flag] if flag == "--all" => true,
        _ => bail!("usage: cargo xtask notebooks [--all]"),
    };
    // The quickstart is a journey with a verdict: its accuracies are recomputed and compared.
    quickstart::run()?;
    if all {
        // One of them judges programs by running them.
        guests::python()?;
    }
    let venv = quickstart::venv()?;
    for path in others()? {
        let name = path.file_stem().context("a notebook has a name")?.to_string_lossy().into_owned();
        if !all && !QUICK.contains(&name.as_str()) {
            continue;
        }
        let work = shell::root().join("target/notebooks").join(&name);
        fresh_dir(&work)?;
        copy_data(&work)?;
        shell::step(&name, || execute(&venv, &path, &work.join(format!("{name}.ipynb")), &work))?;
    }
    Ok(())
}

/// The files of `notebooks/data`, where a notebook looks for them.
fn copy_data(work: &Path) -> Result<()> {
    let to = work.join(DATA);
    std::fs::create_dir_all(&to)?;
    for entry in std::fs::read_dir(shell::root().join("notebooks").join(DATA))? {
        let path = entry?.path();
        std::fs::copy(&path, to.join(path.file_name().context("a file has a name")?))?;
    }
    Ok(())
}

fn others() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(shell::root().join("notebooks"))? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_some_and(|ext| ext == "ipynb") && stem != QUICKSTART {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// An empty directory, whatever was there.
pub(crate) fn fresh_dir(dir: &Path) -> Result<()> {
    if dir.exists() {
        std::fs::remove_dir_all(dir)?;
    }
    Ok(std::fs::create_dir_all(dir)?)
}

/// Execute `source` in `work` with the installed kernel; the result with outputs goes to `target`.
pub(crate) fn execute(venv: &Venv, source: &Path, target: &Path, work: &Path) -> Result<()> {
    let mut command: Command = venv.command();
    command
        .arg(shell::root().join("xtask/python/run_notebook.py"))
        .args([source, target, work])
        .arg("luthier")
        // An engine of its own: nothing that a person has running is touched or relied on.
        .env("LUTHIER_RUNTIME_DIR", quickstart::runtime_dir())
        .env("LUTHIER_IDLE_S", "30");
    shell::run(&mut command)
}
