//! What a step trains on: sequences back to back without padding.

use crate::{Error, Result};

/// Label of a position that is no target (the field's convention).
pub const IGNORE_INDEX: i32 = -100;

/// Sequences back to back, no padding. Positions restart with every sequence and attention never
/// crosses from one into another.
///
/// `labels` are aligned to `input_ids` as in Hugging Face transformers: the label at position `t` is
/// predicted from position `t - 1` of the same sequence, so that the label of a sequence's first
/// position is never used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SequenceBatch {
    /// Token ids, `[n_tokens]`.
    pub input_ids: Vec<u32>,
    /// Targets or [`IGNORE_INDEX`], `[n_tokens]`.
    pub labels: Vec<i32>,
    /// First token of each sequence and the end of the last, `[n_sequences + 1]`.
    pub offsets: Vec<u32>,
}

impl SequenceBatch {
    /// Packs sequences of `(input_ids, labels)`.
    pub fn from_sequences<'a>(sequences: impl IntoIterator<Item = (&'a [u32], &'a [i32])>) -> Self {
        let mut batch = SequenceBatch { offsets: vec![0], ..SequenceBatch::default() };
        for (input_ids, labels) in sequences {
            batch.input_ids.extend_from_slice(input_ids);
            batch.labels.extend_from_slice(labels);
            batch.offsets.push(batch.input_ids.len() as u32);
        }
        batch
    }

    /// Number of tokens.
    pub fn n_tokens(&self) -> usize {
        self.input_ids.len()
    }

    /// Number of sequences.
    pub fn n_sequences(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Token range of each sequence, in order.
    pub fn ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        self.offsets.windows(2).map(|pair| pair[0] as usize..pair[1] as usize)
    }

    /// `(row whose hidden state predicts, target id)` of every target, in order.
    pub fn targets(&self) -> Vec<(usize, u32)> {
        let mut targets = Vec::new();
        for range in self.ranges() {
            for t in range.start + 1..range.end {
                if self.labels[t] != IGNORE_INDEX {
                    targets.push((t - 1, self.labels[t] as u32));
                }
            }
        }
        targets
    }

    /// Number of targets, without building them.
    pub fn n_targets(&self) -> usize {
        self.ranges()
            .map(|range| {
                let labels = &self.labels[range];
                labels.iter().skip(1).filter(|&&label| label != IGNORE_INDEX).count()
            })
            .sum()
    }

    /// Checks the layout and that every id and label is below `vocab_size`.
    pub fn validate(&self, vocab_size: usize) -> Result<()> {
        let invalid = |what: &str, expected: String, found: String| {
            Err(Error::InvalidBatch { what: what.to_owned(), expected, found })
        };
        let n = self.input_ids.len();
        if self.labels.len() != n {
            return invalid("length of labels", n.to_string(), self.labels.len().to_string());
        }
        let ordered = self.offsets.windows(2).all(|pair| pair[0] < pair[1]);
        let spans = self.offsets.first() == Some(&0) && self.offsets.last().map(|&o| o as usize) == Some(n);
        if !ordered || !spans || n == 0 {
            let expected = format!("strictly increasing from 0 to {n}, at least one token");
            return invalid("offsets", expected, format!("{:?}", self.offsets));
        }
        if let Some(&id) = self.input_ids.iter().find(|&&id| id as usize >= vocab_size) {
            return invalid("token id", format!("below the vocabulary's size {vocab_size}"), id.to_string());
        }
        let bad_label = |&&label: &&i32| label != IGNORE_INDEX && (label < 0 || label as usize >= vocab_size);
        if let Some(label) = self.labels.iter().find(bad_label) {
            let expected = format!("{IGNORE_INDEX} or below the vocabulary's size {vocab_size}");
            return invalid("label", expected, label.to_string());
        }
        Ok(())
    }
}
