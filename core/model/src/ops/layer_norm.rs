//! LayerNorm: `y = w * (x - mean) * rstd + b`, `rstd = 1 / sqrt(var(x) + eps)` with the variance over
//! `h` values, not `h - 1`; x, y `[n, h]`, w, b `[h]`, mean, rstd `[n]`.

use super::{ROWS_PER_TASK, sum_over_rows};
use crate::buffers;
use crate::real::Real;
use rayon::prelude::*;

/// Mean and `rstd` of one row.
fn moments<T: Real>(row: &[T], eps: T) -> (T, T) {
    let inverse_h = T::ONE / T::from_f64(row.len() as f64);
    let mut mean = T::ZERO;
    row.iter().for_each(|&x| mean += x);
    mean *= inverse_h;
    let mut variance = T::ZERO;
    row.iter().for_each(|&x| variance += (x - mean) * (x - mean));
    (mean, T::ONE / (variance * inverse_h + eps).sqrt())
}

/// `[y, mean, rstd]`.
pub(crate) fn forward<T: Real>(x: &[T], w: &[T], b: &[T], eps: T) -> (Vec<T>, Vec<T>, Vec<T>) {
    let rows = x.par_chunks(w.len()).with_min_len(ROWS_PER_TASK);
    let (means, rstds): (Vec<T>, Vec<T>) = rows.map(|row| moments(row, eps)).unzip();
    (scale(x, w, b, &means, &rstds), means, rstds)
}

/// `y` from the saved moments.
pub(crate) fn scale<T: Real>(x: &[T], w: &[T], b: &[T], means: &[T], rstds: &[T]) -> Vec<T> {
    let h = w.len();
    let mut y = buffers::take(x.len());
    y.par_chunks_mut(h).zip(x.par_chunks(h)).zip(means.par_iter().zip(rstds)).with_min_len(ROWS_PER_TASK).for_each(
        |((y, x), (&mean, &rstd))| {
            for ((y, &x), (&w, &b)) in y.iter_mut().zip(x).zip(w.iter().zip(b)) {
                *y = w * ((x - mean) * rstd) + b;
            }
        },
    );
    y
}

/// What the backward pass adds to besides `dx`.
pub(crate) struct Gradient<'a, T> {
    pub(crate) weight: Option<&'a mut [T]>,
    pub(crate) bias: Option<&'a mut [T]>,
}

/// `dx += d(loss)/dx` and, if asked for, `dw` and `db`.
///
/// With `z = (x - mean) * rstd` and `g = w * dy`: `dx = rstd * (g - mean(g) - z * mean(g * z))`,
/// `dw = sum over rows of dy * z`, `db = sum over rows of dy`.
pub(crate) fn backward<T: Real>(
    dy: &[T],
    x: &[T],
    w: &[T],
    means: &[T],
    rstds: &[T],
    dx: &mut [T],
    gradient: Gradient<T>,
) {
    let h = w.len();
    let inverse_h = T::ONE / T::from_f64(h as f64);
    let rows = dx.par_chunks_mut(h).zip(dy.par_chunks(h)).zip(x.par_chunks(h)).zip(means.par_iter().zip(rstds));
    rows.with_min_len(ROWS_PER_TASK).for_each(|(((dx, dy), x), (&mean, &rstd))| {
        let (mut sum_g, mut sum_gz) = (T::ZERO, T::ZERO);
        for ((&dy, &x), &w) in dy.iter().zip(x).zip(w) {
            sum_g += w * dy;
            sum_gz += w * dy * (x - mean) * rstd;
        }
        let (mean_g, mean_gz) = (sum_g * inverse_h, sum_gz * inverse_h);
        for (((dx, &dy), &x), &w) in dx.iter_mut().zip(dy).zip(x).zip(w) {
            *dx += rstd * (w * dy - mean_g - (x - mean) * rstd * mean_gz);
        }
    });
    if let Some(dw) = gradient.weight {
        sum_over_rows(dw, rstds.len(), |rows, sums| {
            for i in rows {
                let row = i * h..(i + 1) * h;
                for ((sum, &dy), &x) in sums.iter_mut().zip(&dy[row.clone()]).zip(&x[row]) {
                    *sum += dy * (x - means[i]) * rstds[i];
                }
            }
        });
    }
    if let Some(db) = gradient.bias {
        sum_over_rows(db, rstds.len(), |rows, sums| {
            for dy in dy[rows.start * h..rows.end * h].chunks(h) {
                for (sum, &dy) in sums.iter_mut().zip(dy) {
                    *sum += dy;
                }
            }
        });
    }
}
