//! The low-rank slot, with DoRA's magnitudes if it has them.

use super::{Linear, LinearSaved, Weight, add_scaled_columns, scale_columns, sum_of_products};
use crate::matmul::{Mat, MatMut, Update, par_product, product};
use crate::ops::add_assign;
use crate::ops::dropout::Dropout;
use crate::real::Real;
use rayon::prelude::*;
use std::borrow::Cow;

/// Rows of a weight that one task looks at.
const NORM_ROWS: usize = 32;

/// A low-rank adapter on one layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LowRank<'a, T> {
    pub(crate) r: usize,
    pub(crate) scaling: T,
    /// `[r, in]`.
    pub(crate) a: &'a [T],
    /// `[out, r]`.
    pub(crate) b: &'a [T],
    /// A and B of which the base is relieved, `[r0, in]` and `[out, r0]`: PiSSA's initial ones.
    pub(crate) initial: Option<(&'a [T], &'a [T])>,
    pub(crate) dora: Option<Dora<'a, T>>,
    pub(crate) dropout: Option<Dropout>,
}

/// DoRA's magnitudes and the norms that they are relative to, `[out]` each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dora<'a, T> {
    pub(crate) magnitude: &'a [T],
    pub(crate) norm: &'a [T],
}

/// Where gradients are added.
#[derive(Debug)]
pub(crate) struct LowRankGradient<'a, T> {
    pub(crate) a: &'a mut [T],
    pub(crate) b: &'a mut [T],
    pub(crate) magnitude: Option<&'a mut [T]>,
}

impl<T: Real> LowRank<'_, T> {
    fn in_size(&self) -> usize {
        self.a.len() / self.r
    }

    fn out_size(&self) -> usize {
        self.b.len() / self.r
    }

    /// `dropout(x)`.
    pub(super) fn drop<'b>(&self, x: &'b [T]) -> Cow<'b, [T]> {
        match &self.dropout {
            None => Cow::Borrowed(x),
            Some(dropout) => {
                let mut x = x.to_vec();
                dropout.apply(&mut x);
                Cow::Owned(x)
            }
        }
    }

    /// `y += s B (A dropped) - s B0 (A0 x)`; returns `A dropped`, `[n, r]`.
    pub(super) fn add(&self, x: &[T], dropped: &[T], y: &mut [T]) -> Vec<T> {
        if let Some((a, b)) = self.initial {
            add_low_rank(x, a, b, self.in_size(), -self.scaling, y);
        }
        add_low_rank(dropped, self.a, self.b, self.in_size(), self.scaling, y)
    }

    /// Adds to `dx`, and the gradients of A and B to where they are wanted.
    pub(super) fn backward(&self, dy: &[T], x: &[T], low: &[T], dx: &mut [T], gradient: Option<(&mut [T], &mut [T])>) {
        let (in_size, out_size) = (self.in_size(), self.out_size());
        let n = x.len() / in_size;
        let dy = Mat::new(dy, n, out_size);
        let d_low = times(dy, Mat::new(self.b, out_size, self.r), self.scaling);
        let d_low = Mat::new(&d_low, n, self.r);
        if let Some((da, db)) = gradient {
            let db = MatMut::new(db, out_size, self.r);
            par_product(db, Update::Add, self.scaling, dy.t(), Mat::new(low, n, self.r));
            let dropped = self.drop(x);
            let da = MatMut::new(da, self.r, in_size);
            par_product(da, Update::Add, T::ONE, d_low.t(), Mat::new(&dropped, n, in_size));
        }
        let a = Mat::new(self.a, self.r, in_size);
        match &self.dropout {
            None => par_product(MatMut::new(dx, n, in_size), Update::Add, T::ONE, d_low, a),
            Some(dropout) => {
                let mut masked = times(d_low, a, T::ONE);
                dropout.apply(&mut masked);
                add_assign(dx, &masked);
            }
        }
        if let Some((a, b)) = self.initial {
            let r = a.len() / in_size;
            let d_low = times(dy, Mat::new(b, out_size, r), -self.scaling);
            let d_low = Mat::new(&d_low, n, r);
            par_product(MatMut::new(dx, n, in_size), Update::Add, T::ONE, d_low, Mat::new(a, r, in_size));
        }
    }
}

impl<T: Real> Linear<'_, T> {
    /// Without dropout `y = g (W x + s B A x) + b`. Dropout applies to what `g` changes:
    /// `y = W x + b + (g - 1) W drop(x) + g s B A drop(x)`.
    pub(super) fn forward_dora(&self, slot: &LowRank<T>, dora: &Dora<T>, x: &[T]) -> (Vec<T>, LinearSaved<T>) {
        let dropped = slot.drop(x);
        let mut scaled = self.product(&dropped, None);
        let mut y = match &slot.dropout {
            None => self.product_of_nothing(x.len() / self.in_size),
            Some(_) => {
                let mut y = self.product(x, self.bias);
                y.par_chunks_mut(self.out_size).zip(scaled.par_chunks(self.out_size)).for_each(|(y, u)| {
                    y.iter_mut().zip(u).for_each(|(y, &u)| *y = *y - u);
                });
                y
            }
        };
        let low = slot.add(x, &dropped, &mut scaled);
        add_scaled_columns(&mut y, Update::Add, &scaled, &dora.gain());
        (y, LinearSaved { low, scaled })
    }

    /// The bias in every row, or zeros.
    fn product_of_nothing(&self, n: usize) -> Vec<T> {
        let mut y = vec![T::ZERO; n * self.out_size];
        if let Some(bias) = self.bias {
            y.par_chunks_mut(self.out_size).for_each(|row| row.copy_from_slice(bias));
        }
        y
    }

    #[expect(clippy::too_many_arguments, reason = "a backward pass and the slot that it is for")]
    pub(super) fn backward_dora(
        &self,
        slot: &LowRank<T>,
        dora: &Dora<T>,
        dy: &[T],
        x: &[T],
        saved: &LinearSaved<T>,
        dx: &mut [T],
        update: Update,
        gradient: Option<LowRankGradient<T>>,
    ) {
        let gain = dora.gain();
        let dz = scale_columns(dy, &gain);
        let matrices = gradient.map(|LowRankGradient { a, b, magnitude }| {
            if let Some(sums) = magnitude {
                let inverse: Vec<T> = dora.norm.iter().map(|&norm| T::ONE / norm).collect();
                sum_of_products(sums, &scale_columns(dy, &inverse), &saved.scaled);
            }
            (a, b)
        });
        match &slot.dropout {
            None => self.weight.backward(&dz, self.out_size, dx, self.in_size, update),
            Some(dropout) => {
                self.weight.backward(dy, self.out_size, dx, self.in_size, update);
                let less_one: Vec<T> = gain.iter().map(|&gain| gain - T::ONE).collect();
                let mut masked = vec![T::ZERO; x.len()];
                let d_dropped = scale_columns(dy, &less_one);
                self.weight.backward(&d_dropped, self.out_size, &mut masked, self.in_size, Update::Set);
                dropout.apply(&mut masked);
                add_assign(dx, &masked);
            }
        }
        slot.backward(&dz, x, &saved.low, dx, matrices);
    }
}

impl<T: Real> Dora<'_, T> {
    /// What a row of `W + s B A` is multiplied by.
    pub(crate) fn gain(&self) -> Vec<T> {
        self.magnitude.iter().zip(self.norm).map(|(&m, &norm)| m / norm).collect()
    }
}

/// `y += scaling * (x A^T) B^T`; returns `x A^T`.
fn add_low_rank<T: Real>(x: &[T], a: &[T], b: &[T], in_size: usize, scaling: T, y: &mut [T]) -> Vec<T> {
    let (n, r) = (x.len() / in_size, a.len() / in_size);
    let out_size = b.len() / r;
    let low = times(Mat::new(x, n, in_size), Mat::new(a, r, in_size).t(), T::ONE);
    let y = MatMut::new(y, n, out_size);
    par_product(y, Update::Add, scaling, Mat::new(&low, n, r), Mat::new(b, out_size, r).t());
    low
}

/// `scale * a b`.
fn times<T: Real>(a: Mat<T>, b: Mat<T>, scale: T) -> Vec<T> {
    let (rows, cols) = (a.rows(), b.cols());
    let mut out = vec![T::ZERO; rows * cols];
    par_product(MatMut::new(&mut out, rows, cols), Update::Set, scale, a, b);
    out
}

/// Calls `work(first row, rows)` with some rows of `W + sum_k s_k B_k A_k` at a time, from several
/// threads; `out` is cut into pieces of `width` values per row. Each B is `[out, r]`, each A `[r, in]`.
pub(crate) fn directions<T: Real>(
    weight: Weight<T>,
    in_size: usize,
    terms: &[(T, &[T], &[T])],
    width: usize,
    out: &mut [T],
    work: impl Fn(usize, &[T], &mut [T]) + Sync,
) {
    out.par_chunks_mut(NORM_ROWS * width).enumerate().for_each(|(chunk, out)| {
        let (first, n) = (chunk * NORM_ROWS, out.len() / width);
        let mut rows = vec![T::ZERO; n * in_size];
        weight.rows(first, in_size, &mut rows);
        for &(scaling, b, a) in terms {
            let r = a.len() / in_size;
            let b = Mat::new(&b[first * r..(first + n) * r], n, r);
            product(MatMut::new(&mut rows, n, in_size), Update::Add, scaling, b, Mat::new(a, r, in_size));
        }
        work(first, &rows, out);
    });
}

/// `||W + s B A||` of each row.
pub(crate) fn row_norms<T: Real>(weight: Weight<T>, in_size: usize, scaling: T, a: &[T], b: &[T]) -> Vec<T> {
    let out_size = b.len() / (a.len() / in_size);
    let mut norms = vec![T::ZERO; out_size];
    directions(weight, in_size, &[(scaling, b, a)], 1, &mut norms, |_, rows, norms| {
        for (norm, row) in norms.iter_mut().zip(rows.chunks(in_size)) {
            *norm = T::dot(row, row).sqrt();
        }
    });
    norms
}
