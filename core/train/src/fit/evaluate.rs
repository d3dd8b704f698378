//! The loss on data that is not trained on.

use std::sync::atomic::AtomicBool;

use crate::objective::batch::{Divisors, PreferenceBatch, Sums, loss};
use crate::objective::reference::{Reference, mismatched, partners};
use crate::trainable::Trainable;
use crate::{ExampleSource, Result, TrainConfig, source};

/// What an evaluation comes to: the loss, target tokens and further means.
pub(super) struct Measured {
    pub(super) loss: f64,
    pub(super) n_target_tokens: u64,
    pub(super) sums: Sums,
}

/// Evaluation data with the reference of its completions.
pub(super) struct EvaluationData<'a> {
    pub(super) source: &'a dyn ExampleSource,
    pub(super) reference: Reference,
}

impl EvaluationData<'_> {
    /// The objective's loss over all of the data. Units are taken in order, `batch_size` at a time; as
    /// nothing is padded and sequences do not see each other, the size does not show.
    pub(super) fn measure(
        &self,
        trainable: &dyn Trainable,
        config: &TrainConfig,
        cancel: &AtomicBool,
    ) -> Result<Measured> {
        let n_units = self.source.n_examples() / config.objective.examples_per_unit();
        let units: Vec<usize> = (0..n_units).collect();
        match config.objective.is_preference() {
            false => self.likelihood(trainable, &units, config, cancel),
            true => self.preference(trainable, &units, config, cancel),
        }
    }

    fn likelihood(
        &self,
        trainable: &dyn Trainable,
        units: &[usize],
        config: &TrainConfig,
        cancel: &AtomicBool,
    ) -> Result<Measured> {
        let (mut nll_sum, mut n_targets) = (0.0, 0);
        for group in units.chunks(config.batch_size) {
            let found = trainable.loss(&source::sequence_batch(self.source, group), cancel)?;
            nll_sum += found.nll_sum;
            n_targets += found.n_targets;
        }
        Ok(Measured { loss: nll_sum / n_targets as f64, n_target_tokens: n_targets as u64, sums: Sums::default() })
    }

    fn preference(
        &self,
        trainable: &dyn Trainable,
        units: &[usize],
        config: &TrainConfig,
        cancel: &AtomicBool,
    ) -> Result<Measured> {
        let objective = &config.objective;
        let partners = partners(self.source, config);
        let batches: Vec<_> = units
            .chunks(config.batch_size)
            .map(|group| (group, PreferenceBatch::new(self.source, objective, group)))
            .collect();
        let n_likelihood_targets = batches.iter().map(|(_, batch)| batch.n_likelihood_targets()).sum();
        let divisors = Divisors { n_units: units.len(), n_likelihood_targets };
        let (mut sums, mut n_target_tokens) = (Sums::default(), 0);
        for (group, batch) in &batches {
            let logps = trainable.logps(&batch.batch, cancel)?;
            let others = mismatched(trainable, self.source, objective, group, &partners, cancel)?;
            let found = loss(objective, divisors, batch, &logps, &self.reference, &others, self.source);
            sums.add(&found.0);
            n_target_tokens += batch.n_targets() as u64;
        }
        Ok(Measured { loss: sums.loss, n_target_tokens, sums })
    }
}
