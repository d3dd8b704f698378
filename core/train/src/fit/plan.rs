//! Which examples make which step. A function of lengths, settings and the step's number: nothing
//! to save, nothing to restore.

use luthier_data::BatchPlan;
use luthier_model::rng::CounterRng;

use super::packing::pack;
use crate::checkpoint::Cursor;
use crate::{Error, Result, TrainConfig};

/// Steps of a run, with the current epoch's order at hand.
pub(super) struct StepPlan {
    batching: Batching,
    gradient_accumulation_steps: usize,
    steps_per_epoch: u64,
    total_steps: u64,
    current_epoch: u64,
    batches: Vec<Vec<usize>>,
}

impl StepPlan {
    /// The plan for units of these lengths: examples, or what a preference compares.
    pub(super) fn new(lengths: Vec<usize>, config: &TrainConfig) -> Result<Self> {
        let batching =
            Batching { lengths, batch_size: config.batch_size, pack_tokens: config.pack_tokens, seed: config.seed };
        let batches = batching.epoch(0);
        let steps_per_epoch = batches.len().div_ceil(config.gradient_accumulation_steps) as u64;
        let total_steps = config.total_steps(steps_per_epoch);
        let moves = (0..total_steps.min(2)).any(|step| config.learning_rate_at(step, total_steps) > 0.0);
        if !moves {
            return Err(Error::InvalidConfig {
                key: "warmup_steps",
                expected: "fewer warm-up steps than steps: the first has a learning rate of 0, and this run has one step",
                found: config.n_warmup_steps(total_steps).to_string(),
            });
        }
        Ok(StepPlan {
            batching,
            gradient_accumulation_steps: config.gradient_accumulation_steps,
            steps_per_epoch,
            total_steps,
            current_epoch: 0,
            batches,
        })
    }

    /// Units in the data.
    pub(super) fn n_units(&self) -> usize {
        self.batching.lengths.len()
    }

    /// Steps of the whole run.
    pub(super) fn total_steps(&self) -> u64 {
        self.total_steps
    }

    /// Passes over the data after `global_step` steps.
    pub(super) fn epochs_done(&self, global_step: u64) -> f64 {
        global_step as f64 / self.steps_per_epoch as f64
    }

    /// Where a run is after `global_step` steps.
    pub(super) fn cursor(&self, global_step: u64) -> Cursor {
        Cursor { global_step, epoch: global_step / self.steps_per_epoch, position: global_step % self.steps_per_epoch }
    }

    /// Micro-batches of the step that follows `global_step` finished ones, as indices of units.
    pub(super) fn micro_batches(&mut self, global_step: u64) -> &[Vec<usize>] {
        let Cursor { epoch, position, .. } = self.cursor(global_step);
        if epoch != self.current_epoch {
            self.batches = self.batching.epoch(epoch);
            self.current_epoch = epoch;
        }
        let start = position as usize * self.gradient_accumulation_steps;
        let end = (start + self.gradient_accumulation_steps).min(self.batches.len());
        &self.batches[start..end]
    }
}

/// What the batches of an epoch depend on, besides its number.
struct Batching {
    lengths: Vec<usize>,
    batch_size: usize,
    pack_tokens: Option<usize>,
    seed: u64,
}

/// Separates the order of packed rows from other uses of a seed.
const PACKING_STREAM: u64 = 0x7061_636b_696e_6700;

impl Batching {
    /// Units by micro-batch: of similar length, or packed into rows.
    fn epoch(&self, epoch: u64) -> Vec<Vec<usize>> {
        let Some(capacity) = self.pack_tokens else {
            return BatchPlan::new(&self.lengths, self.batch_size, self.seed, epoch).batches;
        };
        let rng = CounterRng::new(self.seed, PACKING_STREAM).fork(epoch);
        let order = rng.fork(0).permutation(self.lengths.len());
        let rows = pack(&order, &self.lengths, capacity);
        let order = rng.fork(1).permutation(rows.len());
        order
            .chunks(self.batch_size)
            .map(|rows_of| rows_of.iter().flat_map(|&row| rows[row].clone()).collect())
            .collect()
    }
}

#[cfg(test)]
mod tests;
