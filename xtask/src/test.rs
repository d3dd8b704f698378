//! `cargo xtask test`: everything that must hold before a change lands, with its own set-up.

use anyhow::{Result, bail};

use crate::python::Venv;
use crate::{depcheck, guests, notebooks, shell, tidy};

/// What the Python side of the tests needs. Exact versions: a test must not change by itself.
const REQUIREMENTS: &[&str] = &[
    "jupyter_client==8.10.0",
    "jupyter_kernel_test==0.7.0",
    "nbclient==0.11.0",
    "nbformat==5.11.1",
    "pytest==9.2.0",
    "pyarrow==26.0.1",
];

/// A named step, run from the repository's root.
type Step = (&'static str, fn() -> Result<()>);

const STEPS: &[Step] = &[
    ("fmt", fmt),
    ("clippy", clippy),
    ("depcheck", depcheck::run),
    ("tidy", tidy::run),
    ("unit", unit),
    ("python", python),
    ("notebooks", quickstart_notebook),
];

pub(crate) fn run(args: &[String]) -> Result<()> {
    let only = match args {
        [] => None,
        [flag, name] if flag == "--only" => Some(name.as_str()),
        _ => bail!("usage: cargo xtask test [--only STEP]"),
    };
    if let Some(name) = only.filter(|name| !STEPS.iter().any(|(step, _)| step == name)) {
        bail!("no step `{name}`; steps: {}", STEPS.iter().map(|(step, _)| *step).collect::<Vec<_>>().join(" "));
    }
    for (name, work) in STEPS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        shell::step(name, work)?;
    }
    Ok(())
}

fn fmt() -> Result<()> {
    shell::run(shell::cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    shell::run(shell::cargo().args([
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))
}

fn unit() -> Result<()> {
    // Binaries first: journey tests start `luthier` and `luthier-engine` from the target directory.
    shell::run(shell::cargo().args(["build", "--locked", "--workspace", "--bins"]))?;
    shell::run(shell::cargo().args(["test", "--locked", "--workspace"]))?;
    // What runs generated programs needs the interpreter: a wheel of 17 MB, and about a minute to build it from.
    guests::python()?;
    shell::run(shell::cargo().args(["test", "--locked", "-p", "luthier-plugin-host", "--lib", "--", "--ignored"]))
}

/// Journeys that need a real Jupyter client or an independent implementation in Python.
fn python() -> Result<()> {
    let venv = test_venv()?;
    shell::run(
        venv.command()
            .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/python"])
            .env("LUTHIER_BIN", shell::binary("luthier"))
            .current_dir(shell::root()),
    )
}

fn test_venv() -> Result<Venv> {
    Venv::ensure(&shell::target_dir().join("venv-test"), REQUIREMENTS)
}

fn quickstart_notebook() -> Result<()> {
    notebooks::run(&[])
}
