//! Rows that hold several projections side by side, cut apart and joined.
//!
//! Two orders occur: part after part (`[q | k | v]`, `[gate | up]`), and head by head, where each head's
//! q, k and v follow each other (GPT-NeoX).

use crate::buffers;
use crate::profile::span;
use crate::real::Real;
use rayon::prelude::*;

/// `y [n, sum of widths]` into one buffer per width.
pub(crate) fn split<T: Real, const N: usize>(y: &[T], widths: [usize; N]) -> [Vec<T>; N] {
    let _span = span("split and join", || 0.0);
    let row: usize = widths.iter().sum();
    let n = y.len() / row;
    let mut start = 0;
    widths.map(|width| {
        let mut part = buffers::take(n * width);
        part.par_chunks_mut(width).zip(y.par_chunks(row)).with_min_len(super::ROWS_PER_TASK).for_each(|(part, y)| {
            part.copy_from_slice(&y[start..start + width]);
        });
        start += width;
        part
    })
}

/// The inverse of [`split`].
pub(crate) fn join<T: Real, const N: usize>(parts: [&[T]; N], widths: [usize; N]) -> Vec<T> {
    let _span = span("split and join", || 0.0);
    let row: usize = widths.iter().sum();
    let n = parts[0].len() / widths[0];
    let mut y = buffers::take(n * row);
    y.par_chunks_mut(row).enumerate().with_min_len(super::ROWS_PER_TASK).for_each(|(i, y)| {
        let mut start = 0;
        for (part, width) in parts.into_iter().zip(widths) {
            y[start..start + width].copy_from_slice(&part[i * width..(i + 1) * width]);
            start += width;
        }
    });
    y
}

/// q, k and v of `y [n, heads * 3 * d]` with q, k and v of one head after each other: such a row is
/// `heads` rows of the other order.
pub(crate) fn split_heads<T: Real>(y: &[T], d: usize) -> [Vec<T>; 3] {
    split(y, [d; 3])
}

/// The inverse of [`split_heads`].
pub(crate) fn join_heads<T: Real>(parts: [&[T]; 3], d: usize) -> Vec<T> {
    join(parts, [d; 3])
}
