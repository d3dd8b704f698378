//! A model small enough to differentiate by hand: the next token given the last one.
//! `logits = table[last] + bias`, with faults on demand.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use luthier_data::Example;
use luthier_model::{BatchLoss, DropoutKey, Error, ParameterInfo, SequenceBatch};

use crate::Trainable;

pub(super) const VOCAB: usize = 11;

#[derive(Default)]
pub(super) struct Toy {
    values: Vec<Vec<f32>>,
    pub(super) fault: Fault,
    calls: AtomicUsize,
}

#[derive(Default, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    #[default]
    None,
    /// The bias never gets a gradient, as behind an op without a backward.
    CutBias,
    /// The bias gets one from the second call on, as LoRA's A.
    LateBias,
    /// The bias's gradient is NaN in that call.
    NanGradient(usize),
    /// The loss is infinite in that call.
    InfiniteLoss(usize),
    /// The call ends as an interrupted one does.
    Interrupted(usize),
    /// Counts a target too many.
    Miscounted,
}

impl Toy {
    pub(super) fn new() -> Self {
        let table = (0..VOCAB * VOCAB).map(|i| ((i * 37 % 101) as f32 - 50.0) * 1e-3).collect();
        Toy { values: vec![table, vec![0.0; VOCAB]], ..Toy::default() }
    }

    pub(super) fn with(fault: Fault) -> Self {
        Toy { fault, ..Toy::new() }
    }

    pub(super) fn all_values(&self) -> Vec<u32> {
        self.values.concat().iter().map(|value| value.to_bits()).collect()
    }

    fn add_pair(&self, from: usize, to: usize, scale: f32, gradients: &mut [Vec<f32>]) -> f64 {
        let logits: Vec<f64> =
            (0..VOCAB).map(|id| f64::from(self.values[0][from * VOCAB + id]) + f64::from(self.values[1][id])).collect();
        let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
        for (id, logit) in logits.iter().enumerate() {
            let target = if id == to { 1.0 } else { 0.0 };
            let gradient = (logit.exp() / sum - target) as f32 * scale;
            gradients[0][from * VOCAB + id] += gradient;
            gradients[1][id] += gradient;
        }
        sum.ln() - logits[to]
    }
}

impl Trainable for Toy {
    fn parameters(&self) -> Vec<ParameterInfo> {
        let info = |name: &str, shape: &[usize], decay| ParameterInfo { name: name.into(), shape: shape.into(), decay };
        vec![info("table", &[VOCAB, VOCAB], true), info("bias", &[VOCAB], false)]
    }

    fn values(&self, index: usize) -> &[f32] {
        &self.values[index]
    }

    fn values_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.values[index]
    }

    fn accumulate_gradients(
        &self,
        batch: &SequenceBatch,
        loss_scale: f32,
        _: Option<DropoutKey>,
        gradients: &mut [Vec<f32>],
        _: &AtomicBool,
    ) -> luthier_model::Result<BatchLoss> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if self.fault == Fault::Interrupted(call) {
            gradients[0][0] = 1e9;
            return Err(Error::Interrupted);
        }
        let mut nll_sum = 0.0;
        for (row, target) in batch.targets() {
            nll_sum += self.add_pair(batch.input_ids[row] as usize, target as usize, loss_scale, gradients);
        }
        match self.fault {
            Fault::CutBias => gradients[1].fill(0.0),
            Fault::LateBias if call == 0 => gradients[1].fill(0.0),
            Fault::NanGradient(at) if at == call => gradients[1][3] = f32::NAN,
            Fault::InfiniteLoss(at) if at == call => nll_sum = f64::INFINITY,
            _ => {}
        }
        let extra = usize::from(self.fault == Fault::Miscounted);
        Ok(BatchLoss { nll_sum, n_targets: batch.n_targets() + extra })
    }

    fn loss(&self, batch: &SequenceBatch, cancel: &AtomicBool) -> luthier_model::Result<BatchLoss> {
        let logps = self.logps(batch, cancel)?;
        Ok(BatchLoss { nll_sum: -logps.iter().sum::<f64>(), n_targets: logps.len() })
    }

    fn logps(&self, batch: &SequenceBatch, cancel: &AtomicBool) -> luthier_model::Result<Vec<f64>> {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let mut unused: Vec<Vec<f32>> = self.values.iter().map(|values| vec![0.0; values.len()]).collect();
        let mut logp = |(row, target): (usize, u32)| {
            -self.add_pair(batch.input_ids[row] as usize, target as usize, 0.0, &mut unused)
        };
        Ok(batch.targets().into_iter().map(&mut logp).collect())
    }

    fn accumulate_objective(
        &self,
        batch: &SequenceBatch,
        _: Option<DropoutKey>,
        objective: &mut dyn FnMut(&[f64]) -> Vec<f32>,
        gradients: &mut [Vec<f32>],
        cancel: &AtomicBool,
    ) -> luthier_model::Result<()> {
        let derivatives = objective(&self.logps(batch, cancel)?);
        for ((row, target), d) in batch.targets().into_iter().zip(derivatives) {
            self.add_pair(batch.input_ids[row] as usize, target as usize, -d, gradients);
        }
        Ok(())
    }

    fn frozen_fingerprint(&self) -> String {
        "toy".into()
    }
}

/// `n` short sequences of different lengths, half of their tokens masked.
pub(super) fn examples(n: usize) -> Vec<Example> {
    let sequence = |i: usize| {
        let length = 3 + i % 5;
        let input_ids: Vec<u32> = (0..length).map(|t| ((i * 3 + t * t + 1) % VOCAB) as u32).collect();
        let label = |t: usize| if t > length / 2 { input_ids[t] as i32 } else { -100 };
        let labels = (0..length).map(label).collect();
        Example { input_ids, labels }
    };
    (0..n).map(sequence).collect()
}
