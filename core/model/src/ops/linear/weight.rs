//! A layer's matrix in the form that the model holds it in, and its two products.

use crate::buffers;
use crate::matmul::{Mat, MatMut, Term, Update, par_products};
use crate::quant::Nf4;
use crate::real::Real;
use rayon::prelude::*;

/// Values of a quantized matrix that are in memory at a time (4 MiB in f32).
const TILE_VALUES: usize = 1 << 20;

/// A layer's matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Weight<'a, T> {
    /// `[out, in]`.
    Dense(&'a [T]),
    /// `[in, out]`, as GPT-2's Conv1D has it.
    Transposed(&'a [T]),
    /// `[out, in]` in four bits. Products dequantize a few rows at a time.
    Nf4(&'a Nf4),
}

impl<'a, T: Real> Weight<'a, T> {
    /// `y (+)= x W^T` and the terms `beside` it; x `[n, in]`, y `[n, out]`.
    pub(crate) fn forward(
        &self,
        x: &[T],
        in_size: usize,
        y: &mut [T],
        out_size: usize,
        update: Update,
        beside: &[Term<T>],
    ) {
        let n = x.len() / in_size;
        let x = Mat::new(x, n, in_size);
        let product = |w: Mat<'_, T>, y: &mut [T]| {
            par_products(MatMut::new(y, n, out_size), update, &with(Term::scaled(T::ONE, x, w.t()), beside));
        };
        match self {
            Weight::Dense(w) => product(Mat::new(w, out_size, in_size), y),
            Weight::Transposed(w) => product(Mat::new(w, in_size, out_size).t(), y),
            Weight::Nf4(w) => for_each_tile(w, out_size, in_size, |first, tile| {
                let columns = first..first + tile.len() / in_size;
                let w = Mat::new(tile, columns.len(), in_size);
                let beside: Vec<_> = beside.iter().map(|term| term.columns(columns.clone())).collect();
                let out = MatMut::new(y, n, out_size).columns(columns);
                par_products(out, update, &with(Term::scaled(T::ONE, x, w.t()), &beside));
            }),
        }
    }

    /// `dx (+)= dy W` and the terms `beside` it; dy `[n, out]`, dx `[n, in]`.
    pub(crate) fn backward(
        &self,
        dy: &[T],
        out_size: usize,
        dx: &mut [T],
        in_size: usize,
        update: Update,
        beside: &[Term<T>],
    ) {
        let n = dy.len() / out_size;
        let dy = Mat::new(dy, n, out_size);
        let mut product = |update: Update, dy: Mat<T>, w: Mat<T>, beside: &[Term<T>]| {
            par_products(MatMut::new(dx, n, in_size), update, &with(Term::scaled(T::ONE, dy, w), beside));
        };
        match self {
            Weight::Dense(w) => product(update, dy, Mat::new(w, out_size, in_size), beside),
            Weight::Transposed(w) => product(update, dy, Mat::new(w, in_size, out_size).t(), beside),
            Weight::Nf4(w) => for_each_tile(w, out_size, in_size, |first, tile| {
                let width = tile.len() / in_size;
                let (update, beside) = if first == 0 { (update, beside) } else { (Update::Add, &[][..]) };
                product(update, dy.columns(first..first + width), Mat::new(tile, width, in_size), beside);
            }),
        }
    }

    /// Rows `first ..` of the matrix as `[out, in]`, as many as `out` has room for.
    pub(crate) fn rows(&self, first: usize, in_size: usize, out: &mut [T]) {
        match self {
            Weight::Dense(w) => out.copy_from_slice(&w[first * in_size..][..out.len()]),
            Weight::Transposed(w) => {
                let out_size = w.len() / in_size;
                for (row, values) in (first..).zip(out.chunks_mut(in_size)) {
                    values.iter_mut().enumerate().for_each(|(i, value)| *value = w[i * out_size + row]);
                }
            }
            Weight::Nf4(w) => w.dequantize(first * in_size, out),
        }
    }
}

/// Calls `work(first row, rows)` with all rows of the matrix, some at a time, in order.
pub(crate) fn for_each_tile<T: Real>(w: &Nf4, out_size: usize, in_size: usize, mut work: impl FnMut(usize, &[T])) {
    let rows = (TILE_VALUES / in_size).clamp(16, out_size.max(16));
    let mut whole = buffers::take(rows.min(out_size) * in_size);
    for first in (0..out_size).step_by(rows) {
        let tile = &mut whole[..rows.min(out_size - first) * in_size];
        tile.par_chunks_mut(in_size).enumerate().for_each(|(i, row)| w.dequantize((first + i) * in_size, row));
        work(first, tile);
    }
    buffers::give(whole);
}

/// A term and those beside it.
fn with<'a, T: Real>(term: Term<'a, T>, beside: &[Term<'a, T>]) -> Vec<Term<'a, T>> {
    [term].into_iter().chain(beside.iter().copied()).collect()
}
