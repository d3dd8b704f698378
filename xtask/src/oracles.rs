//! `cargo xtask oracles`: expected values from other implementations (tests/oracles/README.md).
//!
//! Not part of `test`: it installs several gigabytes from PyPI into `target/oracles/venv`, unless
//! `LUTHIER_ORACLES_VENV` names a virtual environment that has them.

mod compare;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::python::Venv;
use crate::shell;

/// The versions that the committed values were made with.
const REQUIREMENTS: &[&str] = &[
    "torch==2.15.0",
    "transformers==5.23.0",
    "peft==0.21.2",
    "trl==1.16.0",
    "bitsandbytes==0.50.2",
    "accelerate==1.15.0",
    "safetensors",
    "numpy",
    "scipy",
    "scikit-learn",
    "sacrebleu",
    "rouge_score",
    "nltk",
    "regex",
    "jsonschema",
    "jinja2",
    "pyarrow==26.0.1",
];

/// A script that makes expected values.
struct Oracle {
    name: &'static str,
    /// How far its numbers may be from the committed ones, relative to the largest magnitude of the list
    /// or tensor that holds them.
    tolerance: f64,
    /// Committed files that it reads: a folder that another script, further up, writes.
    reads: &'static str,
}

const fn oracle(name: &'static str, tolerance: f64, reads: &'static str) -> Oracle {
    Oracle { name, tolerance, reads }
}

/// All of them; who writes comes before who reads.
#[rustfmt::skip] // One a line: additions do not collide.
const ORACLES: &[Oracle] = &[
    oracle("adamw", 1e-6, ""),
    oracle("architectures", 1e-5, ""),
    oracle("arrow_types", 0.0, ""),
    oracle("chat_templates", 0.0, ""),
    oracle("llama_fixture", 1e-5, ""),
    oracle("metrics", 1e-9, ""),
    oracle("nf4", 0.0, ""),
    oracle("optimizers", 1e-6, ""),
    oracle("quantized", 1e-5, ""),
    oracle("statistics", 1e-9, ""),
    oracle("adapters", 1e-5, "tests/fixtures/models"),
    oracle("parity", 1e-5, "tests/fixtures/architectures"),
    oracle("preference", 1e-5, "tests/fixtures/models"),
];

/// The pages of what was measured, each written by an ignored test of a crate.
const PAGES: [&str; 2] = ["luthier-model", "luthier-train"];

pub(crate) fn run(args: &[String]) -> Result<()> {
    if args == ["--table"] {
        return write_pages();
    }
    let check = args.first().is_some_and(|arg| arg == "--check");
    let names = &args[usize::from(check)..];
    if let Some(name) = names.iter().find(|name| !ORACLES.iter().any(|known| known.name == **name)) {
        let known: Vec<_> = ORACLES.iter().map(|oracle| oracle.name).collect();
        bail!("no oracle `{name}`; oracles: {}", known.join(" "));
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let mut venv = None;
    shell::step("install", || {
        venv = Some(Venv::given_or("LUTHIER_ORACLES_VENV", &shell::target_dir().join("oracles/venv"), REQUIREMENTS)?);
        Ok(())
    })?;
    let Some(venv) = venv else { bail!("the install step made no environment") };
    let root = match check {
        true => scratch()?,
        false => shell::root(),
    };
    let mut table = Vec::new();
    for &Oracle { name, tolerance, reads } in ORACLES.iter().filter(|oracle| wanted(oracle.name)) {
        shell::step(name, || {
            if check && !reads.is_empty() {
                provide(&root, reads)?;
            }
            let before = files(&root)?;
            script(&venv, &root, name)?;
            if check {
                let written = files(&root)?.into_iter().filter(|file| !before.contains(file));
                for file in written {
                    table.push(compare::compare(name, &root, &file, tolerance)?);
                }
            }
            Ok(())
        })?;
    }
    if check { report(&table) } else { Ok(()) }
}

/// Measures ours against the committed values and writes docs/architectures.md and docs/parity.md.
fn write_pages() -> Result<()> {
    for package in PAGES {
        let test = ["test", "--locked", "-p", package, "write_the_page", "--", "--ignored"];
        shell::step(package, || shell::run(shell::cargo().args(test)))?;
    }
    Ok(())
}

fn script(venv: &Venv, root: &Path, name: &str) -> Result<()> {
    let mut command = venv.command();
    command.arg(root.join(format!("tests/oracles/{name}.py"))).current_dir(root);
    command.envs([("OMP_NUM_THREADS", "1"), ("HF_HUB_OFFLINE", "1"), ("TRANSFORMERS_VERBOSITY", "error")]);
    shell::run(&mut command)
}

/// An empty copy of the repository: its folders, and the scripts.
fn scratch() -> Result<PathBuf> {
    let scratch = shell::target_dir().join("oracles/scratch");
    match std::fs::remove_dir_all(&scratch) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context("clearing the scratch");
        }
        _ => {}
    }
    let mut git = std::process::Command::new("git");
    let listed = shell::output(git.arg("-C").arg(shell::root()).args(["ls-files", "-co", "--exclude-standard"]))?;
    for file in listed.lines() {
        let to = scratch.join(file);
        std::fs::create_dir_all(to.parent().context("a tracked file has a folder")?)?;
        if file.starts_with("tests/oracles/") {
            std::fs::copy(shell::root().join(file), to)?;
        }
    }
    Ok(scratch)
}

/// Copies the committed files below `folder`, unless the script that writes them has run.
fn provide(scratch: &Path, folder: &str) -> Result<()> {
    for file in files(&shell::root().join(folder))? {
        let to = scratch.join(folder).join(&file);
        if !to.exists() {
            std::fs::create_dir_all(to.parent().context("a file has a folder")?)?;
            std::fs::copy(shell::root().join(folder).join(file), to)?;
        }
    }
    Ok(())
}

/// All files below `dir`, relative to it.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![dir.to_path_buf()]);
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next)? {
            let path = entry?.path();
            if !path.is_dir() {
                found.push(path.strip_prefix(dir)?.to_path_buf());
            } else if !path.ends_with("target") && !path.ends_with(".git") {
                open.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The table, and an error if a file differs or is not committed.
fn report(table: &[compare::Compared]) -> Result<()> {
    shell::say(&format!("\n{:<16} {:>10} {:>10}  {}", "oracle", "difference", "tolerance", "file"));
    for row in table {
        let difference = match row.difference {
            Ok(difference) => format!("{difference:.1e}"),
            Err(_) => "differs".to_owned(),
        };
        shell::say(&format!("{:<16} {difference:>10} {:>10.0e}  {}", row.oracle, row.tolerance, row.file.display()));
    }
    let faults: Vec<String> = table.iter().filter_map(compare::Compared::fault).collect();
    if table.is_empty() {
        bail!("the scripts wrote nothing");
    }
    if !faults.is_empty() {
        bail!("{} of {} files differ:\n{}", faults.len(), table.len(), faults.join("\n"));
    }
    shell::say(&format!("\n{} files agree", table.len()));
    Ok(())
}
