//! The loop. Read [`fit_on()`], `steps`, then `Run::step` in `fit/run.rs`; the rest is bookkeeping.

mod evaluate;
pub(crate) mod evaluations;
mod packing;
mod plan;
mod report;
mod run;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

pub use report::{Evaluation, FitEvent, FitOutcome, FitReport, StepEvent};

use crate::checkpoint::{CheckpointDir, Identity, Keep};
use crate::objective::reference::Reference;
use crate::trainable::{self, Trainable};
use crate::{Error, ExampleSource, Result, TrainConfig, source};
use evaluate::EvaluationData;
use plan::StepPlan;
use run::{Run, Step};

/// What a run trains on, and what it looks at on the way.
#[derive(Clone, Copy)]
pub struct FitData<'a> {
    /// Trained on.
    pub train: &'a dyn ExampleSource,
    /// Evaluated on every `eval_steps`.
    pub evaluation: Option<&'a dyn ExampleSource>,
}

/// [`fit_on()`] without evaluation data.
pub fn fit(
    trainable: &mut dyn Trainable,
    source: &dyn ExampleSource,
    config: &TrainConfig,
    checkpoints: &CheckpointDir,
    resume: bool,
    on_event: &mut dyn FnMut(FitEvent),
    cancel: &AtomicBool,
) -> Result<FitReport> {
    let data = FitData { train: source, evaluation: None };
    fit_on(trainable, data, config, checkpoints, resume, on_event, cancel)
}

/// Train until the configuration's last step, until evaluations stop getting better, or until
/// `cancel` is set.
///
/// With `resume`, goes on from the newest readable checkpoint (from the beginning if there is none),
/// provided that settings, data and model are those of the run that wrote it; without, `checkpoints`
/// must hold none. `trainable` must come as the run first got it: its trained values are restored
/// from the checkpoint, and a preference objective compares with the model as it comes.
///
/// Whatever ends the run well (its last step, or `cancel`) leaves a checkpoint of the last finished
/// step. An error leaves the checkpoints as they were.
///
/// # Errors
/// Bad settings or examples, a loss or gradient that is not finite, a tensor that no gradient
/// reaches, a checkpoint that cannot be written, or read, or is from another run.
pub fn fit_on(
    trainable: &mut dyn Trainable,
    data: FitData<'_>,
    config: &TrainConfig,
    checkpoints: &CheckpointDir,
    resume: bool,
    on_event: &mut dyn FnMut(FitEvent),
    cancel: &AtomicBool,
) -> Result<FitReport> {
    config.validate()?;
    let survey = source::survey(data.train, &config.objective)?;
    let evaluation = survey_evaluation(data, config)?;
    let model = trainable::fingerprint(trainable);
    let identity = Identity { config: config.clone(), data: survey.fingerprint, evaluation_data: evaluation, model };
    let mut plan = StepPlan::new(survey.lengths, config)?;
    if !resume {
        refuse_existing(checkpoints)?;
    }
    let references = match references(trainable, data, config, on_event, cancel) {
        Err(Error::Model(luthier_model::Error::Interrupted)) => return paused_before(checkpoints, &plan),
        other => other?,
    };
    let mut run = Run::new(trainable, data.train, identity, references.0)?;
    let mut warnings = Vec::new();
    let resumed_from = if resume { run.restore(checkpoints, &mut warnings)? } else { None };
    on_event(FitEvent::Started { total_steps: plan.total_steps(), resumed_from });
    warnings.iter().for_each(|warning| on_event(FitEvent::Warning(warning.clone())));

    let clock = Clock { start: Instant::now(), seconds_before: run.seconds() };
    let evaluation = data.evaluation.map(|source| EvaluationData { source, reference: references.1 });
    let saver = Saver { checkpoints, saved_step: resumed_from };
    let mut steps = Steps { run: &mut run, plan: &mut plan, evaluation, clock: &clock, saver, on_event, cancel };
    let (outcome, n_tokens) = steps.go().map_err(|error| error.with_safe_step(checkpoints))?;
    steps.save()?;
    warnings.extend(run.audit_warning(outcome));
    let result_step = match outcome {
        FitOutcome::Finished => run.take_best(checkpoints, &mut warnings),
        FitOutcome::Paused { step } => step,
    };
    Ok(FitReport {
        outcome,
        global_step: run.global_step(),
        total_steps: plan.total_steps(),
        resumed_from,
        losses: run.losses().to_vec(),
        n_target_tokens: run.n_target_tokens(),
        n_examples: data.train.n_examples() as u64,
        n_trainable: run.n_trainable(),
        stopped_early: outcome == FitOutcome::Finished && run.global_step() < plan.total_steps(),
        evaluations: run.evaluations(),
        result_step,
        seconds: run.seconds(),
        tokens_per_second: per_second(n_tokens, clock.elapsed_s()),
        warnings,
    })
}

/// Check the evaluation data before the first step, too; its hash.
fn survey_evaluation(data: FitData<'_>, config: &TrainConfig) -> Result<Option<String>> {
    match (config.eval_steps, data.evaluation) {
        (0, _) => Ok(None),
        (eval_steps, None) => Err(Error::NoEvaluationData { eval_steps }),
        (_, Some(source)) => Ok(Some(source::survey(source, &config.objective)?.fingerprint)),
    }
}

/// What the untrained model says of training and evaluation data, if the objective asks.
fn references(
    trainable: &dyn Trainable,
    data: FitData<'_>,
    config: &TrainConfig,
    on_event: &mut dyn FnMut(FitEvent),
    cancel: &AtomicBool,
) -> Result<(Reference, Reference)> {
    let mut progress = |done, total| on_event(FitEvent::Reference { done, total });
    let train = Reference::compute(trainable, data.train, config, &mut progress, cancel)?;
    let evaluation = match data.evaluation.filter(|_| config.eval_steps > 0) {
        Some(source) => Reference::compute(trainable, source, config, &mut progress, cancel)?,
        None => Reference::default(),
    };
    Ok((train, evaluation))
}

/// Interrupted before the first step: what lies on disk is what there is.
fn paused_before(checkpoints: &CheckpointDir, plan: &StepPlan) -> Result<FitReport> {
    let step = checkpoints.steps()?.last().copied().unwrap_or(0);
    Ok(FitReport {
        outcome: FitOutcome::Paused { step },
        global_step: step,
        total_steps: plan.total_steps(),
        resumed_from: None,
        losses: Vec::new(),
        n_target_tokens: 0,
        n_examples: plan.n_units() as u64,
        n_trainable: 0,
        evaluations: Vec::new(),
        stopped_early: false,
        result_step: step,
        seconds: 0.0,
        tokens_per_second: 0.0,
        warnings: Vec::new(),
    })
}

/// A run with everything that goes along with it.
struct Steps<'a, 'r> {
    run: &'a mut Run<'r>,
    plan: &'a mut StepPlan,
    evaluation: Option<EvaluationData<'a>>,
    clock: &'a Clock,
    saver: Saver<'a>,
    on_event: &'a mut dyn FnMut(FitEvent),
    cancel: &'a AtomicBool,
}

impl Steps<'_, '_> {
    /// Step after step, to the end or to an interrupt. Also returns the number of tokens worked through.
    fn go(&mut self) -> Result<(FitOutcome, usize)> {
        let mut n_tokens = 0;
        loop {
            // Evaluation first: a checkpoint of a step holds what its evaluation said.
            let is_over = match self.evaluate() {
                Ok(is_over) => is_over,
                Err(error) => return self.interrupted(error, n_tokens),
            };
            self.save_if_due()?;
            if is_over || self.run.global_step() >= self.plan.total_steps() {
                return Ok((FitOutcome::Finished, n_tokens));
            }
            if self.cancel.load(Ordering::Relaxed) {
                return Ok((FitOutcome::Paused { step: self.run.global_step() }, n_tokens));
            }
            match self.step() {
                Ok(n) => n_tokens += n,
                Err(error) => return self.interrupted(error, n_tokens),
            }
        }
    }

    /// An interrupt pauses; the gradients of half a step are forgotten, the weights have not moved.
    fn interrupted(&self, error: Error, n_tokens: usize) -> Result<(FitOutcome, usize)> {
        match error {
            Error::Model(luthier_model::Error::Interrupted) => {
                Ok((FitOutcome::Paused { step: self.run.global_step() }, n_tokens))
            }
            error => Err(error),
        }
    }

    /// One step; its tokens.
    fn step(&mut self) -> Result<usize> {
        let global_step = self.run.global_step();
        let started_s = self.clock.elapsed_s();
        let learning_rate = self.run.config().learning_rate_at(global_step, self.plan.total_steps());
        let step = self.run.step(self.plan.micro_batches(global_step), learning_rate, self.cancel)?;
        let n_tokens = step.n_tokens;
        let elapsed_s = self.clock.elapsed_s();
        self.run.set_seconds(self.clock.seconds_before + elapsed_s);
        (self.on_event)(FitEvent::Step(step_event(step, self.plan, learning_rate, started_s, elapsed_s)));
        Ok(n_tokens)
    }

    /// The evaluation that is due, if one is; whether it was one too many without progress.
    fn evaluate(&mut self) -> Result<bool> {
        let due = self.run.evaluation_is_due(self.plan.total_steps());
        if let Some(data) = self.evaluation.as_ref().filter(|_| due) {
            let evaluation = self.run.evaluate(data, self.cancel)?;
            self.run.set_seconds(self.clock.seconds_before + self.clock.elapsed_s());
            (self.on_event)(FitEvent::Evaluation(evaluation));
            if self.run.best_step() == Some(self.run.global_step()) {
                self.saver.saved_step = None;
                self.save()?;
            }
        }
        let is_over = self.run.is_enough();
        if is_over && due {
            (self.on_event)(FitEvent::StoppedEarly { step: self.run.global_step() });
        }
        Ok(is_over)
    }

    fn save_if_due(&mut self) -> Result<()> {
        let (step, every) = (self.run.global_step(), self.run.config().checkpoint_steps);
        match step > 0 && every > 0 && step.is_multiple_of(every) {
            true => self.save(),
            false => Ok(()),
        }
    }

    /// Save the run's state, unless it is on disk.
    fn save(&mut self) -> Result<()> {
        let step = self.run.global_step();
        if self.saver.saved_step == Some(step) {
            return Ok(());
        }
        let keep = Keep { newest: self.run.config().keep_checkpoints, best: self.run.best_step() };
        let warning = self.saver.checkpoints.save(&self.run.checkpoint(self.plan.cursor(step)), keep)?;
        self.saver.saved_step = Some(step);
        (self.on_event)(FitEvent::Checkpoint { step });
        if let Some(warning) = warning {
            (self.on_event)(FitEvent::Warning(warning));
        }
        Ok(())
    }
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

fn refuse_existing(checkpoints: &CheckpointDir) -> Result<Option<u64>> {
    match checkpoints.steps()?.last() {
        Some(&step) => Err(Error::CheckpointsExist { dir: checkpoints.root().to_path_buf(), step }),
        None => Ok(None),
    }
}

fn step_event(step: Step, plan: &StepPlan, learning_rate: f64, started_s: f64, elapsed_s: f64) -> StepEvent {
    StepEvent {
        global_step: step.global_step,
        total_steps: plan.total_steps(),
        epoch: plan.epochs_done(step.global_step),
        loss: step.loss,
        metrics: step.metrics,
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
