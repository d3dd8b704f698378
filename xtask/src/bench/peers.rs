//! Runs a workload on both sides, round by round.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Options;
use super::report::{Comparison, Measured, Memory, Roofline, profile_text};
use super::worker::{Round, Worker};
use super::workload::{Layout, Workload};
use crate::shell;

/// Largest relative difference of the first loss between the sides.
const LOSS_TOLERANCE: f64 = 2e-4;

pub(super) fn measure(workload: &Workload, python: &Path, options: &Options) -> Result<Measured> {
    shell::say(&format!("== {}", workload.title));
    let spec = write(&workload.dir.join("ours.json"), &workload.spec)?;
    shell::run(Command::new(ours()).arg(&spec).arg("--write-model"))?;
    let mut our_worker = Worker::start("ours", Command::new(ours()).arg(&spec))?;
    our_worker.round()?; // Warm-up: first touches of memory.
    let mut measured = Measured {
        name: workload.name.clone(),
        title: workload.title.clone(),
        ours: Memory::default(),
        comparisons: Vec::new(),
        profile: Value::Null,
    };
    for layout in &workload.layouts {
        let n_rounds = options.n_rounds.unwrap_or(workload.n_rounds);
        let comparison = compare(&mut our_worker, workload, layout, python, options.compile, n_rounds)?;
        shell::say(&format!("   {}", comparison.text()));
        measured.comparisons.push(comparison);
    }
    if workload.spec["kind"] == "train" {
        measured.profile = our_worker.profile()?;
        shell::say(&profile_text(&measured.profile));
    }
    measured.ours = Memory { idle_mib: our_worker.idle_mib(), peak_mib: our_worker.peak_mib()? };
    Ok(measured)
}

fn ours() -> PathBuf {
    shell::binary("peft_ours")
}

fn write(path: &Path, spec: &Value) -> Result<PathBuf> {
    std::fs::write(path, serde_json::to_string_pretty(spec)?)?;
    Ok(path.to_path_buf())
}

/// Alternate rounds with the faster variant of one arrangement of theirs.
fn compare(
    our_worker: &mut Worker,
    workload: &Workload,
    layout: &Layout,
    python: &Path,
    compile: bool,
    n_rounds: usize,
) -> Result<Comparison> {
    let spec = write(&workload.dir.join(format!("theirs-{}.json", layout.name.replace(' ', "-"))), &layout.spec)?;
    let mut theirs = Theirs::start(python, &spec, "eager")?;
    let mut variant = "eager".to_owned();
    // Several arrangements of one workload: tuning each would take longer than measuring.
    let (threads, first) = match workload.layouts.len() {
        1 => theirs.tune_threads()?,
        _ => (n_cpus(), theirs.worker.round()?),
    };
    check_first(workload, layout, &first)?;
    let is_training = layout.spec["kind"] == "train";
    let mut note = String::new();
    if !compile || !is_training || !workload.layouts[0].name.starts_with("as it comes") {
        note.push_str("torch.compile not tried");
    } else {
        match Theirs::start(python, &spec, "compile")
            .and_then(|mut compiled| compiled.warm_up(threads).map(|s| (s, compiled)))
        {
            Ok((seconds, compiled)) if seconds < theirs.best_s => {
                (theirs, variant) = (compiled, "torch.compile".to_owned());
            }
            Ok((seconds, _)) => {
                note = format!("torch.compile is slower: {seconds:.2} s against {:.2} s", theirs.best_s)
            }
            Err(error) => note = format!("torch.compile failed: {error:#}"),
        }
    }
    let mut pairs = Vec::with_capacity(n_rounds);
    for round in 0..n_rounds {
        let pair = match round % 2 {
            0 => {
                let mine = our_worker.round()?;
                (mine, theirs.worker.round()?)
            }
            _ => {
                let other = theirs.worker.round()?;
                (our_worker.round()?, other)
            }
        };
        pairs.push((pair.0.seconds / pair.0.n_tokens, pair.1.seconds / pair.1.n_tokens));
    }
    let memory = Memory { idle_mib: theirs.worker.idle_mib(), peak_mib: theirs.worker.peak_mib()? };
    let roofline = match is_training && workload.layouts.len() == 1 {
        true => Some(roofline(our_worker, &mut theirs.worker, n_rounds.min(3))?),
        false => None,
    };
    let version = theirs.worker.hello["version"].as_str().unwrap_or_default();
    let variant = format!("{version}, {variant}, {threads} threads");
    let name = layout.name.to_owned();
    Ok(Comparison { name, variant, note, pairs, target: layout.target, theirs: memory, roofline })
}

/// Products alone, alternating with our rounds: what share of our time is products?
fn roofline(our_worker: &mut Worker, theirs: &mut Worker, n_rounds: usize) -> Result<Roofline> {
    let mut shares = Vec::new();
    let mut gflops = Vec::new();
    for _ in 0..n_rounds {
        let mine = our_worker.round()?;
        let (seconds, flops) = theirs.roofline()?;
        shares.push(seconds / mine.seconds);
        gflops.push(flops / seconds / 1e9);
    }
    Ok(Roofline { shares, gflops })
}

/// Theirs, and its best round so far.
struct Theirs {
    worker: Worker,
    best_s: f64,
}

impl Theirs {
    fn start(python: &Path, spec: &Path, variant: &str) -> Result<Theirs> {
        let script = shell::root().join("benches/python/peer.py");
        let mut command = Command::new(python);
        command.arg(script).arg(spec).arg(variant).env("BENCH_THREADS", n_cpus().to_string());
        // Inductor's compiled code stays beside the weights.
        command.env("TORCHINDUCTOR_CACHE_DIR", spec.with_file_name("inductor"));
        Ok(Theirs { worker: Worker::start(variant, &mut command)?, best_s: f64::INFINITY })
    }

    /// The better of all processors and half of them; also the very first round.
    fn tune_threads(&mut self) -> Result<(usize, Round)> {
        let first = self.worker.round()?;
        let mut best = n_cpus();
        for threads in [n_cpus(), n_cpus().div_ceil(2)] {
            self.worker.set_threads(threads)?;
            // The first round of generation compiles nothing and allocates little: it counts.
            let seconds = match threads == n_cpus() && first.losses.is_empty() {
                true => first.seconds,
                false => self.worker.round()?.seconds,
            };
            if seconds < self.best_s {
                (best, self.best_s) = (threads, seconds);
            }
        }
        self.worker.set_threads(best)?;
        Ok((best, first))
    }

    /// Compiles, then the better of two rounds.
    fn warm_up(&mut self, threads: usize) -> Result<f64> {
        self.worker.set_threads(threads)?;
        for _ in 0..2 {
            self.worker.round()?;
        }
        for _ in 0..2 {
            self.best_s = self.best_s.min(self.worker.round()?.seconds);
        }
        Ok(self.best_s)
    }
}

fn n_cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The sides do the same work: the first loss is that of the base model on the same tokens.
fn check_first(workload: &Workload, layout: &Layout, theirs: &Round) -> Result<()> {
    let mut fresh = Worker::start("ours", Command::new(ours()).arg(workload.dir.join("ours.json")))?;
    let mine = fresh.round()?;
    let same_batches = layout.spec["batches"] == workload.spec["batches"];
    if let (Some(a), Some(b), true) = (mine.losses.first(), theirs.losses.first(), same_batches) {
        ensure!((a - b).abs() <= LOSS_TOLERANCE * b.abs(), "first losses differ: ours {a}, theirs {b}");
    }
    let n_same = mine.first_ids.iter().zip(&theirs.first_ids).filter(|(a, b)| a == b).count();
    ensure!(
        n_same * 10 >= mine.first_ids.len() * 9,
        "first generated tokens differ: {n_same} of {} are equal",
        mine.first_ids.len()
    );
    ensure!(mine.n_tokens == theirs.n_tokens, "tokens: ours {}, theirs {}", mine.n_tokens, theirs.n_tokens);
    mine.seconds.is_finite().then_some(()).context("a round without time")
}
