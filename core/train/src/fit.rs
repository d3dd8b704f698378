//! The loop. Read [`fit`], then [`run::Run::step`]; the rest is bookkeeping.

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
    let mut saved_step = match resume {
        true => run.restore(checkpoints, &mut warnings)?,
        false => refuse_existing(checkpoints)?,
    };
    let resumed_from = saved_step;
    on_event(FitEvent::Started { total_steps: plan.total_steps(), resumed_from });
    warnings.iter().for_each(|warning| on_event(FitEvent::Warning(warning.clone())));

    let clock = Instant::now();
    let seconds_before = run.seconds();
    let mut n_tokens = 0;
    let outcome = loop {
        let global_step = run.global_step();
        if global_step >= plan.total_steps() {
            break FitOutcome::Finished;
        }
        if cancel.load(Ordering::Relaxed) {
            break FitOutcome::Paused { step: global_step };
        }
        let step_clock = Instant::now();
        let learning_rate = config.learning_rate_at(global_step, plan.total_steps());
        let step = match run.step(source, plan.micro_batches(global_step), learning_rate, cancel) {
            Ok(step) => step,
            // The gradients of half a step are forgotten; the weights have not moved.
            Err(Error::Model(luthier_model::Error::Interrupted)) => {
                break FitOutcome::Paused { step: global_step };
            }
            Err(error) => return Err(error),
        };
        let elapsed_s = clock.elapsed().as_secs_f64();
        run.set_seconds(seconds_before + elapsed_s);
        n_tokens += step.n_tokens;
        on_event(FitEvent::Step(step_event(&step, &plan, learning_rate, step_clock, elapsed_s)));
        if config.checkpoint_steps > 0 && step.global_step.is_multiple_of(config.checkpoint_steps) {
            save(&run, &plan, checkpoints, &mut saved_step, on_event)?;
        }
    };
    save(&run, &plan, checkpoints, &mut saved_step, on_event)?;
    warnings.extend(run.audit_warning(outcome));
    let elapsed_s = clock.elapsed().as_secs_f64();
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
        tokens_per_second: n_tokens as f64 / elapsed_s.max(f64::MIN_POSITIVE),
        warnings,
    })
}

fn refuse_existing(checkpoints: &CheckpointDir) -> Result<Option<u64>> {
    match checkpoints.steps()?.last() {
        Some(&step) => Err(Error::CheckpointsExist { dir: checkpoints.root().to_path_buf(), step }),
        None => Ok(None),
    }
}

/// Save the run's state, unless it lies on disk already.
fn save(
    run: &Run<'_>,
    plan: &StepPlan,
    checkpoints: &CheckpointDir,
    saved_step: &mut Option<u64>,
    on_event: &mut dyn FnMut(FitEvent),
) -> Result<()> {
    let step = run.global_step();
    if *saved_step == Some(step) {
        return Ok(());
    }
    checkpoints.save(&run.checkpoint(plan.cursor(step)))?;
    *saved_step = Some(step);
    on_event(FitEvent::Checkpoint { step });
    Ok(())
}

fn step_event(step: &Step, plan: &StepPlan, learning_rate: f64, step_clock: Instant, elapsed_s: f64) -> StepEvent {
    StepEvent {
        global_step: step.global_step,
        total_steps: plan.total_steps(),
        epoch: plan.epochs_done(step.global_step),
        loss: step.loss,
        learning_rate,
        grad_norm: step.grad_norm,
        n_target_tokens: step.n_targets as u64,
        tokens_per_second: step.n_tokens as f64 / step_clock.elapsed().as_secs_f64().max(f64::MIN_POSITIVE),
        elapsed_s,
    }
}

#[cfg(test)]
mod tests;
