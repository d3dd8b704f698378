//! Log-likelihood of given tokens.

#[cfg(test)]
mod tests;

use crate::generate::argmax;
use crate::infer::cache::KvCache;
use crate::infer::{Inference, Segment};
use crate::{Adapter, Model, Result, SequenceBatch};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::AtomicBool;

/// Tokens of one forward pass: bounds the memory of activations.
const MAX_ROWS: usize = 2048;

/// Logits held at one time.
const LOGITS_PER_CHUNK: usize = 1 << 20;

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

/// Scores the labels that are not [`IGNORE_INDEX`](crate::IGNORE_INDEX), per sequence. A sequence's
/// score does not depend on what else is in the batch. The label of a first position has nothing
/// before it and is never scored.
pub fn loglikelihood(
    model: &Model,
    adapter: Option<&Adapter>,
    batch: &SequenceBatch,
    cancel: &AtomicBool,
) -> Result<Vec<SequenceScore>> {
    batch.validate(model.config().vocab_size)?;
    let mut inference = Inference::new(model, adapter);
    let targets = batch.targets();
    let mut scores = vec![SequenceScore { loglikelihood: 0.0, n_tokens: 0, is_greedy: true }; batch.n_sequences()];
    for group in groups(batch) {
        let ranges: Vec<Range<usize>> = batch.ranges().skip(group.start).take(group.len()).collect();
        let span = ranges[0].start..ranges[ranges.len() - 1].end;
        let mut caches: Vec<KvCache> = ranges.iter().map(|range| KvCache::new(model.config(), range.len())).collect();
        let mut segments: Vec<Segment> = ranges
            .iter()
            .zip(&mut caches)
            .map(|(range, cache)| Segment { ids: &batch.input_ids[range.clone()], cache, length: range.len() })
            .collect();
        let x = inference.forward(&mut segments, cancel)?;
        let first = targets.partition_point(|&(row, _)| row < span.start);
        let last = targets.partition_point(|&(row, _)| row < span.end);
        let results = score_rows(&inference, &x, span.start, &targets[first..last]);
        for (&(row, _), (loglikelihood, is_greedy)) in targets[first..last].iter().zip(results) {
            let local = ranges.partition_point(|range| range.end <= row);
            let score = &mut scores[group.start + local];
            score.loglikelihood += loglikelihood;
            score.n_tokens += 1;
            score.is_greedy &= is_greedy;
        }
    }
    Ok(scores)
}

/// Logits of every position of one sequence, `[ids.len(), vocab_size]` row by row, by the same
/// arithmetic as generation; for comparison with another implementation.
///
/// # Errors
/// An id outside the vocabulary; `Interrupted` if `cancel` is set.
pub fn logits(model: &Model, adapter: Option<&Adapter>, ids: &[u32], cancel: &AtomicBool) -> Result<Vec<f32>> {
    let batch = SequenceBatch::from_sequences([(ids, vec![crate::IGNORE_INDEX; ids.len()].as_slice())]);
    batch.validate(model.config().vocab_size)?;
    let mut inference = Inference::new(model, adapter);
    let mut cache = KvCache::new(model.config(), ids.len());
    let x = inference.forward(&mut [Segment { ids, cache: &mut cache, length: ids.len() }], cancel)?;
    Ok(inference.logits(&x, &(0..ids.len()).collect::<Vec<_>>()))
}

/// Consecutive sequences of together at most [`MAX_ROWS`] tokens (or a single longer one).
fn groups(batch: &SequenceBatch) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut n_rows = 0;
    for (i, range) in batch.ranges().enumerate() {
        match groups.last_mut() {
            Some(group) if n_rows + range.len() <= MAX_ROWS => {
                group.end = i + 1;
                n_rows += range.len();
            }
            _ => {
                groups.push(i..i + 1);
                n_rows = range.len();
            }
        }
    }
    groups
}

/// Log-likelihood of each `(row, target)` and whether the target is the most likely token. Row 0 of
/// `x` is row `first_row` of the batch.
fn score_rows(inference: &Inference, x: &[f32], first_row: usize, targets: &[(usize, u32)]) -> Vec<(f64, bool)> {
    let vocab_size = inference.config().vocab_size;
    let rows_per_chunk = (LOGITS_PER_CHUNK / vocab_size).clamp(16, 1024);
    let mut results = Vec::with_capacity(targets.len());
    for chunk in targets.chunks(rows_per_chunk) {
        let rows: Vec<usize> = chunk.iter().map(|&(row, _)| row - first_row).collect();
        let mut logits = inference.logits(x, &rows);
        let scored = logits.par_chunks_mut(vocab_size).zip(chunk);
        results.par_extend(scored.map(|(logits, &(_, target))| score_row(logits, target)));
    }
    results
}

fn score_row(logits: &mut [f32], target: u32) -> (f64, bool) {
    let best = argmax(logits);
    let at_target = logits[target as usize];
    let max = logits[best as usize];
    let sum = crate::simd::exp_shift_sum(logits, max);
    (f64::from(at_target - max) - crate::math::ln(f64::from(sum)), best == target)
}
