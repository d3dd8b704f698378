//! The state of a run, and the one step that changes it.

use std::borrow::Cow;
use std::sync::atomic::AtomicBool;

use luthier_model::{DropoutKey, ParameterInfo};

use super::FitOutcome;
use crate::adamw::AdamW;
use crate::audit::GradientAudit;
use crate::checkpoint::{Checkpoint, CheckpointDir, Cursor, Identity};
use crate::gradients::{self, clipping_factor, global_norm, squared_norm};
use crate::trainable::Trainable;
use crate::{Error, ExampleSource, Result, TrainConfig, source};

/// A run between two steps.
pub(super) struct Run<'a> {
    trainable: &'a mut dyn Trainable,
    identity: Identity,
    parameters: Vec<ParameterInfo>,
    names: Vec<String>,
    gradients: Vec<Vec<f32>>,
    optimizer: AdamW,
    audit: GradientAudit,
    losses: Vec<f64>,
    n_target_tokens: u64,
    seconds: f64,
}

/// What one step came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    /// Optimizer steps done, this one included.
    pub(super) global_step: u64,
    /// Mean over all targets of the step, in nats.
    pub(super) loss: f64,
    /// Before clipping.
    pub(super) grad_norm: f64,
    pub(super) n_targets: usize,
    pub(super) n_tokens: usize,
}

impl<'a> Run<'a> {
    /// A run that has done nothing.
    pub(super) fn new(trainable: &'a mut dyn Trainable, identity: Identity) -> Result<Self> {
        let parameters = trainable.parameters();
        if parameters.is_empty() {
            return Err(Error::NothingTrainable);
        }
        let lengths = || (0..parameters.len()).map(|index| trainable.values(index).len());
        Ok(Run {
            gradients: lengths().map(|n| vec![0.0; n]).collect(),
            optimizer: AdamW::new(identity.config.adamw(), lengths()),
            audit: GradientAudit::new(parameters.len()),
            names: parameters.iter().map(|parameter| parameter.name.clone()).collect(),
            losses: Vec::new(),
            n_target_tokens: 0,
            seconds: 0.0,
            trainable,
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
        checkpoint.check(&self.identity, &self.parameters)?;
        checkpoints.set_aside_after(checkpoint.cursor.global_step)?;
        for (index, values) in checkpoint.values.iter().enumerate() {
            self.trainable.values_mut(index).copy_from_slice(values);
        }
        self.optimizer.step = checkpoint.cursor.global_step;
        self.optimizer.moments = checkpoint.moments.into_owned();
        self.audit = checkpoint.audit.into_owned();
        self.losses = checkpoint.losses.into_owned();
        self.n_target_tokens = checkpoint.n_target_tokens;
        self.seconds = checkpoint.seconds;
        warnings.extend(loaded.warnings);
        Ok(Some(checkpoint.cursor.global_step))
    }

    /// One optimizer step over `micro_batches` (example indices). On an error, weights, moments and
    /// losses are those before the step.
    pub(super) fn step(
        &mut self,
        source: &dyn ExampleSource,
        micro_batches: &[Vec<usize>],
        learning_rate: f64,
        cancel: &AtomicBool,
    ) -> Result<Step> {
        let step = self.accumulate(source, micro_batches, cancel)?;
        let squared_norms = self.check_gradients(step.global_step, learning_rate)?;
        let grad_norm = global_norm(&squared_norms);
        self.update(learning_rate, clipping_factor(grad_norm, self.identity.config.max_grad_norm));
        self.losses.push(step.loss);
        self.n_target_tokens += step.n_targets as u64;
        Ok(Step { grad_norm, ..step })
    }

    /// Gradients of the mean loss over all targets of the step, whatever the micro-batches.
    fn accumulate(
        &mut self,
        source: &dyn ExampleSource,
        micro_batches: &[Vec<usize>],
        cancel: &AtomicBool,
    ) -> Result<Step> {
        let batches: Vec<_> = micro_batches.iter().map(|batch| source::sequence_batch(source, batch)).collect();
        let n_targets: usize = batches.iter().map(|batch| batch.n_targets()).sum();
        let global_step = self.global_step() + 1;
        let loss_scale = (1.0 / n_targets as f64) as f32;
        gradients::zero(&mut self.gradients);
        let (mut nll_sum, mut n_counted) = (0.0, 0);
        for (micro, batch) in batches.iter().enumerate() {
            let seed = self.identity.config.seed;
            let dropout = Some(DropoutKey { seed, step: self.global_step(), micro: micro as u64, neftune_alpha: 0.0 });
            let trainable = &*self.trainable;
            let loss = trainable.accumulate_gradients(batch, loss_scale, dropout, &mut self.gradients, cancel)?;
            nll_sum += loss.nll_sum;
            n_counted += loss.n_targets;
        }
        if n_counted != n_targets {
            return Err(Error::TargetCount { step: global_step, model: n_counted, labels: n_targets });
        }
        let loss = nll_sum / n_targets as f64;
        if !loss.is_finite() {
            let examples = micro_batches.concat();
            return Err(Error::NonFiniteLoss { step: global_step, loss, tensor: self.non_finite_tensor(), examples });
        }
        let n_tokens = batches.iter().map(|batch| batch.n_tokens()).sum();
        Ok(Step { global_step, loss, grad_norm: 0.0, n_targets, n_tokens })
    }

    /// The squared norm of each gradient, once all are finite and none is missing.
    fn check_gradients(&mut self, global_step: u64, learning_rate: f64) -> Result<Vec<f64>> {
        let squared_norms: Vec<f64> = self.gradients.iter().map(|gradient| squared_norm(gradient)).collect();
        let not_finite = (0..squared_norms.len()).filter(|&index| !squared_norms[index].is_finite());
        let tensors = self.names_of(not_finite);
        if !tensors.is_empty() {
            return Err(Error::NonFiniteGradient { step: global_step, tensors });
        }
        let unreached = self.audit.observe(global_step, learning_rate, &squared_norms);
        if !unreached.is_empty() {
            return Err(Error::NoGradient { step: global_step, tensors: self.names_of(unreached) });
        }
        Ok(squared_norms)
    }

    fn update(&mut self, learning_rate: f64, gradient_scale: f32) {
        self.optimizer.begin_step();
        for (index, parameter) in self.parameters.iter().enumerate() {
            let values = self.trainable.values_mut(index);
            let gradient = &self.gradients[index];
            self.optimizer.update(index, values, gradient, gradient_scale, learning_rate, parameter.decay);
        }
    }

    fn non_finite_tensor(&self) -> Option<String> {
        let finite = |index: usize| self.trainable.values(index).iter().all(|value| value.is_finite());
        (0..self.names.len()).find(|&index| !finite(index)).map(|index| self.names[index].clone())
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
            moments: Cow::Borrowed(&self.optimizer.moments),
            audit: Cow::Borrowed(&self.audit),
            losses: Cow::Borrowed(&self.losses),
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
        self.optimizer.step
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
