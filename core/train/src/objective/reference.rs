//! The reference: log-probabilities of every completion under the model that the run starts from.
//! Computed once, before the first step, so that no second model is held while training.

use std::sync::atomic::AtomicBool;

use super::batch::{Partners, PreferenceBatch};
use super::{Objective, ObjectiveKind};
use crate::trainable::Trainable;
use crate::{ExampleSource, Result, TrainConfig};

/// Log-probabilities by example; empty for objectives without a reference.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reference {
    logps: Vec<f64>,
    mismatched: Vec<f64>,
}

impl Reference {
    /// Of the completion of `example`.
    pub(crate) fn of(&self, example: usize) -> f64 {
        self.logps[example]
    }

    /// Of its partner's completion after its prompt.
    pub(crate) fn mismatched_of(&self, example: usize) -> f64 {
        self.mismatched[example]
    }

    /// Ask the untrained model. `progress` is told how many units are done.
    pub(crate) fn compute(
        trainable: &dyn Trainable,
        source: &dyn ExampleSource,
        config: &TrainConfig,
        progress: &mut dyn FnMut(usize, usize),
        cancel: &AtomicBool,
    ) -> Result<Reference> {
        let objective = &config.objective;
        let mut reference = Reference::default();
        if !objective.has_reference() {
            return Ok(reference);
        }
        let n_units = source.n_examples() / objective.examples_per_unit();
        let units: Vec<usize> = (0..n_units).collect();
        let partners = partners(source, config);
        progress(0, n_units);
        for group in units.chunks(config.batch_size) {
            let batch = PreferenceBatch::new(source, objective, group);
            reference.logps.extend(batch.completions(&trainable.logps(&batch.batch, cancel)?));
            if objective.kind == ObjectiveKind::Kto {
                let batch = PreferenceBatch::mismatched(source, group, &partners);
                reference.mismatched.extend(batch.completions(&trainable.logps(&batch.batch, cancel)?));
            }
            progress(reference.logps.len() / objective.examples_per_unit(), n_units);
        }
        Ok(reference)
    }
}

/// Who lends whom a completion in this data.
pub(crate) fn partners(source: &dyn ExampleSource, config: &TrainConfig) -> Partners {
    let n_examples = source.n_examples();
    let max_tokens = (0..n_examples).map(|index| source.example(index).input_ids.len()).max().unwrap_or(0);
    Partners { n_examples, group: config.batch_size, max_tokens }
}

/// Log-probabilities of mismatched pairs under the policy as it is; empty unless the objective
/// estimates a KL divergence.
pub(crate) fn mismatched(
    trainable: &dyn Trainable,
    source: &dyn ExampleSource,
    objective: &Objective,
    units: &[usize],
    partners: &Partners,
    cancel: &AtomicBool,
) -> Result<Vec<f64>> {
    if objective.kind != ObjectiveKind::Kto {
        return Ok(Vec::new());
    }
    let batch = PreferenceBatch::mismatched(source, units, partners);
    Ok(batch.completions(&trainable.logps(&batch.batch, cancel)?))
}
