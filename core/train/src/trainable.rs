//! What the loop needs of a model: a list of tensors, a loss, and gradients. Implemented by
//! [`TrainableModel`]; tests drive the loop with a model whose gradients they dictate.

use std::sync::atomic::AtomicBool;

use luthier_model::{BatchLoss, DropoutKey, ParameterInfo, SequenceBatch, TrainableModel};
use sha2::{Digest, Sha256};

/// Something with tensors that a loss can improve.
pub trait Trainable {
    /// The trainable tensors, always in the same order.
    fn parameters(&self) -> Vec<ParameterInfo>;
    /// Values of tensor `index`, row-major.
    fn values(&self, index: usize) -> &[f32];
    /// The same, to be changed.
    fn values_mut(&mut self, index: usize) -> &mut [f32];
    /// Add d(Σ nll · `loss_scale`)/dw to `gradients` (one buffer per tensor).
    fn accumulate_gradients(
        &self,
        batch: &SequenceBatch,
        loss_scale: f32,
        dropout: Option<DropoutKey>,
        gradients: &mut [Vec<f32>],
        cancel: &AtomicBool,
    ) -> luthier_model::Result<BatchLoss>;
    /// Loss of `batch`, without gradients and without dropout.
    fn loss(&self, batch: &SequenceBatch, cancel: &AtomicBool) -> luthier_model::Result<BatchLoss>;
    /// Log-probability of every target of `batch`, in the order of [`SequenceBatch::targets`], without
    /// dropout.
    fn logps(&self, batch: &SequenceBatch, cancel: &AtomicBool) -> luthier_model::Result<Vec<f64>>;
    /// One forward pass, whose log-probabilities (in the order of [`SequenceBatch::targets`])
    /// `objective` turns into d(loss)/d(each); adds d(loss)/dw to `gradients`.
    fn accumulate_objective(
        &self,
        batch: &SequenceBatch,
        dropout: Option<DropoutKey>,
        objective: &mut dyn FnMut(&[f64]) -> Vec<f32>,
        gradients: &mut [Vec<f32>],
        cancel: &AtomicBool,
    ) -> luthier_model::Result<()>;
    /// Name of a frozen tensor that holds an infinity or NaN.
    fn non_finite_frozen(&self) -> Option<String> {
        None
    }
    /// Changes whether blocks compute their forward pass again in the backward pass; false if there is no
    /// such choice.
    fn toggle_gradient_checkpointing(&mut self) -> bool {
        false
    }
    /// Hash of everything besides the trainable values that shapes the loss.
    fn frozen_fingerprint(&self) -> String;
}

impl Trainable for TrainableModel {
    fn parameters(&self) -> Vec<ParameterInfo> {
        TrainableModel::parameters(self)
    }

    fn values(&self, index: usize) -> &[f32] {
        TrainableModel::values(self, index)
    }

    fn values_mut(&mut self, index: usize) -> &mut [f32] {
        TrainableModel::values_mut(self, index)
    }

    fn accumulate_gradients(
        &self,
        batch: &SequenceBatch,
        loss_scale: f32,
        dropout: Option<DropoutKey>,
        gradients: &mut [Vec<f32>],
        cancel: &AtomicBool,
    ) -> luthier_model::Result<BatchLoss> {
        TrainableModel::accumulate_gradients(self, batch, loss_scale, dropout, gradients, cancel)
    }

    fn loss(&self, batch: &SequenceBatch, cancel: &AtomicBool) -> luthier_model::Result<BatchLoss> {
        TrainableModel::loss(self, batch, cancel)
    }

    fn logps(&self, batch: &SequenceBatch, cancel: &AtomicBool) -> luthier_model::Result<Vec<f64>> {
        TrainableModel::logps(self, batch, cancel)
    }

    fn accumulate_objective(
        &self,
        batch: &SequenceBatch,
        dropout: Option<DropoutKey>,
        objective: &mut dyn FnMut(&[f64]) -> Vec<f32>,
        gradients: &mut [Vec<f32>],
        cancel: &AtomicBool,
    ) -> luthier_model::Result<()> {
        TrainableModel::accumulate_objective(self, batch, dropout, objective, gradients, cancel)
    }

    fn non_finite_frozen(&self) -> Option<String> {
        self.model().non_finite_tensor()
    }

    fn toggle_gradient_checkpointing(&mut self) -> bool {
        TrainableModel::toggle_gradient_checkpointing(self);
        true
    }

    fn frozen_fingerprint(&self) -> String {
        match self {
            TrainableModel::Adapter { base, adapter } => {
                format!("{} {:?}", base.fingerprint(), adapter.config())
            }
            TrainableModel::Full { model } => model.config().to_json(),
        }
    }
}

/// Hash of a model as a run starts with it: what is frozen, and the names, shapes and initial
/// values of what is not.
pub(crate) fn fingerprint(trainable: &dyn Trainable) -> String {
    let mut hasher = Sha256::new();
    let frozen = trainable.frozen_fingerprint();
    hasher.update((frozen.len() as u64).to_le_bytes());
    hasher.update(frozen);
    for (index, parameter) in trainable.parameters().iter().enumerate() {
        let head = format!("{} {:?}\n", parameter.name, parameter.shape);
        hasher.update((head.len() as u64).to_le_bytes());
        hasher.update(head);
        let mut bytes = Vec::with_capacity(1 << 16);
        for values in trainable.values(index).chunks(1 << 14) {
            bytes.clear();
            values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
            hasher.update(&bytes);
        }
    }
    format!("sha256:{:x}", hasher.finalize())
}
