//! What an optimizer sees.
use crate::{Error, LoraAdapter, Model, Result, SequenceBatch};
use std::sync::atomic::AtomicBool;

/// The weights that a run changes.
#[derive(Debug, Clone)]
pub enum TrainableModel {
    /// An adapter on frozen weights.
    Lora {
        /// The frozen model.
        base: Model,
        /// The adapter.
        adapter: LoraAdapter,
    },
    /// All weights.
    Full {
        /// The model.
        model: Model,
    },
}

/// One trainable tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterInfo {
    /// Name in the saved file.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Whether weight decay applies: matrices yes, norms and biases no.
    pub decay: bool,
}

/// Names the dropout masks of one forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropoutKey {
    /// The run's seed.
    pub seed: u64,
    /// Optimizer step.
    pub step: u64,
    /// Micro-batch within the step.
    pub micro: u64,
}

/// Loss of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchLoss {
    /// Sum of the negative log-likelihoods of the targets, in nats.
    pub nll_sum: f64,
    /// Number of targets.
    pub n_targets: usize,
}

impl TrainableModel {
    /// The trainable tensors, in a fixed order.
    pub fn parameters(&self) -> Vec<ParameterInfo> {
        Vec::new()
    }
    /// Values of parameter `i`, row-major.
    pub fn values(&self, _i: usize) -> &[f32] {
        &[]
    }
    /// Values of parameter `i`, row-major.
    pub fn values_mut(&mut self, _i: usize) -> &mut [f32] {
        &mut []
    }
    /// Adds d(nll_sum * loss_scale)/d(parameter) to `gradients`.
    pub fn accumulate_gradients(
        &self,
        _batch: &SequenceBatch,
        _loss_scale: f32,
        _dropout: Option<DropoutKey>,
        _gradients: &mut [Vec<f32>],
        _cancel: &AtomicBool,
    ) -> Result<BatchLoss> {
        Err(Error::Interrupted)
    }
    /// Loss without gradients and without dropout.
    pub fn loss(&self, _batch: &SequenceBatch, _cancel: &AtomicBool) -> Result<BatchLoss> {
        Err(Error::Interrupted)
    }
}
