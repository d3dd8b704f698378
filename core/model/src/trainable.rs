//! What an optimizer sees: a list of tensors, and their gradients for a batch.

#[cfg(test)]
mod tests;

use crate::decoder::{Decoder, Gradients, Objective};
use crate::weights::NamedTensor;
use crate::{Adapter, Model, Result, SequenceBatch};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The weights that a run changes.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum TrainableModel {
    /// An adapter on frozen weights. No gradient of a frozen weight is ever computed.
    Adapter {
        /// The frozen model.
        base: Model,
        /// The adapter.
        adapter: Adapter,
    },
    /// All weights; a tied embedding is one parameter.
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
    /// Shape, row-major.
    pub shape: Vec<usize>,
    /// Whether weight decay applies: matrices yes, norms and biases no.
    pub decay: bool,
}

/// Names the random draws of one forward pass (dropout masks, noise), so that a resumed run makes the
/// same ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DropoutKey {
    /// The run's seed.
    pub seed: u64,
    /// Optimizer step.
    pub step: u64,
    /// Micro-batch within the step.
    pub micro: u64,
    /// NEFTune's α: noise on the embeddings; 0 is none.
    pub neftune_alpha: f64,
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
    /// The trainable tensors. Full: embedding; per block the input norm, q, k, v, o (weight, then
    /// bias), the post-attention norm, gate, up, down; the final norm; the head unless it is tied.
    /// Adapter: per module in the same order, A then B (and DoRA's magnitudes), or IA3's vector; then
    /// copies of the model's own tensors in its order.
    pub fn parameters(&self) -> Vec<ParameterInfo> {
        let info = |tensor: &NamedTensor<f32>| ParameterInfo {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            decay: tensor.shape.len() > 1,
        };
        self.tensors().iter().map(info).collect()
    }

    /// Values of parameter `i`, row-major.
    pub fn values(&self, i: usize) -> &[f32] {
        self.tensors()[i].values.as_slice()
    }

    /// Values of parameter `i`, row-major, for the optimizer to change.
    pub fn values_mut(&mut self, i: usize) -> &mut [f32] {
        match self {
            TrainableModel::Adapter { adapter, .. } => {
                Arc::make_mut(&mut adapter.weights).tensors[i].values.as_mut_slice()
            }
            TrainableModel::Full { model } => model.weights_mut().tensors[i].values.as_mut_slice(),
        }
    }

    /// Adds `d(nll_sum * loss_scale) / d(parameter)` to `gradients`, one buffer per parameter in the
    /// order of [`parameters`](Self::parameters). Dropout applies if a key is given. With
    /// `Error::Interrupted` the buffers hold a part of the gradients and must be cleared.
    pub fn accumulate_gradients(
        &self,
        batch: &SequenceBatch,
        loss_scale: f32,
        dropout: Option<DropoutKey>,
        gradients: &mut [Vec<f32>],
        cancel: &AtomicBool,
    ) -> Result<BatchLoss> {
        let gradients = self.gradients(gradients);
        self.decoder().accumulate(batch, loss_scale, dropout, gradients, cancel)
    }

    /// Adds the gradients of any function of the targets' log-probabilities. `derivative` is given
    /// these, in the order of [`SequenceBatch::targets`], and returns d(function)/d(each). One pass
    /// through the blocks; the head runs twice. Otherwise as
    /// [`accumulate_gradients`](Self::accumulate_gradients).
    pub fn accumulate_objective(
        &self,
        batch: &SequenceBatch,
        dropout: Option<DropoutKey>,
        derivative: &mut dyn FnMut(&[f64]) -> Vec<f32>,
        gradients: &mut [Vec<f32>],
        cancel: &AtomicBool,
    ) -> Result<()> {
        let gradients = self.gradients(gradients);
        self.decoder().accumulate_of(batch, Objective::Of(derivative), dropout, gradients, cancel).map(drop)
    }

    fn gradients<'a>(&self, buffers: &'a mut [Vec<f32>]) -> Gradients<'a, f32> {
        let sizes = self.tensors().iter().map(|tensor| tensor.values.len());
        assert!(buffers.iter().map(Vec::len).eq(sizes), "one gradient buffer per parameter");
        match self {
            TrainableModel::Adapter { .. } => Gradients::Adapter(buffers),
            TrainableModel::Full { .. } => Gradients::Full(buffers),
        }
    }

    /// Loss without gradients and without dropout.
    pub fn loss(&self, batch: &SequenceBatch, cancel: &AtomicBool) -> Result<BatchLoss> {
        self.decoder().loss(batch, cancel)
    }

    /// Log-probability of each target in nats, in the order of [`SequenceBatch::targets`], without
    /// dropout.
    pub fn logps(&self, batch: &SequenceBatch, cancel: &AtomicBool) -> Result<Vec<f64>> {
        let nll = self.decoder().nll(batch, cancel)?;
        Ok(nll.into_iter().map(|nll| -nll).collect())
    }

    /// Switches the model's gradient checkpointing on or off (see [`Model::set_gradient_checkpointing`]).
    pub fn toggle_gradient_checkpointing(&mut self) {
        let (TrainableModel::Adapter { base: model, .. } | TrainableModel::Full { model }) = self;
        model.set_gradient_checkpointing(!model.gradient_checkpointing());
    }

    /// The model, without the adapter.
    pub fn model(&self) -> &Model {
        match self {
            TrainableModel::Adapter { base, .. } => base,
            TrainableModel::Full { model } => model,
        }
    }

    /// The adapter, if it is one that is trained.
    pub fn adapter(&self) -> Option<&Adapter> {
        match self {
            TrainableModel::Adapter { adapter, .. } => Some(adapter),
            TrainableModel::Full { .. } => None,
        }
    }

    fn tensors(&self) -> &[NamedTensor<f32>] {
        match self {
            TrainableModel::Adapter { adapter, .. } => &adapter.weights.tensors,
            TrainableModel::Full { model } => &model.weights().tensors,
        }
    }

    fn decoder(&self) -> Decoder<'_, f32> {
        let model = self.model();
        let adapter = self.adapter().map(|adapter| adapter.weights.as_ref());
        let mut decoder = Decoder::new(model.config(), model.weights(), adapter);
        decoder.gradient_checkpointing = model.gradient_checkpointing();
        decoder
    }
}
