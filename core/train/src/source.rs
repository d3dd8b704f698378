//! Where examples come from: tokenized rows of a dataset, or a corpus in any layout that can lend
//! out slices.

use luthier_data::Example;
use luthier_model::{IGNORE_INDEX, SequenceBatch};
use sha2::{Digest, Sha256};

use crate::objective::{Objective, ObjectiveKind};
use crate::{Error, Result};

/// One sequence to train on. `labels` are aligned to `input_ids`, as in transformers: the label at
/// position `i` is predicted from position `i − 1`, the first is never used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExampleRef<'a> {
    /// Token ids.
    pub input_ids: &'a [u32],
    /// Targets, or [`IGNORE_INDEX`].
    pub labels: &'a [i32],
}

impl ExampleRef<'_> {
    /// Tokens that the loss sees.
    pub fn n_targets(&self) -> usize {
        self.labels.iter().skip(1).filter(|&&label| label != IGNORE_INDEX).count()
    }
}

/// Numbered examples. Asked in any order, the same number always gives the same example.
pub trait ExampleSource {
    /// How many there are.
    fn n_examples(&self) -> usize;
    /// Example `index`, from 0.
    fn example(&self, index: usize) -> ExampleRef<'_>;
    /// Whether example `index` is one to learn from, or one to unlearn (KTO's thumbs).
    fn is_desirable(&self, _index: usize) -> bool {
        true
    }
}

/// Examples with a thumb up or down each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labelled {
    /// Prompt and completion.
    pub examples: Vec<Example>,
    /// As many thumbs.
    pub desirable: Vec<bool>,
}

impl ExampleSource for Labelled {
    fn n_examples(&self) -> usize {
        self.examples.len()
    }

    fn example(&self, index: usize) -> ExampleRef<'_> {
        self.examples.example(index)
    }

    fn is_desirable(&self, index: usize) -> bool {
        self.desirable[index]
    }
}

impl ExampleSource for Vec<Example> {
    fn n_examples(&self) -> usize {
        self.len()
    }

    fn example(&self, index: usize) -> ExampleRef<'_> {
        let Example { input_ids, labels, .. } = &self[index];
        ExampleRef { input_ids, labels }
    }
}

/// What one look at all examples finds out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Tokens of each unit: an example, or chosen and rejected together.
    pub(crate) lengths: Vec<usize>,
    /// Hash of all tokens and labels, in order.
    pub(crate) fingerprint: String,
}

/// Check every example before the first step: a run must not end after an hour for a row that was
/// bad from the start.
pub(crate) fn survey(source: &dyn ExampleSource, objective: &Objective) -> Result<Survey> {
    const NAMED: usize = 8;
    let n_examples = source.n_examples();
    let per_unit = objective.examples_per_unit();
    if n_examples == 0 {
        return Err(Error::NoExamples);
    }
    if !n_examples.is_multiple_of(per_unit) || (objective.kind == ObjectiveKind::Kto && n_examples < 2) {
        return Err(Error::IncompleteUnit { n_examples, per_unit });
    }
    let mut hasher = Sha256::new();
    let mut lengths = Vec::with_capacity(n_examples);
    let mut without_targets = Vec::new();
    for index in 0..n_examples {
        let example = source.example(index);
        let (n_input_ids, n_labels) = (example.input_ids.len(), example.labels.len());
        if n_input_ids != n_labels || n_input_ids == 0 {
            return Err(Error::MalformedExample { example: index, n_input_ids, n_labels });
        }
        if example.n_targets() == 0 {
            without_targets.push(index);
        }
        hash_example(&mut hasher, example);
        if objective.kind == ObjectiveKind::Kto {
            hasher.update([u8::from(source.is_desirable(index))]);
        }
        match lengths.last_mut() {
            // Chosen and rejected are one unit.
            Some(length) if index % per_unit != 0 => *length += n_input_ids,
            _ => lengths.push(n_input_ids),
        }
    }
    if !without_targets.is_empty() {
        let n = without_targets.len();
        without_targets.truncate(NAMED);
        return Err(Error::NoTargets { n, n_examples, examples: without_targets });
    }
    Ok(Survey { lengths, fingerprint: format!("sha256:{:x}", hasher.finalize()) })
}

fn hash_example(hasher: &mut Sha256, example: ExampleRef<'_>) {
    let mut bytes = Vec::with_capacity(8 + 8 * example.input_ids.len());
    bytes.extend_from_slice(&(example.input_ids.len() as u64).to_le_bytes());
    example.input_ids.iter().for_each(|id| bytes.extend_from_slice(&id.to_le_bytes()));
    example.labels.iter().for_each(|label| bytes.extend_from_slice(&label.to_le_bytes()));
    hasher.update(&bytes);
}

/// The examples of one micro-batch, back to back.
pub(crate) fn sequence_batch(source: &dyn ExampleSource, indices: &[usize]) -> SequenceBatch {
    SequenceBatch::from_sequences(indices.iter().map(|&index| {
        let ExampleRef { input_ids, labels } = source.example(index);
        (input_ids, labels)
    }))
}

#[cfg(test)]
mod tests;
