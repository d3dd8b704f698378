//! Differentiable operations on plain row-major buffers. Each module states its equation and shapes.
//!
//! Parallel loops run over chunks of fixed size and reductions add chunk results in order, so that
//! the bits do not depend on the number of threads.

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod dropout;
pub(crate) mod embedding;
pub(crate) mod ends;
pub(crate) mod fused;
mod layer_norm;
pub(crate) mod linear;
pub(crate) mod loss;
pub(crate) mod neftune;
pub(crate) mod norm;
mod rms_norm;
pub(crate) mod rope;
pub(crate) mod softcap;
mod swiglu;

use crate::profile::span;
use crate::real::Real;
use rayon::prelude::*;

/// Rows per task of a row-wise loop.
pub(crate) const ROWS_PER_TASK: usize = 64;

/// Elements per task of an elementwise loop.
pub(crate) const ELEMENTS_PER_TASK: usize = 1 << 14;

/// `x += y`.
pub(crate) fn add_assign<T: Real>(x: &mut [T], y: &[T]) {
    let _span = span("residual", || 0.0);
    x.par_chunks_mut(ELEMENTS_PER_TASK).zip(y.par_chunks(ELEMENTS_PER_TASK)).for_each(|(x, y)| {
        for (x, &y) in x.iter_mut().zip(y) {
            *x += y;
        }
    });
}

/// `sums[j] += sum_i map(i, row_i)[j]` over row chunks: each chunk adds into a buffer of its own, the
/// buffers are added in order. `rows` chunks come from `chunk_sum(first_row, n_rows, buffer)`.
pub(crate) fn sum_over_rows<T: Real>(
    sums: &mut [T],
    n_rows: usize,
    chunk_sum: impl Fn(std::ops::Range<usize>, &mut [T]) + Sync,
) {
    let width = sums.len();
    let mut partial = vec![T::ZERO; n_rows.div_ceil(ROWS_PER_TASK) * width];
    partial.par_chunks_mut(width).enumerate().for_each(|(chunk, buffer)| {
        let start = chunk * ROWS_PER_TASK;
        chunk_sum(start..(start + ROWS_PER_TASK).min(n_rows), buffer);
    });
    for buffer in partial.chunks(width) {
        for (sum, &x) in sums.iter_mut().zip(buffer) {
            *sum += x;
        }
    }
}
