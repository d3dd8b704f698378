//! What must not show in a training run: how a step is cut up, what a row stands beside, how many
//! rows an evaluation takes at a time, threads, an interrupt. Each is measured on a given model and
//! data, and compared with a tolerance.
//!
//! Tolerances are those of f32: sums of a few thousand products in another order differ by some
//! 1e-6 of their size, and an optimizer that divides by small second moments enlarges that from step
//! to step. Where nothing is summed in another order, the tolerance is 0: the same bits.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::objective::ObjectiveKind;
use crate::{CheckpointDir, ExampleSource, FitData, FitEvent, Result, TrainConfig, Trainable, fit_on, source};

/// Steps of every short run.
pub const N_STEPS: u64 = 4;

/// Relative difference allowed between the losses of the first step, before any update.
const FIRST_LOSS_TOLERANCE: f64 = 1e-5;
/// Relative difference allowed between losses of later steps.
const CURVE_TOLERANCE: f64 = 1e-3;
/// Difference allowed between log-probabilities of a token, in nats, relative to at least 1.
const LOGP_TOLERANCE: f64 = 1e-4;
/// Relative difference allowed between evaluations.
const EVALUATION_TOLERANCE: f64 = 1e-5;

/// One invariance, measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// `accumulation`, `resume`, …
    pub name: &'static str,
    /// What was compared.
    pub detail: String,
    /// The largest difference found.
    pub measured: f64,
    /// The largest difference allowed.
    pub tolerance: f64,
    /// What is measured: `relative loss`, `values that differ`, …
    pub unit: &'static str,
}

impl Finding {
    /// The difference is allowed. One that is not a number is not.
    pub fn passed(&self) -> bool {
        self.measured <= self.tolerance
    }
}

/// What is checked.
pub struct Subject<'a> {
    /// The model as a run first gets it, made anew each time, without dropout.
    pub make: &'a (dyn Fn() -> Result<Box<dyn Trainable>> + Sync),
    /// A few rows: every short run sees all of them in every step.
    pub source: &'a (dyn ExampleSource + Sync),
    /// The run's settings; what is cut up is set here.
    pub config: &'a TrainConfig,
    /// An empty directory for checkpoints.
    pub scratch: &'a Path,
    /// Ends the checks.
    pub cancel: &'a AtomicBool,
}

/// A short run: its losses, its evaluations, and the bits of its weights.
struct Short {
    losses: Vec<f64>,
    evaluations: Vec<f64>,
    bits: Vec<u32>,
}

impl Subject<'_> {
    /// Measure everything; `on_finding` is told each as it is found.
    ///
    /// # Errors
    /// What keeps a run from going on at all: bad settings or data, a loss that is not finite.
    pub fn check(&self, on_finding: &mut dyn FnMut(&Finding)) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        let mut add = |finding: Finding| {
            on_finding(&finding);
            findings.push(finding);
        };
        let n = self.n_units();
        let whole = self.run("whole", &self.config_for(n, 1), None)?;
        if self.config.objective.kind != ObjectiveKind::Kto && self.config.pack_tokens.is_none() {
            self.accumulation(n, &whole)?.into_iter().for_each(&mut add);
        }
        add(self.packing()?);
        add(self.neighbors()?);
        add(self.evaluation(n)?);
        add(self.same_seed(n, &whole)?);
        add(self.resume(n, &whole)?);
        self.checkpointing(n, &whole)?.into_iter().for_each(&mut add);
        add(self.threads(n, &whole)?);
        Ok(findings)
    }

    fn n_units(&self) -> usize {
        self.source.n_examples() / self.config.objective.examples_per_unit()
    }

    /// Every step sees all units; nothing random but what the seed names, no evaluation.
    fn config_for(&self, batch_size: usize, gradient_accumulation_steps: usize) -> TrainConfig {
        TrainConfig {
            batch_size,
            gradient_accumulation_steps,
            max_steps: Some(N_STEPS),
            warmup_steps: Some(0),
            neftune_alpha: None,
            checkpoint_steps: 0,
            eval_steps: 0,
            early_stopping_patience: None,
            load_best: false,
            ..self.config.clone()
        }
    }

    fn run(&self, name: &str, config: &TrainConfig, stop_after: Option<u64>) -> Result<Short> {
        self.run_of((self.make)()?, name, config, stop_after)
    }

    fn run_of(
        &self,
        mut trainable: Box<dyn Trainable>,
        name: &str,
        config: &TrainConfig,
        stop_after: Option<u64>,
    ) -> Result<Short> {
        let checkpoints = CheckpointDir::open(self.scratch.join(name))?;
        let resume = !checkpoints.steps()?.is_empty();
        let stop = AtomicBool::new(false);
        let mut on_event = |event: FitEvent| {
            let done = matches!(&event, FitEvent::Step(step) if Some(step.global_step) == stop_after);
            stop.store(done || self.cancel.load(Ordering::Relaxed), Ordering::Relaxed);
        };
        let evaluation = (config.eval_steps > 0).then_some(self.source as &dyn ExampleSource);
        let data = FitData { train: self.source, evaluation };
        let report = fit_on(&mut *trainable, data, config, &checkpoints, resume, &mut on_event, &stop)?;
        if self.cancel.load(Ordering::Relaxed) {
            return Err(luthier_model::Error::Interrupted.into());
        }
        let n_tensors = trainable.parameters().len();
        Ok(Short {
            losses: report.losses,
            evaluations: report.evaluations.iter().map(|one| one.loss).collect(),
            bits: (0..n_tensors).flat_map(|i| trainable.values(i).iter().map(|value| value.to_bits())).collect(),
        })
    }

    /// `1 × n = 2 × n/2 = … = n × 1`.
    fn accumulation(&self, n: usize, whole: &Short) -> Result<Vec<Finding>> {
        let (mut first, mut later, mut shapes) = (0.0f64, 0.0f64, vec![format!("{n}×1")]);
        for batch_size in [n.div_ceil(2), n.div_ceil(4), 1] {
            let shape = format!("{batch_size}×{}", n.div_ceil(batch_size));
            if shapes.contains(&shape) {
                continue;
            }
            let name = format!("accumulation-{batch_size}");
            let cut = self.run(&name, &self.config_for(batch_size, n.div_ceil(batch_size)), None)?;
            shapes.push(shape);
            first = first.max(relative(whole.losses[0], cut.losses[0]));
            for (a, b) in whole.losses.iter().zip(&cut.losses) {
                later = later.max(relative(*a, *b));
            }
        }
        let finding = |name, detail: String, measured, tolerance| Finding {
            name,
            detail,
            measured,
            tolerance,
            unit: "relative loss",
        };
        let shapes = shapes.join(" = ");
        Ok(vec![
            finding("accumulation", format!("loss of the first step, {shapes}"), first, FIRST_LOSS_TOLERANCE),
            finding("accumulation", format!("losses of {N_STEPS} steps, {shapes}"), later, CURVE_TOLERANCE),
        ])
    }

    /// All rows back to back, as packing lays them, against each alone.
    fn packing(&self) -> Result<Finding> {
        let trainable = (self.make)()?;
        let all: Vec<usize> = (0..self.source.n_examples()).collect();
        let packed = trainable.logps(&source::sequence_batch(self.source, &all), self.cancel)?;
        let mut alone = Vec::new();
        for &row in &all {
            alone.extend(trainable.logps(&source::sequence_batch(self.source, &[row]), self.cancel)?);
        }
        let detail =
            format!("log-probability of each of {} targets: {} rows packed, each alone", alone.len(), all.len());
        Ok(logp_finding("packed = unpacked", detail, &packed, &alone))
    }

    /// Nothing is padded: a short row beside the longest one, before and after it, against alone.
    fn neighbors(&self) -> Result<Finding> {
        let trainable = (self.make)()?;
        let length = |row: &usize| self.source.example(*row).input_ids.len();
        let rows = 0..self.source.n_examples();
        let longest = rows.clone().max_by_key(length).unwrap_or(0);
        let shortest = rows.min_by_key(length).unwrap_or(0);
        let of = |rows: &[usize]| trainable.logps(&source::sequence_batch(self.source, rows), self.cancel);
        let alone = of(&[shortest])?;
        let (before, after) = (of(&[shortest, longest])?, of(&[longest, shortest])?);
        let n = alone.len();
        let beside = [&before[..n], &after[after.len() - n..]].concat();
        let twice = [alone.as_slice(), alone.as_slice()].concat();
        let detail = format!(
            "nothing is padded: a row of {} tokens alone, before and after one of {}",
            length(&shortest),
            length(&longest)
        );
        Ok(logp_finding("padded = unpadded", detail, &beside, &twice))
    }

    fn evaluation(&self, n: usize) -> Result<Finding> {
        let evaluated = |batch_size: usize, name: &str| {
            // As many micro-batches as make one step of all rows, so that the weights are the same.
            let mut config = self.config_for(batch_size, n.div_ceil(batch_size));
            config.eval_steps = 1;
            config.max_steps = Some(1);
            config.learning_rate = f64::MIN_POSITIVE;
            self.run(name, &config, None).map(|short| short.evaluations[0])
        };
        let (whole, mut measured) = (evaluated(n, "evaluation-whole")?, 0.0f64);
        let smallest = if self.config.objective.kind == ObjectiveKind::Kto { n } else { 1 };
        for batch_size in [smallest, 3.clamp(smallest, n)] {
            let name = format!("evaluation-{batch_size}");
            measured = measured.max(relative(whole, evaluated(batch_size, &name)?));
        }
        Ok(Finding {
            name: "evaluation",
            detail: format!("loss on the same rows, {n}, 3 and {smallest} at a time"),
            measured,
            tolerance: EVALUATION_TOLERANCE,
            unit: "relative loss",
        })
    }

    fn same_seed(&self, n: usize, whole: &Short) -> Result<Finding> {
        let again = self.run("again", &self.config_for(n, 1), None)?;
        Ok(bits_finding("same seed", format!("{N_STEPS} steps, twice"), whole, &again))
    }

    fn resume(&self, n: usize, whole: &Short) -> Result<Finding> {
        let config = self.config_for(n, 1);
        self.run("resume", &config, Some(N_STEPS / 2))?;
        let resumed = self.run("resume", &config, None)?;
        let detail = format!("{N_STEPS} steps at once, and stopped after {} and resumed", N_STEPS / 2);
        Ok(bits_finding("resume", detail, whole, &resumed))
    }

    /// Blocks that compute their forward pass again, against blocks that keep it.
    fn checkpointing(&self, n: usize, whole: &Short) -> Result<Option<Finding>> {
        let mut trainable = (self.make)()?;
        if !trainable.toggle_gradient_checkpointing() {
            return Ok(None);
        }
        let other = self.run_of(trainable, "checkpointing", &self.config_for(n, 1), None)?;
        let detail = format!("{N_STEPS} steps, with gradient checkpointing and without");
        Ok(Some(bits_finding("checkpointing", detail, whole, &other)))
    }

    fn threads(&self, n: usize, whole: &Short) -> Result<Finding> {
        let config = self.config_for(n, 1);
        let mut different = 0;
        for n_threads in [1, 2, 3] {
            let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build() else { continue };
            let name = format!("threads-{n_threads}");
            let short = pool.install(|| self.run(&name, &config, None))?;
            different = different.max(n_different(whole, &short));
        }
        Ok(Finding {
            name: "threads",
            detail: format!("{N_STEPS} steps on 1, 2 and 3 threads"),
            measured: different as f64,
            tolerance: 0.0,
            unit: "values that differ",
        })
    }
}

/// Difference relative to the first; infinite if one is not a number.
fn relative(a: f64, b: f64) -> f64 {
    let difference = (a - b).abs() / a.abs().max(1e-12);
    if difference.is_nan() { f64::INFINITY } else { difference }
}

fn logp_finding(name: &'static str, detail: String, a: &[f64], b: &[f64]) -> Finding {
    let mut measured = if a.len() == b.len() { 0.0f64 } else { f64::INFINITY };
    for (a, b) in a.iter().zip(b) {
        let difference = (a - b).abs() / a.abs().max(1.0);
        measured = measured.max(if difference.is_nan() { f64::INFINITY } else { difference });
    }
    Finding { name, detail, measured, tolerance: LOGP_TOLERANCE, unit: "relative log-probability" }
}

fn n_different(a: &Short, b: &Short) -> usize {
    let weights = a.bits.iter().zip(&b.bits).filter(|(a, b)| a != b).count() + a.bits.len().abs_diff(b.bits.len());
    let losses = a.losses.iter().zip(&b.losses).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    weights + losses + a.losses.len().abs_diff(b.losses.len())
}

fn bits_finding(name: &'static str, detail: String, a: &Short, b: &Short) -> Finding {
    let (measured, unit) = (n_different(a, b) as f64, "values that differ");
    Finding { name, detail: format!("{detail}: weights and losses, bit for bit"), measured, tolerance: 0.0, unit }
}
