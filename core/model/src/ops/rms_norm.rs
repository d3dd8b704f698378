//! RMSNorm: `y = w * x * rstd`, `rstd = 1 / sqrt(mean(x^2) + eps)`; x, y `[n, h]`, w `[h]`, rstd `[n]`.

use super::{ROWS_PER_TASK, sum_over_rows};
use crate::buffers;
use crate::real::Real;
use rayon::prelude::*;

/// `1 / sqrt(mean(x^2) + eps)` of one row.
pub(crate) fn rstd<T: Real>(row: &[T], eps: T) -> T {
    T::ONE / (T::dot(row, row) / T::from_f64(row.len() as f64) + eps).sqrt()
}

/// `[y, rstd]`.
pub(crate) fn forward<T: Real>(x: &[T], w: &[T], eps: T) -> (Vec<T>, Vec<T>) {
    let rstds: Vec<T> = x.par_chunks(w.len()).with_min_len(ROWS_PER_TASK).map(|row| rstd(row, eps)).collect();
    (scale(x, w, &rstds), rstds)
}

/// `y` from the saved `rstd`.
pub(crate) fn scale<T: Real>(x: &[T], w: &[T], rstds: &[T]) -> Vec<T> {
    let h = w.len();
    let mut y = buffers::take(x.len());
    y.par_chunks_mut(h * ROWS_PER_TASK)
        .zip(x.par_chunks(h * ROWS_PER_TASK))
        .zip(rstds.par_chunks(ROWS_PER_TASK))
        .for_each(|((y, x), rstds)| {
            for ((y, x), &rstd) in y.chunks_mut(h).zip(x.chunks(h)).zip(rstds) {
                for ((y, &x), &w) in y.iter_mut().zip(x).zip(w) {
                    *y = w * (x * rstd);
                }
            }
        });
    y
}

/// `dx += d(loss)/dx` and, if asked for, `dw += d(loss)/dw`.
///
/// With `g = w * dy`: `dx = rstd * g - x * rstd^3 / h * sum(g * x)`, `dw = sum over rows of dy * x * rstd`.
pub(crate) fn backward<T: Real>(dy: &[T], x: &[T], w: &[T], rstds: &[T], dx: &mut [T], dw: Option<&mut [T]>) {
    let h = w.len();
    let inverse_h = T::ONE / T::from_f64(h as f64);
    dx.par_chunks_mut(h * ROWS_PER_TASK)
        .zip(dy.par_chunks(h * ROWS_PER_TASK))
        .zip(x.par_chunks(h * ROWS_PER_TASK))
        .zip(rstds.par_chunks(ROWS_PER_TASK))
        .for_each(|(((dx, dy), x), rstds)| {
            let mut g = vec![T::ZERO; h];
            let rows = dx.chunks_mut(h).zip(dy.chunks(h)).zip(x.chunks(h)).zip(rstds);
            for (((dx, dy), x), &rstd) in rows {
                for ((g, &dy), &w) in g.iter_mut().zip(dy).zip(w) {
                    *g = w * dy;
                }
                let along_x = T::dot(&g, x) * rstd * rstd * rstd * inverse_h;
                for ((dx, &g), &x) in dx.iter_mut().zip(&g).zip(x) {
                    *dx += rstd * g - along_x * x;
                }
            }
        });
    if let Some(dw) = dw {
        sum_over_rows(dw, rstds.len(), |rows, sums| {
            for i in rows {
                let row = i * h..(i + 1) * h;
                let rstd = rstds[i];
                for ((sum, &dy), &x) in sums.iter_mut().zip(&dy[row.clone()]).zip(&x[row]) {
                    *sum += dy * (x * rstd);
                }
            }
        });
    }
}
