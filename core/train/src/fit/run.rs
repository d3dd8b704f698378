//! The state of a run, and the one step that changes it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use luthier_model::profile::span;
use luthier_model::{DropoutKey, ParameterInfo};

use super::FitOutcome;
use super::evaluate::EvaluationData;
use super::evaluations::{Evaluations, Recorded};
use super::report::Evaluation;
use crate::audit::GradientAudit;
use crate::checkpoint::{Checkpoint, CheckpointDir, Cursor, Identity, OptimizerState};
use crate::gradients::{self, clipping_factor, global_norm, squared_norm};
use crate::objective::batch::{Divisors, Partners, PreferenceBatch, Sums, loss};
use crate::objective::reference::{Reference, mismatched, partners};
use crate::optimizer::{self, Optimizer, TensorUpdate};
use crate::trainable::Trainable;
use crate::{Error, ExampleSource, Result, TrainConfig, source};

/// A run between two steps.
pub(super) struct Run<'a> {
    trainable: &'a mut dyn Trainable,
    source: &'a dyn ExampleSource,
    identity: Identity,
    parameters: Vec<ParameterInfo>,
    names: Vec<String>,
    gradients: Vec<Vec<f32>>,
    optimizer: Box<dyn Optimizer>,
    audit: GradientAudit,
    reference: Reference,
    partners: Partners,
    losses: Vec<f64>,
    evaluations: Evaluations,
    n_target_tokens: u64,
    seconds: f64,
}

/// What one step came to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    /// Optimizer steps done, this one included.
    pub(super) global_step: u64,
    /// The objective's; for `sft` the mean over all targets of the step, in nats.
    pub(super) loss: f64,
    /// Further means.
    pub(super) metrics: BTreeMap<String, f64>,
    /// Before clipping.
    pub(super) grad_norm: f64,
    pub(super) n_targets: usize,
    pub(super) n_tokens: usize,
}

impl<'a> Run<'a> {
    /// A run that has done nothing.
    pub(super) fn new(
        trainable: &'a mut dyn Trainable,
        source: &'a dyn ExampleSource,
        identity: Identity,
        reference: Reference,
    ) -> Result<Self> {
        let parameters = trainable.parameters();
        if parameters.is_empty() {
            return Err(Error::NothingTrainable);
        }
        let lengths = (0..parameters.len()).map(|index| trainable.values(index).len());
        Ok(Run {
            gradients: lengths.map(|n| vec![0.0; n]).collect(),
            optimizer: optimizer::build(&identity.config, &parameters),
            audit: GradientAudit::new(parameters.len())
                .without(|index| parameters[index].name.contains(".mlp.experts.")),
            names: parameters.iter().map(|parameter| parameter.name.clone()).collect(),
            partners: partners(source, &identity.config),
            reference,
            losses: Vec::new(),
            evaluations: Evaluations::default(),
            n_target_tokens: 0,
            seconds: 0.0,
            trainable,
            source,
            identity,
            parameters,
        })
    }

    /// Go on from the newest readable checkpoint; its step, or `None` if there is no checkpoint.
    pub(super) fn restore(&mut self, checkpoints: &CheckpointDir, warnings: &mut Vec<String>) -> Result<Option<u64>> {
        let Some(loaded) = checkpoints.load_latest()? else {
            warnings.push("there is no checkpoint yet: the run starts from the beginning".into());
            return Ok(None);
        };
        let checkpoint = loaded.checkpoint;
        let step = checkpoint.cursor.global_step;
        checkpoint.check(&self.identity, &self.parameters, &*self.optimizer)?;
        checkpoints.set_aside_after(step)?;
        let corrupt = |reason: String| Error::CorruptCheckpoint { path: checkpoints.root().to_path_buf(), reason };
        self.take_values(&checkpoint);
        let state = checkpoint.optimizer.into_iter().map(|piece| piece.data.into_owned()).collect();
        self.optimizer.restore(step, state).map_err(corrupt)?;
        let evaluations = Evaluations::unflatten(&checkpoint.evaluations);
        self.evaluations = evaluations.ok_or_else(|| corrupt("its evaluations are not whole".into()))?;
        self.audit = checkpoint.audit.into_owned();
        self.losses = checkpoint.losses.into_owned();
        self.n_target_tokens = checkpoint.n_target_tokens;
        self.seconds = checkpoint.seconds;
        warnings.extend(loaded.warnings);
        Ok(Some(step))
    }

    fn take_values(&mut self, checkpoint: &Checkpoint<'_>) {
        for (index, values) in checkpoint.values.iter().enumerate() {
            self.trainable.values_mut(index).copy_from_slice(values);
        }
    }

    /// Put the weights of the best evaluation into the model, if the run keeps them; the step whose
    /// weights it holds afterwards.
    pub(super) fn take_best(&mut self, checkpoints: &CheckpointDir, warnings: &mut Vec<String>) -> u64 {
        let last = self.global_step();
        let Some(best) = self.evaluations.best_step(&self.identity.config).filter(|best| *best != last) else {
            return last;
        };
        let loaded = checkpoints.load(best).and_then(|checkpoint| {
            checkpoint.check(&self.identity, &self.parameters, &*self.optimizer)?;
            self.take_values(&checkpoint);
            Ok(())
        });
        match loaded {
            Ok(()) => best,
            Err(error) => {
                warnings.push(format!("the best weights (step {best}) are lost, the last are kept: {error}"));
                last
            }
        }
    }

    /// One optimizer step over `micro_batches` (indices of units). On an error, weights, moments and
    /// losses are those before the step.
    pub(super) fn step(
        &mut self,
        micro_batches: &[Vec<usize>],
        learning_rate: f64,
        cancel: &AtomicBool,
    ) -> Result<Step> {
        let _span = span("training loop, rest", || 0.0);
        gradients::zero(&mut self.gradients);
        let step = match self.config().objective.is_preference() {
            false => self.accumulate(micro_batches, cancel)?,
            true => self.accumulate_preference(micro_batches, cancel)?,
        };
        let examples = || self.examples_of(micro_batches);
        if !step.loss.is_finite() {
            let (step, loss, tensor) = (step.global_step, step.loss, self.non_finite_tensor());
            let largest = self.largest_tensor().map(Box::new);
            return Err(Error::NonFiniteLoss { step, loss, tensor, largest, examples: examples(), safe_step: None });
        }
        let examples = examples();
        let squared_norms = self.check_gradients(step.global_step, learning_rate, examples)?;
        let grad_norm = global_norm(&squared_norms);
        self.update(learning_rate, clipping_factor(grad_norm, self.identity.config.max_grad_norm));
        self.losses.push(step.loss);
        self.n_target_tokens += step.n_targets as u64;
        Ok(Step { grad_norm, ..step })
    }

    /// Indices of the examples of these units.
    fn examples_of(&self, micro_batches: &[Vec<usize>]) -> Vec<usize> {
        let n = self.config().objective.examples_per_unit();
        micro_batches.iter().flatten().flat_map(|unit| unit * n..(unit + 1) * n).collect()
    }

    fn dropout_key(&self, micro: usize) -> DropoutKey {
        DropoutKey {
            seed: self.identity.config.seed,
            step: self.global_step(),
            micro: micro as u64,
            neftune_alpha: self.identity.config.neftune_alpha.unwrap_or(0.0),
        }
    }

    /// Gradients of the mean loss over all targets of the step, whatever the micro-batches.
    fn accumulate(&mut self, micro_batches: &[Vec<usize>], cancel: &AtomicBool) -> Result<Step> {
        let batches: Vec<_> = micro_batches.iter().map(|batch| source::sequence_batch(self.source, batch)).collect();
        let n_targets: usize = batches.iter().map(|batch| batch.n_targets()).sum();
        let global_step = self.global_step() + 1;
        let loss_scale = (1.0 / n_targets as f64) as f32;
        let (mut nll_sum, mut n_counted) = (0.0, 0);
        for (micro, batch) in batches.iter().enumerate() {
            let dropout = Some(self.dropout_key(micro));
            let trainable = &*self.trainable;
            let loss = trainable.accumulate_gradients(batch, loss_scale, dropout, &mut self.gradients, cancel)?;
            nll_sum += loss.nll_sum;
            n_counted += loss.n_targets;
        }
        if n_counted != n_targets {
            return Err(Error::TargetCount { step: global_step, model: n_counted, labels: n_targets });
        }
        let loss = nll_sum / n_targets as f64;
        let n_tokens = batches.iter().map(|batch| batch.n_tokens()).sum();
        Ok(Step { global_step, loss, metrics: BTreeMap::new(), grad_norm: 0.0, n_targets, n_tokens })
    }

    /// Gradients of the mean loss over all units of the step, whatever the micro-batches.
    fn accumulate_preference(&mut self, micro_batches: &[Vec<usize>], cancel: &AtomicBool) -> Result<Step> {
        let objective = self.identity.config.objective;
        let batches: Vec<_> =
            micro_batches.iter().map(|units| PreferenceBatch::new(self.source, &objective, units)).collect();
        let divisors = Divisors {
            n_units: micro_batches.iter().map(Vec::len).sum(),
            n_likelihood_targets: batches.iter().map(PreferenceBatch::n_likelihood_targets).sum(),
        };
        let mut sums = Sums::default();
        for (micro, (units, batch)) in micro_batches.iter().zip(&batches).enumerate() {
            let others = mismatched(&*self.trainable, self.source, &objective, units, &self.partners, cancel)?;
            let (reference, source) = (&self.reference, self.source);
            let mut of_logps = |logps: &[f64]| {
                let (found, coefficients) = loss(&objective, divisors, batch, logps, reference, &others, source);
                sums.add(&found);
                coefficients
            };
            let dropout = Some(self.dropout_key(micro));
            let trainable = &*self.trainable;
            trainable.accumulate_objective(&batch.batch, dropout, &mut of_logps, &mut self.gradients, cancel)?;
        }
        Ok(Step {
            global_step: self.global_step() + 1,
            loss: sums.loss,
            metrics: sums.metrics(),
            grad_norm: 0.0,
            n_targets: batches.iter().map(PreferenceBatch::n_targets).sum(),
            n_tokens: batches.iter().map(|batch| batch.batch.n_tokens()).sum(),
        })
    }

    /// The squared norm of each gradient, once all are finite and none is missing.
    fn check_gradients(&mut self, global_step: u64, learning_rate: f64, examples: Vec<usize>) -> Result<Vec<f64>> {
        let _span = span("norms of gradients", || 0.0);
        let squared_norms: Vec<f64> = self.gradients.iter().map(|gradient| squared_norm(gradient)).collect();
        let not_finite = (0..squared_norms.len()).filter(|&index| !squared_norms[index].is_finite());
        let tensors = self.names_of(not_finite);
        if !tensors.is_empty() {
            return Err(Error::NonFiniteGradient { step: global_step, tensors, examples, safe_step: None });
        }
        let unreached = self.audit.observe(global_step, learning_rate, &squared_norms);
        if !unreached.is_empty() {
            return Err(Error::NoGradient { step: global_step, tensors: self.names_of(unreached) });
        }
        Ok(squared_norms)
    }

    fn update(&mut self, learning_rate: f64, gradient_scale: f32) {
        let _span = span("optimizer", || 0.0);
        self.optimizer.begin_step();
        for (index, parameter) in self.parameters.iter().enumerate() {
            let values = self.trainable.values_mut(index);
            let gradient = &self.gradients[index];
            let decays = parameter.decay;
            self.optimizer.update(TensorUpdate { index, values, gradient, gradient_scale, learning_rate, decays });
        }
    }

    fn non_finite_tensor(&self) -> Option<String> {
        let finite = |index: usize| self.trainable.values(index).iter().all(|value| value.is_finite());
        let trained = (0..self.names.len()).find(|&index| !finite(index)).map(|index| self.names[index].clone());
        trained.or_else(|| self.trainable.non_finite_frozen())
    }

    /// The trained tensor with the largest magnitude.
    fn largest_tensor(&self) -> Option<(String, f32)> {
        let magnitude = |index| self.trainable.values(index).iter().fold(0.0f32, |largest, w| largest.max(w.abs()));
        let all = self.names.iter().enumerate().map(|(index, name)| (name.clone(), magnitude(index)));
        all.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// An evaluation is to be made now.
    pub(super) fn evaluation_is_due(&self, total_steps: u64) -> bool {
        self.evaluations.is_due(self.global_step(), total_steps, self.config())
    }

    /// Make it.
    pub(super) fn evaluate(&mut self, data: &EvaluationData<'_>, cancel: &AtomicBool) -> Result<Evaluation> {
        let found = data.measure(&*self.trainable, self.config(), cancel)?;
        let step = self.global_step();
        if !found.loss.is_finite() {
            return Err(Error::NonFiniteEvaluation { step, loss: found.loss, safe_step: None });
        }
        self.evaluations.0.push(Recorded { step, loss: found.loss, n_target_tokens: found.n_target_tokens });
        let is_best = self.evaluations.best(self.config()) == Some(self.evaluations.0.len() - 1);
        let metrics = found.sums.metrics();
        Ok(Evaluation { step, loss: found.loss, n_target_tokens: found.n_target_tokens, is_best, metrics })
    }

    /// Evaluations have not become better for long enough.
    pub(super) fn is_enough(&self) -> bool {
        self.evaluations.is_enough(self.config())
    }

    /// The step whose checkpoint must not be lost.
    pub(super) fn best_step(&self) -> Option<u64> {
        self.evaluations.best_step(self.config())
    }

    /// Every evaluation so far. Which were the best of their time is found again.
    pub(super) fn evaluations(&self) -> Vec<Evaluation> {
        let until = |n: usize| Evaluations(self.evaluations.0[..n].to_vec());
        let of = |(index, one): (usize, &Recorded)| Evaluation {
            step: one.step,
            loss: one.loss,
            n_target_tokens: one.n_target_tokens,
            is_best: until(index + 1).best(self.config()) == Some(index),
            metrics: BTreeMap::new(),
        };
        self.evaluations.0.iter().enumerate().map(of).collect()
    }

    fn names_of(&self, indices: impl IntoIterator<Item = usize>) -> Vec<String> {
        indices.into_iter().map(|index| self.names[index].clone()).collect()
    }

    /// The state as it is now, lent.
    pub(super) fn checkpoint(&self, cursor: Cursor) -> Checkpoint<'_> {
        let n_tensors = self.names.len();
        Checkpoint {
            cursor,
            identity: Cow::Borrowed(&self.identity),
            names: Cow::Borrowed(&self.names),
            values: (0..n_tensors).map(|index| Cow::Borrowed(self.trainable.values(index))).collect(),
            optimizer: OptimizerState::of(&*self.optimizer),
            audit: Cow::Borrowed(&self.audit),
            losses: Cow::Borrowed(&self.losses),
            evaluations: self.evaluations.flatten(),
            n_target_tokens: self.n_target_tokens,
            seconds: self.seconds,
        }
    }

    /// What a finished run that was too short for the audit has to say.
    pub(super) fn audit_warning(&self, outcome: FitOutcome) -> Option<String> {
        let unreached = self.names_of(self.audit.unreached());
        if outcome != FitOutcome::Finished || unreached.is_empty() {
            return None;
        }
        let (n, n_tensors) = (unreached.len(), self.names.len());
        Some(format!(
            "the run was too short: no gradient has reached {n} of {n_tensors} tensors (first: {})",
            unreached[0]
        ))
    }

    pub(super) fn config(&self) -> &TrainConfig {
        &self.identity.config
    }

    pub(super) fn global_step(&self) -> u64 {
        self.optimizer.step()
    }

    pub(super) fn losses(&self) -> &[f64] {
        &self.losses
    }

    pub(super) fn n_target_tokens(&self) -> u64 {
        self.n_target_tokens
    }

    pub(super) fn n_trainable(&self) -> u64 {
        self.gradients.iter().map(|gradient| gradient.len() as u64).sum()
    }

    pub(super) fn seconds(&self) -> f64 {
        self.seconds
    }

    pub(super) fn set_seconds(&mut self, seconds: f64) {
        self.seconds = seconds;
    }
}
