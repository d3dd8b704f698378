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

    fn frozen_fingerprint(&self) -> String {
        match self {
            TrainableModel::Lora { base, adapter } => {
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
