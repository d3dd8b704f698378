//! `cargo xtask bench peft`: the same work here and in PyTorch + PEFT, alternately, in one run.
//!
//! Both sides load the same weights and make the same tokens. Rounds alternate, the first to go
//! changes from round to round, and what is reported is the median of the rounds' ratios: whatever
//! else the machine does, it does to both.

mod growth;
mod peers;
mod plugins;
mod report;
mod worker;
mod workload;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::python::Venv;
use crate::shell;
use report::Report;

const USAGE: &str = "\
usage: cargo xtask bench peft [--workload a|b|c|d] [--rounds N] [--no-compile] [--json FILE]
       cargo xtask bench growth [--json FILE]
       cargo xtask bench plugins [--json FILE]

  a  training, 32M Llama shape, batch 4 x 256, LoRA r 8 on all seven projections, f32
  b  training, 135M SmolLM2 shape, batch 2 x 512
  c  training on uneven lengths, batches of 8, against padded, grouped by length, and packed
  d  greedy generation, 64 prompts of uneven length
  growth  seconds and memory per token of one sequence of 1k to 32k tokens (ours alone)

Peak memory of each side (workload e) is part of every workload. The Python side installs torch,
transformers and peft into target/bench/venv; LUTHIER_BENCH_PYTHON names an interpreter that has them.";

/// Wheels without CUDA are not on PyPI; these are the versions that the figures in docs were made with.
const REQUIREMENTS: &[&str] = &["torch", "transformers", "peft", "numpy"];

/// What the command line asks for.
struct Options {
    workloads: Vec<String>,
    n_rounds: Option<usize>,
    compile: bool,
    json: Option<PathBuf>,
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    match args.first().map(String::as_str) {
        Some("peft") => peft(&parse(&args[1..])?),
        Some("growth") => growth::run(&parse(&args[1..])?),
        Some("plugins") => plugins::run(&args[1..]),
        _ => bail!("{USAGE}"),
    }
}

fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options { workloads: Vec::new(), n_rounds: None, compile: true, json: None };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} needs a value\n\n{USAGE}"));
        match arg.as_str() {
            "--workload" => options.workloads.push(value()?.clone()),
            "--rounds" => options.n_rounds = Some(value()?.parse().context("--rounds takes a number")?),
            "--json" => options.json = Some(value()?.into()),
            "--no-compile" => options.compile = false,
            _ => bail!("unknown argument {arg}\n\n{USAGE}"),
        }
    }
    Ok(options)
}

fn peft(options: &Options) -> Result<()> {
    let work = shell::root().join("target/bench");
    std::fs::create_dir_all(&work)?;
    shell::step("build", || {
        shell::run(shell::cargo().args(["build", "--locked", "-p", "luthier-benches", "--bin", "peft_ours"]))
    })?;
    let python = interpreter(&work)?;
    let wanted = match options.workloads.is_empty() {
        true => ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
        false => options.workloads.clone(),
    };
    let mut report = Report::new();
    for name in wanted {
        let workload = workload::named(&name, &work)?;
        let measured = peers::measure(&workload, &python, options)?;
        shell::say(&measured.text());
        report.workloads.push(measured);
    }
    shell::say(&report.text());
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_string_pretty(&report.to_json())?)?;
    }
    Ok(())
}

/// The interpreter that has torch: the user's, else one of our own.
fn interpreter(work: &std::path::Path) -> Result<PathBuf> {
    if let Some(python) = std::env::var_os("LUTHIER_BENCH_PYTHON") {
        return Ok(python.into());
    }
    let mut python = PathBuf::new();
    shell::step("install", || {
        python = Venv::ensure(&work.join("venv"), REQUIREMENTS)?.python();
        Ok(())
    })?;
    Ok(python)
}
