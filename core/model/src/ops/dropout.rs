//! Inverted dropout with masks that are recomputed, not stored: element `i` is kept if word `i` of its
//! random stream is at or above `p * 2^32`.

use super::ELEMENTS_PER_TASK;
use crate::real::Real;
use crate::rng::CounterRng;
use rayon::prelude::*;

/// Probability and random stream of one application.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout {
    /// Probability of dropping, in `[0, 1)`.
    pub(crate) p: f64,
    /// Stream of the mask.
    pub(crate) rng: CounterRng,
}

impl Dropout {
    /// `x * mask / (1 - p)`; the same for forward and backward.
    pub(crate) fn apply<T: Real>(&self, x: &mut [T]) {
        let _span = crate::profile::span("dropout", || 0.0);
        let threshold = (self.p * 4_294_967_296.0) as u64;
        let keep_scale = T::from_f64(1.0 / (1.0 - self.p));
        x.par_chunks_mut(ELEMENTS_PER_TASK).enumerate().for_each(|(task, x)| {
            let first_block = (task * ELEMENTS_PER_TASK / 4) as u64;
            for (x, block) in x.chunks_mut(4).zip(first_block..) {
                for (x, word) in x.iter_mut().zip(self.rng.block(block)) {
                    let keep = u64::from(word) >= threshold;
                    *x = if keep { *x * keep_scale } else { T::ZERO };
                }
            }
        });
    }
}
