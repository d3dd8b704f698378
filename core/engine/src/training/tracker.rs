//! Keeps a run's record, journal, followers and client informed while it is trained.

use std::path::Path;
use std::sync::Arc;

use luthier_protocol::response::Finetuned;
use luthier_protocol::spec::FinetuneSpec;
use luthier_protocol::{EvalEvent, Event, Failure, StepEvent};
use luthier_train::FitEvent;

use super::report::Watchers;
use crate::Error;
use crate::clock::Stopwatch;
use crate::runs::{Journal, Registration};
use crate::service::Context;
use crate::store::{RunRecord, RunStatus, Store};

/// The record is written at most this often: readers want to know that the run lives, not more.
const WRITE_INTERVAL_S: f64 = 2.0;

pub(super) struct Tracker<'a> {
    context: Context<'a>,
    store: Store,
    record: RunRecord,
    journal: Journal,
    registration: Registration<'a>,
    watchers: Watchers,
    seconds_before: f64,
    since_start: Stopwatch,
    since_write: Stopwatch,
}

impl<'a> Tracker<'a> {
    /// The run is this engine's from here on.
    pub(super) fn begin(
        context: Context<'a>,
        record: RunRecord,
        run_dir: &Path,
        spec: &FinetuneSpec,
    ) -> Result<Tracker<'a>, Error> {
        let (engine, run) = (context.engine, record.run.clone());
        let cancel = Arc::clone(context.call.cancel_token());
        let registered = engine.live.register(context.project.root(), &run, cancel, run_dir);
        let registration = registered.ok_or_else(|| Error::RunState {
            run,
            status: RunStatus::Running.name(),
            message: None,
            advice: "it is being worked on already: `follow` shows it".to_owned(),
        })?;
        let (watchers, warnings) = Watchers::open(context.project, spec, &record.run, context.engine.clock().unix_ms());
        warnings.into_iter().for_each(|warning| context.call.warn(warning));
        let mut tracker = Tracker {
            watchers,
            context,
            store: context.project.store()?,
            journal: Journal::open(run_dir),
            registration,
            seconds_before: record.seconds,
            since_start: engine.clock().stopwatch(),
            since_write: engine.clock().stopwatch(),
            record,
        };
        tracker.record.status = RunStatus::Running;
        tracker.record.message = None;
        tracker.record.owner = engine.owner().clone();
        tracker.write()?;
        Ok(tracker)
    }

    /// Pass on what the training loop says.
    pub(super) fn fit_event(&mut self, event: FitEvent) {
        let run = self.record.run.clone();
        let event = match event {
            FitEvent::Started { total_steps, resumed_from } => {
                self.record.total_steps = total_steps;
                self.record.global_step = resumed_from.unwrap_or(0);
                Event::RunStarted { run, name: self.record.name.clone(), total_steps, resumed_from }
            }
            FitEvent::Step(step) => {
                self.record.global_step = step.global_step;
                self.record.loss = Some(step.loss);
                Event::Step(public(run, &step))
            }
            FitEvent::Reference { done, total } => {
                let stage = "reference model".to_owned();
                let (done, total) = (done as u64, Some(total as u64));
                return self.context.call.event(Event::Progress { stage, done, total });
            }
            FitEvent::Evaluation(evaluation) => Event::Evaluated(EvalEvent {
                run,
                global_step: evaluation.step,
                loss: evaluation.loss,
                n_target_tokens: evaluation.n_target_tokens,
                is_best: evaluation.is_best,
                metrics: evaluation.metrics,
            }),
            FitEvent::StoppedEarly { step } => {
                Event::Warning { message: format!("stopped early after step {step}: evaluations do not get better") }
            }
            FitEvent::Checkpoint { step } => Event::Checkpoint { run, step },
            FitEvent::Warning(message) => Event::Warning { message },
        };
        let is_step = matches!(event, Event::Step(_));
        self.tell(event);
        if !is_step || self.since_write.seconds() >= WRITE_INTERVAL_S {
            // The record is for others to look at; the run does not depend on it.
            let _ = self.write();
        }
    }

    /// The run has ended. What it came to must be on record before anybody is told.
    pub(super) fn end(mut self, status: RunStatus, result: &Result<Finetuned, Error>) -> Result<(), Error> {
        self.record.status = status;
        self.record.result = result.as_ref().ok().cloned();
        self.record.message = result.as_ref().err().map(ToString::to_string);
        if let Ok(finetuned) = result {
            self.record.global_step = finetuned.steps;
            self.record.loss = Some(finetuned.final_loss).filter(|loss| loss.is_finite());
        }
        let written = self.write();
        let unix_ms = self.context.engine.clock().unix_ms();
        self.watchers.end(status, unix_ms).into_iter().for_each(|warning| self.context.call.warn(warning));
        let outcome = match result {
            Ok(finetuned) => Ok(finetuned.clone()),
            Err(error) => Err(Failure::new(luthier_protocol::FailureKind::Training, error.to_string())),
        };
        self.registration.live.finish(&outcome);
        written
    }

    fn tell(&mut self, event: Event) {
        self.journal.append(&event);
        self.registration.live.written(self.journal.n_bytes());
        let unix_ms = self.context.engine.clock().unix_ms();
        self.watchers.event(&event, unix_ms).into_iter().for_each(|warning| self.context.call.warn(warning));
        self.context.call.event(event);
    }

    fn write(&mut self) -> Result<(), Error> {
        let clock = self.context.engine.clock();
        self.record.seconds = self.seconds_before + self.since_start.seconds();
        self.record.updated_ms = clock.unix_ms();
        self.since_write = clock.stopwatch();
        self.store.put_run(&self.record)
    }
}

fn public(run: String, step: &luthier_train::StepEvent) -> StepEvent {
    StepEvent {
        run,
        global_step: step.global_step,
        total_steps: step.total_steps,
        epoch: step.epoch,
        loss: step.loss,
        metrics: step.metrics.clone(),
        learning_rate: step.learning_rate,
        grad_norm: step.grad_norm,
        n_target_tokens: step.n_target_tokens,
        tokens_per_second: step.tokens_per_second,
        elapsed_s: step.elapsed_s,
    }
}
