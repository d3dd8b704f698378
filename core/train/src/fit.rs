//! The loop. Read [`fit()`], `steps`, then `Run::step` in `fit/run.rs`; the rest is bookkeeping.

mod plan;
mod report;
mod run;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

pub use report::{FitEvent, FitOutcome, FitReport, StepEvent};

use crate::checkpoint::{CheckpointDir, Identity};
use crate::trainable::{self, Trainable};
use crate::{Error, ExampleSource, Result, TrainConfig, source};
use plan::StepPlan;
use run::{Run, Step};

/// Train until the configuration's last step, or until `cancel` is set.
///
/// With `resume`, goes on from the newest readable checkpoint (from the beginning if there is none),
/// provided that settings, data and model are those of the run that wrote it; without, `checkpoints`
/// must hold none. `trainable` must come as the run first got it: its trained values are restored
/// from the checkpoint.
///
/// Whatever ends the run well (its last step, or `cancel`) leaves a checkpoint of the last finished
/// step. An error leaves the checkpoints as they were.
///
/// # Errors
/// Bad settings or examples, a loss or gradient that is not finite, a tensor that no gradient
/// reaches, a checkpoint that cannot be written, or read, or is from another run.
pub fn fit(
    trainable: &mut dyn Trainable,
    source: &dyn ExampleSource,
    config: &TrainConfig,
    checkpoints: &CheckpointDir,
    resume: bool,
    on_event: &mut dyn FnMut(FitEvent),
    cancel: &AtomicBool,
) -> Result<FitReport> {
    config.validate()?;
    let survey = source::survey(source)?;
    let model = trainable::fingerprint(trainable);
    let identity = Identity { config: config.clone(), data: survey.fingerprint, model };
    let mut plan = StepPlan::new(survey.lengths, config)?;
    let mut run = Run::new(trainable, identity)?;
    let mut warnings = Vec::new();
    let resumed_from = match resume {
        true => run.restore(checkpoints, &mut warnings)?,
        false => refuse_existing(checkpoints)?,
    };
    on_event(FitEvent::Started { total_steps: plan.total_steps(), resumed_from });
    warnings.iter().for_each(|warning| on_event(FitEvent::Warning(warning.clone())));

    let clock = Clock { start: Instant::now(), seconds_before: run.seconds() };
    let mut saver = Saver { checkpoints, saved_step: resumed_from };
    let (outcome, n_tokens) = steps(&mut run, &mut plan, source, &clock, &mut saver, on_event, cancel)?;
    saver.save(&run, &plan, on_event)?;
    warnings.extend(run.audit_warning(outcome));
    Ok(FitReport {
        outcome,
        global_step: run.global_step(),
        total_steps: plan.total_steps(),
        resumed_from,
        losses: run.losses().to_vec(),
        n_target_tokens: run.n_target_tokens(),
        n_examples: plan.n_examples() as u64,
        n_trainable: run.n_trainable(),
        seconds: run.seconds(),
        tokens_per_second: per_second(n_tokens, clock.elapsed_s()),
        warnings,
    })
}

/// Step after step, to the end or to an interrupt. Also returns the number of tokens worked through.
fn steps(
    run: &mut Run<'_>,
    plan: &mut StepPlan,
    source: &dyn ExampleSource,
    clock: &Clock,
    saver: &mut Saver<'_>,
    on_event: &mut dyn FnMut(FitEvent),
    cancel: &AtomicBool,
) -> Result<(FitOutcome, usize)> {
    let mut n_tokens = 0;
    while run.global_step() < plan.total_steps() {
        let global_step = run.global_step();
        let paused = FitOutcome::Paused { step: global_step };
        if cancel.load(Ordering::Relaxed) {
            return Ok((paused, n_tokens));
        }
        let started_s = clock.elapsed_s();
        let learning_rate = run.config().learning_rate_at(global_step, plan.total_steps());
        let step = match run.step(source, plan.micro_batches(global_step), learning_rate, cancel) {
            Ok(step) => step,
            // The gradients of half a step are forgotten; the weights have not moved.
            Err(Error::Model(luthier_model::Error::Interrupted)) => return Ok((paused, n_tokens)),
            Err(error) => return Err(error),
        };
        n_tokens += step.n_tokens;
        let elapsed_s = clock.elapsed_s();
        run.set_seconds(clock.seconds_before + elapsed_s);
        on_event(FitEvent::Step(step_event(&step, plan, learning_rate, started_s, elapsed_s)));
        let checkpoint_steps = run.config().checkpoint_steps;
        if checkpoint_steps > 0 && step.global_step.is_multiple_of(checkpoint_steps) {
            saver.save(run, plan, on_event)?;
        }
    }
    Ok((FitOutcome::Finished, n_tokens))
}

/// Time since the run started or was resumed.
struct Clock {
    start: Instant,
    seconds_before: f64,
}

impl Clock {
    fn elapsed_s(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}

/// Where checkpoints go, and which lies there already.
struct Saver<'a> {
    checkpoints: &'a CheckpointDir,
    saved_step: Option<u64>,
}

impl Saver<'_> {
    /// Save the run's state, unless it is on disk.
    fn save(&mut self, run: &Run<'_>, plan: &StepPlan, on_event: &mut dyn FnMut(FitEvent)) -> Result<()> {
        let step = run.global_step();
        if self.saved_step != Some(step) {
            self.checkpoints.save(&run.checkpoint(plan.cursor(step)))?;
            self.saved_step = Some(step);
            on_event(FitEvent::Checkpoint { step });
        }
        Ok(())
    }
}

fn refuse_existing(checkpoints: &CheckpointDir) -> Result<Option<u64>> {
    match checkpoints.steps()?.last() {
        Some(&step) => Err(Error::CheckpointsExist { dir: checkpoints.root().to_path_buf(), step }),
        None => Ok(None),
    }
}

fn step_event(step: &Step, plan: &StepPlan, learning_rate: f64, started_s: f64, elapsed_s: f64) -> StepEvent {
    StepEvent {
        global_step: step.global_step,
        total_steps: plan.total_steps(),
        epoch: plan.epochs_done(step.global_step),
        loss: step.loss,
        learning_rate,
        grad_norm: step.grad_norm,
        n_target_tokens: step.n_targets as u64,
        tokens_per_second: per_second(step.n_tokens, elapsed_s - started_s),
        elapsed_s,
    }
}

fn per_second(n_tokens: usize, seconds: f64) -> f64 {
    // A clock may stand still for as long as a toy's step takes.
    n_tokens as f64 / seconds.max(1e-9)
}

#[cfg(test)]
mod tests;
