//! Training runs: described by [`Lora`] and [`Train`], watched while they run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use luthier_protocol::response::Finetuned;
use luthier_protocol::spec::{FinetuneSpec, LoraSpec, Method, Schedule, TrainSpec};
use luthier_protocol::{Event, Failure, FailureKind, Request, Response, StepEvent};

use crate::dataset::{Dataset, unexpected};
use crate::engine::Connection;
use crate::error::{Error, Result};
use crate::model::Adapter;
use crate::{cell, interrupt, session};

/// How often somebody who waits looks whether an interrupt was asked for.
const INTERRUPT_POLL: Duration = Duration::from_millis(25);

/// The shape of a LoRA adapter, with PEFT's names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lora {
    spec: LoraSpec,
    method: Method,
}

impl Lora {
    /// Rank `r`, on all linear projections, `alpha` 16.
    pub fn new(r: usize) -> Self {
        Lora { spec: LoraSpec { r, ..LoraSpec::default() }, method: Method::Lora }
    }

    /// `scaling = alpha / r`.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.spec.alpha = alpha;
        self
    }

    /// Another method than LoRA: [`Method::Dora`], [`Method::Qlora`], ….
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Any of the other settings.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut LoraSpec)) -> Self {
        change(&mut self.spec);
        self
    }

    /// Dropout on the adapter's input while training.
    #[must_use]
    pub fn dropout(mut self, dropout: f64) -> Self {
        self.spec.dropout = dropout;
        self
    }

    /// Only these modules, as PEFT's `target_modules`.
    #[must_use]
    pub fn target_modules<'a>(mut self, modules: impl IntoIterator<Item = &'a str>) -> Self {
        self.spec.target_modules = modules.into_iter().map(str::to_owned).collect();
        self
    }
}

/// How to train, with the names of Hugging Face's `TrainingArguments`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Train {
    spec: TrainSpec,
    name: Option<String>,
    allow: Vec<String>,
    require_review: bool,
}

impl Train {
    /// What the adapter will be called; else `DATASET-adapter`. An adapter of that name is replaced.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Passes over the data.
    #[must_use]
    pub fn epochs(mut self, epochs: impl Into<f64>) -> Self {
        self.spec.epochs = epochs.into();
        self
    }

    /// Optimizer steps, instead of epochs.
    #[must_use]
    pub fn max_steps(mut self, steps: u64) -> Self {
        self.spec.max_steps = Some(steps);
        self
    }

    /// Sequences per micro-batch.
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.spec.batch_size = batch_size;
        self
    }

    /// Peak learning rate.
    #[must_use]
    pub fn learning_rate(mut self, learning_rate: f64) -> Self {
        self.spec.learning_rate = learning_rate;
        self
    }

    /// How the learning rate falls.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.spec.schedule = schedule;
        self
    }

    /// Seed of initialisation, order and dropout.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.spec.seed = seed;
        self
    }

    /// Let a finding of the data lint pass, by its name.
    #[must_use]
    pub fn allow(mut self, finding: impl Into<String>) -> Self {
        self.allow.push(finding.into());
        self
    }

    /// Refuse rows that nobody has accepted or corrected in a review.
    #[must_use]
    pub fn require_review(mut self) -> Self {
        self.require_review = true;
        self
    }

    /// Any of the other settings.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut TrainSpec)) -> Self {
        change(&mut self.spec);
        self
    }

    pub(crate) fn into_spec(self, model: &str, data: &Dataset, lora: Lora) -> FinetuneSpec {
        FinetuneSpec {
            name: Some(self.name.unwrap_or_else(|| format!("{}-adapter", data.name()))),
            model: model.into(),
            data: data.name().into(),
            split: data.split_name().unwrap_or("train").into(),
            method: lora.method,
            lora: lora.spec,
            train: self.spec,
            allow: self.allow,
            require_review: self.require_review,
            // A cell is run again and again; its adapter is the last one.
            overwrite: true,
        }
    }
}

/// A training run in the engine. Cheap to clone; every clone is the same run.
#[derive(Clone)]
pub struct Run {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    cancel: AtomicBool,
}

#[derive(Default)]
struct State {
    run: Option<String>,
    steps: Vec<StepEvent>,
    outcome: Option<Result<Finetuned>>,
}

impl Run {
    /// Start it, and wait until the engine has accepted it.
    pub(crate) fn start(spec: FinetuneSpec) -> Result<Run> {
        let connection = session::take()?;
        let shared =
            Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), cancel: AtomicBool::new(false) });
        let run = Run { shared: Arc::clone(&shared) };
        std::thread::spawn(move || shared.drive(connection, Request::Finetune(spec)));
        let accepted = |state: &State| state.run.is_some() || state.outcome.is_some();
        let refused = match &run.wait_until(accepted, &mut |_| {}).outcome {
            Some(Err(error)) => Some(error.clone()),
            _ => None,
        };
        refused.map_or(Ok(run), Err)
    }

    /// The run's id, as in `%runs`; empty before the engine has named it.
    pub fn id(&self) -> String {
        self.state().run.clone().unwrap_or_default()
    }

    /// Every optimizer step, those done and those to come. Ends with the run; how it ended is for
    /// [`Run::wait`] to say.
    pub fn steps(&self) -> Steps {
        Steps { run: self.clone(), next: 0 }
    }

    /// The steps done so far.
    pub fn steps_so_far(&self) -> Vec<StepEvent> {
        self.state().steps.clone()
    }

    /// The run has ended, well or not.
    pub fn is_finished(&self) -> bool {
        self.state().outcome.is_some()
    }

    /// Wait for its end. An interrupt pauses the run with a checkpoint.
    pub fn wait(&self) -> Result<Finetuned> {
        let state = self.wait_until(|state| state.outcome.is_some(), &mut |state| {
            if let Some(step) = state.steps.last() {
                session::show(Event::Step(step.clone()));
            }
        });
        cell::status("");
        state.outcome.clone().unwrap_or_else(|| Err(interrupted()))
    }

    /// The adapter it makes; whatever is asked of it waits for the run's end.
    pub fn adapter(&self) -> Adapter {
        Adapter::of_run(self.clone())
    }

    /// Pause it with a checkpoint; `%resume` goes on.
    pub fn cancel(&self) {
        self.shared.cancel.store(true, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wait for something; an interrupt is passed on to the run, whose end then shows up in its state.
    fn wait_until(&self, done: impl Fn(&State) -> bool, meanwhile: &mut dyn FnMut(&State)) -> MutexGuard<'_, State> {
        let mut state = self.state();
        loop {
            if done(&state) {
                return state;
            }
            if interrupt::requested() {
                self.cancel();
            }
            meanwhile(&state);
            let waited = self.shared.changed.wait_timeout(state, INTERRUPT_POLL);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn drive(&self, mut connection: Connection, request: Request) {
        let answer = connection.request(request, &mut |event| self.note(event), Some(&self.cancel));
        let outcome = match answer {
            Ok(Response::Finetuned(finetuned)) => Ok(finetuned),
            Ok(other) => Err(unexpected("a finished run", &other)),
            Err(failure) => Err(Error::from(failure)),
        };
        session::give_back(connection);
        self.change(|state| state.outcome = Some(outcome));
    }

    fn note(&self, event: Event) {
        match event {
            Event::RunStarted { run, .. } => self.change(|state| state.run = Some(run)),
            Event::Step(step) => self.change(|state| state.steps.push(step)),
            Event::Warning { message } => eprintln!("warning: {message}"),
            Event::Evaluated(_) | Event::Checkpoint { .. } | Event::Progress { .. } | Event::Text { .. } => {}
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

/// The steps of a run, as they happen.
pub struct Steps {
    run: Run,
    next: usize,
}

impl Iterator for Steps {
    type Item = StepEvent;

    fn next(&mut self) -> Option<StepEvent> {
        let next = self.next;
        let state = self.run.wait_until(|state| state.steps.len() > next || state.outcome.is_some(), &mut |_| {});
        let step = state.steps.get(next).cloned()?;
        self.next += 1;
        Some(step)
    }
}

fn interrupted() -> Error {
    Failure::new(FailureKind::Interrupted, "interrupted before the run had ended").into()
}
