//! Choosing a token from logits, in the order transformers applies its filters: temperature, top-k,
//! top-p, then a draw.

use super::GenerateOptions;
use crate::rng::CounterRng;

/// Separates sampling from other uses of a seed.
const SAMPLE_STREAM: u64 = 0x7361_6d70_6c65_0000;

/// The first of the largest logits.
pub(crate) fn argmax(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (i, &x) in logits.iter().enumerate() {
        if x > logits[best] {
            best = i;
        }
    }
    best as u32
}

/// The token of an input's `step`-th draw.
pub(super) fn sample(logits: &[f32], options: &GenerateOptions, step: usize) -> u32 {
    if options.temperature == 0.0 {
        return argmax(logits);
    }
    let kept = distribution(logits, options);
    let draw = CounterRng::new(options.seed, SAMPLE_STREAM).uniform_at(step as u64);
    let total: f64 = kept.iter().map(|&(_, p)| p).sum();
    let mut remaining = draw * total;
    for &(id, p) in &kept {
        remaining -= p;
        if remaining < 0.0 {
            return id;
        }
    }
    // Only rounding leads here.
    kept.last().map_or(0, |&(id, _)| id)
}

/// The tokens that the filters keep, by id, with their unnormalized probabilities.
pub(super) fn distribution(logits: &[f32], options: &GenerateOptions) -> Vec<(u32, f64)> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |&x: &f32| crate::math::exp(f64::from(x - max) / options.temperature);
    let mut kept: Vec<(u32, f64)> = (0..).zip(logits.iter().map(weight)).collect();
    if options.top_k > 0 && options.top_k < kept.len() {
        let mut weights: Vec<f64> = kept.iter().map(|&(_, p)| p).collect();
        let (_, threshold, _) = weights.select_nth_unstable_by(options.top_k - 1, |a, b| b.total_cmp(a));
        let threshold = *threshold;
        // Ties with the k-th are kept, as transformers does.
        kept.retain(|&(_, p)| p >= threshold);
    }
    if options.top_p < 1.0 {
        keep_nucleus(&mut kept, options.top_p);
    }
    kept
}

/// Keeps the most likely tokens whose mass reaches `top_p`, at least one.
fn keep_nucleus(kept: &mut Vec<(u32, f64)>, top_p: f64) {
    let total: f64 = kept.iter().map(|&(_, p)| p).sum();
    kept.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut mass = 0.0;
    let n = kept.iter().take_while(|&&(_, p)| {
        let is_needed = mass < top_p * total;
        mass += p;
        is_needed
    });
    let n = n.count().max(1);
    kept.truncate(n);
    kept.sort_by_key(|&(id, _)| id);
}
