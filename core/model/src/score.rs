//! Log-likelihood of given tokens.
use crate::{Error, LoraAdapter, Model, Result, SequenceBatch};
use std::sync::atomic::AtomicBool;

/// Log-likelihood of one sequence's targets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequenceScore {
    /// Sum over the targets, in nats.
    pub loglikelihood: f64,
    /// Number of targets.
    pub n_tokens: usize,
    /// Whether every target is the most likely token.
    pub is_greedy: bool,
}

/// Scores the labels that are not [`IGNORE_INDEX`](crate::IGNORE_INDEX), per sequence.
pub fn loglikelihood(
    _model: &Model,
    _adapter: Option<&LoraAdapter>,
    _batch: &SequenceBatch,
    _cancel: &AtomicBool,
) -> Result<Vec<SequenceScore>> {
    Err(Error::Interrupted)
}
