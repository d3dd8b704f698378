//! The three narrow products of a low-rank pair's backward pass in one pass over `dy` and `x`:
//!
//! ```text
//! d_low = s dy B          dA += d_low^T x          dB += s low^T dy
//! ```
//!
//! Each product alone is bound by reading its large operand. Here a chunk of rows stays in the
//! second-level cache for all three. Rows are cut into pieces whose number does not depend on the number
//! of threads, each with sums of its own, which are added in order.

use crate::buffers::{give, take};
use crate::matmul::{Mat, MatMut, Update, product};
use crate::real::Real;
use rayon::prelude::*;

/// Rows that stay in the cache: 64 rows of 4096 floats are 1 MiB.
const CHUNK: usize = 64;
/// Pieces with sums of their own.
const PIECES: usize = 8;
/// Above this rank the products are wide enough by themselves.
pub(super) const MOST_RANK: usize = 32;

/// Operands, row-major: dy `[n, out]`, x `[n, in]`, low `[n, r]`, B `[out, r]`.
pub(super) struct Operands<'a, T> {
    pub(super) dy: &'a [T],
    pub(super) x: &'a [T],
    pub(super) low: &'a [T],
    pub(super) b: &'a [T],
    pub(super) r: usize,
    pub(super) scaling: T,
}

/// Adds to `da [r, in]` and `db [out, r]`; returns `d_low [n, r]`.
pub(super) fn backward<T: Real>(operands: &Operands<T>, da: &mut [T], db: &mut [T]) -> Vec<T> {
    let Operands { dy, x, low, b, r, scaling } = *operands;
    let (n, in_size, out_size) = (low.len() / r, da.len() / r, b.len() / r);
    let mut b_rows = take(b.len());
    transpose(b, r, &mut b_rows, |to, from| *to = from);
    let mut d_low = take(n * r);
    let piece = n.div_ceil(PIECES).next_multiple_of(CHUNK);
    let mut sums = take(n.div_ceil(piece) * r * (in_size + out_size));
    let pieces = d_low.par_chunks_mut(piece * r).zip(sums.par_chunks_mut(r * (in_size + out_size)));
    pieces.enumerate().for_each(|(index, (d_low, sums))| {
        let (da, db) = sums.split_at_mut(r * in_size);
        for (chunk, d_low) in d_low.chunks_mut(CHUNK * r).enumerate() {
            let (first, n) = (index * piece + chunk * CHUNK, d_low.len() / r);
            let rows = |width: usize| first * width..(first + n) * width;
            let dy = Mat::new(&dy[rows(out_size)], n, out_size);
            let x = Mat::new(&x[rows(in_size)], n, in_size);
            let low = Mat::new(&low[rows(r)], n, r);
            product(MatMut::new(d_low, n, r), Update::Set, scaling, dy, Mat::new(&b_rows, r, out_size).t());
            let update = if chunk == 0 { Update::Set } else { Update::Add };
            product(MatMut::new(da, r, in_size), update, T::ONE, Mat::new(d_low, n, r).t(), x);
            product(MatMut::new(db, r, out_size), update, scaling, low.t(), dy);
        }
    });
    let (first, rest) = sums.split_at_mut(r * (in_size + out_size));
    for other in rest.chunks(first.len()) {
        first.iter_mut().zip(other).for_each(|(sum, &x)| *sum += x);
    }
    let (da_sum, db_sum) = first.split_at(r * in_size);
    da.iter_mut().zip(da_sum).for_each(|(da, &x)| *da += x);
    transpose(db_sum, out_size, db, |to, from| *to += from);
    [b_rows, sums].into_iter().for_each(give);
    d_low
}

/// `to (=, +=) from^T`; from has rows of `cols` values.
fn transpose<T: Real>(from: &[T], cols: usize, to: &mut [T], update: impl Fn(&mut T, T)) {
    let rows = from.len() / cols;
    for (j, to) in to.chunks_mut(rows).enumerate() {
        to.iter_mut().enumerate().for_each(|(i, to)| update(to, from[i * cols + j]));
    }
}
