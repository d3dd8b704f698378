//! f32 products with a few columns, as low-rank adapters have: `x A^T`, `dy B`, `dy^T low`.
//!
//! Packing A for sixteen columns costs as much as multiplying it. Where the inner dimension of A is
//! contiguous, every element is a dot product ([`row_product`], no packing); where A is transposed, the
//! product is computed transposed, so that the few columns become few rows.

use super::blocking::{SMALL_WORK, multiply_with};
use super::kernel::kernels;
use super::{Mat, MatMut, Term, Update};
use crate::simd::row_product;
use rayon::prelude::*;
use std::borrow::Cow;

/// Most columns of a narrow output.
const FEW_COLS: usize = 32;
/// Fewest rows for which it matters.
const MANY_ROWS: usize = 64;
/// Rows of one task.
const ROWS_PER_TASK: usize = 32;

/// Whether the output is narrow and A one of the two kinds. Depends on shapes alone.
pub(super) fn applies(out: &MatMut<f32>, term: &Term<f32>) -> bool {
    let is_narrow = out.is_contiguous() && out.cols <= FEW_COLS && out.rows >= MANY_ROWS && term.a.cols > 0;
    let by_dots = term.a.col_stride == 1 && term.a.row_stride == term.a.cols && term.a.cols >= 64;
    let by_transpose = term.a.row_stride == 1 && term.a.col_stride == term.a.rows && out.cols <= 16;
    is_narrow && (by_dots || by_transpose)
}

pub(super) fn multiply(out: MatMut<f32>, update: Update, term: &Term<f32>, parallel: bool) {
    match term.a.col_stride == 1 {
        true => by_dots(out, update, term, parallel),
        false => by_transpose(out, update, term, parallel),
    }
}

fn by_dots(out: MatMut<f32>, update: Update, term: &Term<f32>, parallel: bool) {
    let (n, depth) = (out.cols, term.a.cols);
    // B's columns as contiguous rows: they are few.
    let b = row_major(term.b.t());
    let x = &term.a.data[..out.rows * depth];
    let rows = |(out, x): (&mut [f32], &[f32])| {
        let mut product = [0.0; ROWS_PER_TASK * FEW_COLS];
        let product = &mut product[..out.len()];
        row_product(x, &b, depth, product, n);
        for (out, &x) in out.iter_mut().zip(&*product) {
            let x = term.scale * x;
            *out = if update == Update::Add { *out + x } else { x };
        }
    };
    let (step, x_step) = (ROWS_PER_TASK * n, ROWS_PER_TASK * depth);
    match parallel && out.rows * n * depth > SMALL_WORK {
        true => out.data.par_chunks_mut(step).zip(x.par_chunks(x_step)).for_each(rows),
        false => out.data.chunks_mut(step).zip(x.chunks(x_step)).for_each(rows),
    }
}

fn by_transpose(out: MatMut<f32>, update: Update, term: &Term<f32>, parallel: bool) {
    let (m, n) = (out.rows, out.cols);
    let few_rows = row_major(term.b.t());
    let transposed = Term::scaled(term.scale, Mat::new(&few_rows, n, term.b.rows), term.a.t());
    let mut product = vec![0.0; m * n];
    multiply_with(kernels(n, m), MatMut::new(&mut product, n, m), Update::Set, &[transposed], parallel);
    for (i, row) in out.data.chunks_mut(n).enumerate() {
        for (j, out) in row.iter_mut().enumerate() {
            let x = product[j * m + i];
            *out = if update == Update::Add { *out + x } else { x };
        }
    }
}

/// The elements row by row: where they lie, or a copy.
fn row_major<'a>(x: Mat<'a, f32>) -> Cow<'a, [f32]> {
    if x.col_stride == 1 && x.row_stride == x.cols {
        return Cow::Borrowed(&x.data[..x.rows * x.cols]);
    }
    let element = |i: usize, j: usize| x.data[i * x.row_stride + j * x.col_stride];
    (0..x.rows()).flat_map(|i| (0..x.cols()).map(move |j| element(i, j))).collect()
}
