//! NEFTune (Jain et al., 2023): while training, embeddings get uniform noise in `±α / sqrt(L · h)`,
//! `L` the length of the sequence; x `[n, h]`. Noise is a constant to the gradient.

use super::ROWS_PER_TASK;
use crate::DropoutKey;
use crate::real::Real;
use crate::rng::CounterRng;
use rayon::prelude::*;
use std::ops::Range;

/// Separates this noise from other uses of a seed.
const NEFTUNE_STREAM: u64 = 0x6e65_6674_756e_6500;

/// Adds the noise that `key` names to the sequences at `ranges`.
pub(crate) fn add_noise<T: Real>(x: &mut [T], ranges: &[Range<usize>], h: usize, key: DropoutKey) {
    let rng = CounterRng::new(key.seed, NEFTUNE_STREAM).fork(key.step).fork(key.micro);
    let mut rest = x;
    for range in ranges {
        let (rows, after) = rest.split_at_mut(range.len() * h);
        rest = after;
        let bound = key.neftune_alpha / ((range.len() * h) as f64).sqrt();
        rows.par_chunks_mut(h * ROWS_PER_TASK).enumerate().for_each(|(task, rows)| {
            let first = (range.start + task * ROWS_PER_TASK) * h;
            for (at, value) in rows.iter_mut().enumerate() {
                *value += T::from_f64((2.0 * rng.uniform_at((first + at) as u64) - 1.0) * bound);
            }
        });
    }
}

#[cfg(test)]
mod tests;
