//! `cargo xtask quickstart`: from a fresh clone to a real notebook in which a model improves.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::python::Venv;
use crate::{notebooks, shell};

/// A Jupyter to keep, and what checks its numbers.
const REQUIREMENTS: &[&str] =
    &["jupyterlab==4.6.6", "nbclient==0.11.0", "nbconvert==7.17.2", "nbformat==5.11.1", "pyarrow==26.0.1"];

/// The evaluation whose scores are summarized.
const EVALUATION: &str = "shop-eval";

/// In the clone, whatever `CARGO_TARGET_DIR` is: people look for it there.
fn out_dir() -> PathBuf {
    shell::root().join("target/quickstart")
}

/// Short on purpose: a unix socket's path has at most 107 bytes.
pub(crate) fn runtime_dir() -> PathBuf {
    std::env::temp_dir().join(format!("luthier-xtask-{}", std::process::id()))
}

pub(crate) fn venv() -> Result<Venv> {
    Venv::ensure(&out_dir().join("venv"), REQUIREMENTS)
}

pub(crate) fn run() -> Result<()> {
    let out = out_dir();
    let project = out.join("project");
    std::fs::create_dir_all(&out)?;
    let build =
        shell::step("build", || shell::run(shell::cargo().args(["build", "--locked", "--workspace", "--bins"])))?;
    let mut jupyter = None;
    let install = shell::step("install", || {
        let venv = venv()?;
        shell::run(std::process::Command::new(shell::binary("luthier")).args(["install", "--prefix"]).arg(&venv.dir))?;
        jupyter = Some(venv);
        Ok(())
    })?;
    let venv = jupyter.context("the install step made the environment")?;
    notebooks::fresh_dir(&project)?;
    let notebook = shell::step("notebook", || {
        let source = shell::root().join("notebooks/quickstart.ipynb");
        notebooks::execute(&venv, &source, &out.join("quickstart.ipynb"), &project)
    })?;
    publish(&venv, &format!("{{\"build\": {build:.1}, \"install\": {install:.1}, \"notebook\": {notebook:.1}}}"))?;
    stop_engine();
    shell::say(&format!(
        "\nResults: {}\nOpen it: {}/bin/jupyter lab --notebook-dir {}\n",
        out.join("quickstart.html").display(),
        venv.dir.display(),
        shell::root().join("notebooks").display()
    ));
    Ok(())
}

/// HTML for people, Parquet and JSON for machines; every accuracy recomputed by another SQLite.
fn publish(venv: &Venv, seconds: &str) -> Result<()> {
    let out = out_dir();
    shell::run(
        venv.command()
            .args(["-m", "nbconvert", "--log-level", "WARN", "--to", "html", "quickstart.ipynb"])
            .current_dir(&out),
    )?;
    let project = out.join("project");
    let scores = shell::output(
        std::process::Command::new(shell::binary("luthier"))
            .args(["leaderboard", "--json"])
            .env("LUTHIER_RUNTIME_DIR", runtime_dir())
            .current_dir(&project),
    )?;
    let leaderboard = project.join("leaderboard.json");
    std::fs::write(&leaderboard, scores)?;
    shell::run(
        venv.command()
            .arg(shell::root().join("xtask/python/summarize.py"))
            .arg(project.join("predictions.parquet"))
            .arg(&leaderboard)
            .arg(EVALUATION)
            .arg(&out)
            .arg(seconds)
            .current_dir(&project),
    )
}

/// The engine that served the notebook ends by itself when idle; a tidy command does not wait.
fn stop_engine() {
    let pid = std::fs::read_to_string(runtime_dir().join("engine.pid")).unwrap_or_default();
    if let Ok(pid) = pid.trim().parse::<u32>() {
        let _ = std::process::Command::new("kill").arg(pid.to_string()).status();
    }
    let _ = std::fs::remove_dir_all(runtime_dir());
}
