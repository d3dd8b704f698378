//! Linear layers whose rows do not depend on each other (see [`rows_product`]).

use crate::buffers;
use crate::matmul::{Mat, MatMut, rows_product};
use crate::ops::linear::{Linear, Weight};

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
