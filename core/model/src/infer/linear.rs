//! Linear layers whose rows do not depend on each other (see [`rows_product`]).

use crate::buffers;
use crate::matmul::{Mat, MatMut, rows_product};
use crate::ops::linear::{Linear, LowRank, Slot, Weight, for_each_tile};
use crate::quant::Nf4;
use rayon::prelude::*;

/// The layer with its adapter.
pub(crate) fn forward(linear: &Linear<f32>, x: &[f32]) -> Vec<f32> {
    match &linear.slot {
        Slot::Empty => plain(linear, x, true),
        Slot::ScaledInput(scale) => plain(linear, &scaled(x.to_vec(), scale), true),
        Slot::ScaledOutput(scale) => scaled(plain(linear, x, true), scale),
        Slot::LowRank(slot) => {
            let mut y = plain(linear, x, slot.dora.is_none());
            add_low_rank(slot, x, linear.in_size, &mut y);
            match &slot.dora {
                None => y,
                Some(dora) => {
                    let mut y = scaled(y, &dora.gain());
                    add_bias(&mut y, linear.bias);
                    y
                }
            }
        }
    }
}

/// `x W^T`, and `b` if it is asked for.
fn plain(linear: &Linear<f32>, x: &[f32], with_bias: bool) -> Vec<f32> {
    let mut y = match linear.weight {
        Weight::Dense(w) => product(x, w, linear.in_size),
        Weight::Transposed(w) => transposed_product(x, w, linear.out_size),
        Weight::Nf4(w) => nf4_product(x, w, linear),
    };
    if with_bias {
        add_bias(&mut y, linear.bias);
    }
    y
}

fn add_bias(y: &mut [f32], bias: Option<&[f32]>) {
    if let Some(bias) = bias {
        for row in y.chunks_mut(bias.len()) {
            row.iter_mut().zip(bias).for_each(|(y, &b)| *y += b);
        }
    }
}

/// Rows multiplied by `scale`.
fn scaled(mut x: Vec<f32>, scale: &[f32]) -> Vec<f32> {
    for row in x.chunks_mut(scale.len()) {
        row.iter_mut().zip(scale).for_each(|(x, &scale)| *x *= scale);
    }
    x
}

/// `y += s B A x`, less the initial pair.
fn add_low_rank(slot: &LowRank<f32>, x: &[f32], in_size: usize, y: &mut [f32]) {
    let initial = slot.initial.map(|(a, b)| (a, b, -slot.scaling));
    for (a, b, scaling) in initial.into_iter().chain([(slot.a, slot.b, slot.scaling)]) {
        let low = product(x, a, in_size);
        for (y, &update) in y.iter_mut().zip(&product(&low, b, a.len() / in_size)) {
            *y += scaling * update;
        }
    }
}

/// `x W^T` with a quantized W, of which a few rows are in memory at a time.
fn nf4_product(x: &[f32], w: &Nf4, linear: &Linear<f32>) -> Vec<f32> {
    let (out_size, in_size) = (linear.out_size, linear.in_size);
    let mut y = buffers::take(x.len() / in_size * out_size);
    for_each_tile(w, out_size, in_size, |first, tile| {
        let part = product(x, tile, in_size);
        let width = tile.len() / in_size;
        y.par_chunks_mut(out_size)
            .zip(part.par_chunks(width))
            .for_each(|(y, part)| y[first..first + width].copy_from_slice(part));
        buffers::give(part);
    });
    y
}

/// `x W^T`; x `[n, inner]`, W `[columns, inner]`.
pub(crate) fn product(x: &[f32], w: &[f32], inner: usize) -> Vec<f32> {
    let (n, columns) = (x.len() / inner, w.len() / inner);
    times(Mat::new(x, n, inner), Mat::new(w, columns, inner).t())
}

/// `x W`; x `[n, inner]`, W `[inner, columns]`.
fn transposed_product(x: &[f32], w: &[f32], columns: usize) -> Vec<f32> {
    let inner = w.len() / columns;
    times(Mat::new(x, x.len() / inner, inner), Mat::new(w, inner, columns))
}

fn times(x: Mat<f32>, w: Mat<f32>) -> Vec<f32> {
    let (rows, columns) = (x.rows(), w.cols());
    let mut y = buffers::take(rows * columns);
    rows_product(MatMut::new(&mut y, rows, columns), x, w);
    y
}
