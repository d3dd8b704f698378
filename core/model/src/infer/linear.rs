//! Linear layers whose rows do not depend on each other (see [`row_product`]).

use crate::ops::linear::{Linear, Weight};
use crate::simd::{add_weighted_rows, row_product};
use rayon::prelude::*;

/// Rows (or columns) of one task.
const BLOCK: usize = 64;

/// Multiply-adds below which one thread does it all.
const SMALL_WORK: usize = 1 << 18;

/// `y = x W^T + b + scaling * (x A^T) B^T`.
pub(crate) fn forward(linear: &Linear<f32>, x: &[f32]) -> Vec<f32> {
    let mut y = match linear.weight {
        Weight::Dense(w) => product(x, w, linear.in_size),
        Weight::Transposed(w) => transposed_product(x, w, linear.out_size),
    };
    if let Some(bias) = linear.bias {
        for row in y.chunks_mut(bias.len()) {
            for (y, &b) in row.iter_mut().zip(bias) {
                *y += b;
            }
        }
    }
    if let Some(lora) = &linear.lora {
        let low = product(x, lora.a, linear.in_size);
        for (y, &update) in y.iter_mut().zip(&product(&low, lora.b, lora.r)) {
            *y += lora.scaling * update;
        }
    }
    y
}

/// `x W^T`; x `[n, inner]`, W `[columns, inner]`.
pub(crate) fn product(x: &[f32], w: &[f32], inner: usize) -> Vec<f32> {
    let (n, columns) = (x.len() / inner, w.len() / inner);
    let mut y = vec![0.0; n * columns];
    if n * columns * inner <= SMALL_WORK {
        row_product(x, w, inner, &mut y, columns);
    } else if n >= 2 * BLOCK {
        y.par_chunks_mut(BLOCK * columns).zip(x.par_chunks(BLOCK * inner)).for_each(|(y, x)| row_block(x, w, inner, y));
    } else {
        let blocks: Vec<Vec<f32>> = w
            .par_chunks(BLOCK * inner)
            .map(|w| {
                let mut block = vec![0.0; n * (w.len() / inner)];
                row_product(x, w, inner, &mut block, w.len() / inner);
                block
            })
            .collect();
        for (i, y) in y.chunks_mut(columns).enumerate() {
            for (y, block) in y.chunks_mut(BLOCK).zip(&blocks) {
                y.copy_from_slice(&block[i * y.len()..(i + 1) * y.len()]);
            }
        }
    }
    y
}

/// `x W`; x `[n, inner]`, W `[inner, columns]`: rows of `W` weighted and added in their order, so that
/// a row of the result does not depend on the others.
fn transposed_product(x: &[f32], w: &[f32], columns: usize) -> Vec<f32> {
    let inner = w.len() / columns;
    let mut y = vec![0.0; x.len() / inner * columns];
    let row = |(y, x): (&mut [f32], &[f32])| add_weighted_rows(y, x, w);
    if y.len() * inner <= SMALL_WORK {
        y.chunks_mut(columns).zip(x.chunks(inner)).for_each(row);
    } else {
        y.par_chunks_mut(columns).zip(x.par_chunks(inner)).for_each(row);
    }
    y
}

/// All columns of a few rows, in blocks of W that stay in the cache.
fn row_block(x: &[f32], w: &[f32], inner: usize, y: &mut [f32]) {
    let columns = w.len() / inner;
    for (block, w) in w.chunks(BLOCK * inner).enumerate() {
        row_product(x, w, inner, &mut y[block * BLOCK..], columns);
    }
}
