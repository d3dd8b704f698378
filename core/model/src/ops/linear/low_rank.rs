//! The low-rank slot, with DoRA's magnitudes if it has them.

mod chunked;

use super::{Linear, LinearSaved, Weight, add_scaled_columns, scale_columns, sum_of_products};
use crate::buffers::{give, take, zeros};
use crate::matmul::{Mat, MatMut, Term, Update, par_product, par_products, product};
use crate::ops::add_assign;
use crate::ops::dropout::Dropout;
use crate::profile::span;
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

/// Writes the frozen weight's part of an input's gradient, together with further terms of the sum.
pub(super) type FrozenBackward<'a, T> = &'a mut dyn FnMut(&mut [T], &[Term<T>]);

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
                let mut dropped = take(x.len());
                dropped.copy_from_slice(x);
                dropout.apply(&mut dropped);
                Cow::Owned(dropped)
            }
        }
    }

    /// `A dropped`, and `A0 x` if there is a part that the base is relieved of.
    pub(super) fn project(&self, x: &[T], dropped: &[T]) -> Lows<T> {
        let in_size = self.in_size();
        let _span = span("low rank, forward", || 2.0 * (x.len() * self.r) as f64);
        let low = |x: &[T], a: &[T]| {
            times(Mat::new(x, x.len() / in_size, in_size), Mat::new(a, a.len() / in_size, in_size).t(), T::ONE)
        };
        Lows { trained: low(dropped, self.a), initial: self.initial.map(|(a, _)| low(x, a)) }
    }

    /// What is added to the output: `s B low - s B0 low0`.
    pub(super) fn terms<'b>(&'b self, lows: &'b Lows<T>) -> Vec<Term<'b, T>> {
        let out_size = self.out_size();
        let term = |scale: T, low: &'b [T], b: &'b [T]| {
            let r = b.len() / out_size;
            Term::scaled(scale, Mat::new(low, low.len() / r, r), Mat::new(b, out_size, r).t())
        };
        let initial = self.initial.zip(lows.initial.as_ref());
        let initial = initial.map(|((_, b), low)| term(-self.scaling, low, b));
        [term(self.scaling, &lows.trained, self.b)].into_iter().chain(initial).collect()
    }

    /// Adds the gradients of A and B; returns `s dy B`.
    fn gradients(&self, dy: &[T], x: &[T], low: &[T], da: &mut [T], db: &mut [T]) -> Vec<T> {
        let (in_size, out_size, r) = (self.in_size(), self.out_size(), self.r);
        let n = x.len() / in_size;
        let dropped = self.drop(x);
        if r <= chunked::MOST_RANK && n > 0 {
            let operands = chunked::Operands { dy, x: &dropped, low, b: self.b, r, scaling: self.scaling };
            let d_low = chunked::backward(&operands, da, db);
            give_owned(dropped);
            return d_low;
        }
        let dy = Mat::new(dy, n, out_size);
        let d_low = times(dy, Mat::new(self.b, out_size, r), self.scaling);
        par_product(MatMut::new(db, out_size, r), Update::Add, self.scaling, dy.t(), Mat::new(low, n, r));
        let d_low_rows = Mat::new(&d_low, n, r);
        par_product(MatMut::new(da, r, in_size), Update::Add, T::ONE, d_low_rows.t(), Mat::new(&dropped, n, in_size));
        give_owned(dropped);
        d_low
    }

    /// The gradients of A and B to where they are wanted, and that of the input.
    pub(super) fn backward(
        &self,
        dy: &[T],
        x: &[T],
        low: &[T],
        dx: &mut [T],
        gradient: Option<(&mut [T], &mut [T])>,
        frozen: FrozenBackward<T>,
    ) {
        let (in_size, out_size) = (self.in_size(), self.out_size());
        let n = x.len() / in_size;
        let _span = span("low rank, backward", || {
            let products = if gradient.is_some() { 2 * out_size + in_size } else { out_size };
            2.0 * (n * self.r * products) as f64
        });
        let dy_rows = Mat::new(dy, n, out_size);
        let times_b = |b: &[T], scale: T| times(dy_rows, Mat::new(b, out_size, b.len() / out_size), scale);
        let d_lows = Lows {
            trained: match gradient {
                None => times_b(self.b, self.scaling),
                Some((da, db)) => self.gradients(dy, x, low, da, db),
            },
            initial: self.initial.map(|(_, b)| times_b(b, -self.scaling)),
        };
        let d_low = Mat::new(&d_lows.trained, n, self.r);
        let a = Mat::new(self.a, self.r, in_size);
        let initial = self.initial.zip(d_lows.initial.as_ref()).map(|((a, _), d_low)| {
            let r = a.len() / in_size;
            Term::scaled(T::ONE, Mat::new(d_low, n, r), Mat::new(a, r, in_size))
        });
        match &self.dropout {
            None => {
                let terms: Vec<_> = [Term::scaled(T::ONE, d_low, a)].into_iter().chain(initial).collect();
                frozen(dx, &terms);
            }
            Some(dropout) => {
                frozen(dx, initial.as_slice());
                let mut masked = times(d_low, a, T::ONE);
                dropout.apply(&mut masked);
                add_assign(dx, &masked);
                give(masked);
            }
        }
        d_lows.release();
    }
}

/// `[n, r]` of the trained pair, and of the one that the base is relieved of.
pub(super) struct Lows<T> {
    trained: Vec<T>,
    initial: Option<Vec<T>>,
}

impl<T: Real> Lows<T> {
    /// What the backward pass needs.
    pub(super) fn into_trained(self) -> Vec<T> {
        self.initial.into_iter().for_each(give);
        self.trained
    }

    fn release(self) {
        give(self.into_trained());
    }
}

/// Gives a copy back; what is borrowed stays.
pub(super) fn give_owned<T: Real>(x: Cow<[T]>) {
    if let Cow::Owned(x) = x {
        give(x);
    }
}

impl<T: Real> Linear<'_, T> {
    /// Without dropout `y = g (W x + s B A x) + b`. Dropout applies to what `g` changes:
    /// `y = W x + b + (g - 1) W drop(x) + g s B A drop(x)`.
    pub(super) fn forward_dora(&self, slot: &LowRank<T>, dora: &Dora<T>, x: &[T]) -> (Vec<T>, LinearSaved<T>) {
        let dropped = slot.drop(x);
        let lows = slot.project(x, &dropped);
        let (mut scaled, mut y);
        match &slot.dropout {
            None => {
                scaled = self.product(&dropped, None, &slot.terms(&lows));
                y = self.product_of_nothing(x.len() / self.in_size);
            }
            Some(_) => {
                scaled = self.product(&dropped, None, &[]);
                y = self.product(x, self.bias, &[]);
                let rows = y.par_chunks_mut(self.out_size).zip(scaled.par_chunks(self.out_size));
                rows.for_each(|(y, u)| y.iter_mut().zip(u).for_each(|(y, &u)| *y = *y - u));
                let out = MatMut::new(&mut scaled, x.len() / self.in_size, self.out_size);
                par_products(out, Update::Add, &slot.terms(&lows));
            }
        }
        give_owned(dropped);
        add_scaled_columns(&mut y, Update::Add, &scaled, &dora.gain());
        (y, LinearSaved { low: lows.into_trained(), scaled })
    }

    /// The bias in every row, or zeros.
    fn product_of_nothing(&self, n: usize) -> Vec<T> {
        let mut y = zeros(n * self.out_size);
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
                let d_magnitude = scale_columns(dy, &inverse);
                sum_of_products(sums, &d_magnitude, &saved.scaled);
                give(d_magnitude);
            }
            (a, b)
        });
        let mut frozen = |dx: &mut [T], beside: &[Term<T>]| {
            let Some(dropout) = &slot.dropout else {
                return self.product_backward(&dz, dx, update, beside);
            };
            self.product_backward(dy, dx, update, beside);
            let less_one: Vec<T> = gain.iter().map(|&gain| gain - T::ONE).collect();
            let mut masked = take(x.len());
            let d_dropped = scale_columns(dy, &less_one);
            self.product_backward(&d_dropped, &mut masked, Update::Set, &[]);
            dropout.apply(&mut masked);
            add_assign(dx, &masked);
            [d_dropped, masked].into_iter().for_each(give);
        };
        slot.backward(&dz, x, &saved.low, dx, matrices, &mut frozen);
        give(dz);
    }
}

impl<T: Real> Dora<'_, T> {
    /// What a row of `W + s B A` is multiplied by.
    pub(crate) fn gain(&self) -> Vec<T> {
        self.magnitude.iter().zip(self.norm).map(|(&m, &norm)| m / norm).collect()
    }
}

/// `scale * a b`.
fn times<T: Real>(a: Mat<T>, b: Mat<T>, scale: T) -> Vec<T> {
    let (rows, cols) = (a.rows(), b.cols());
    let mut out = take(rows * cols);
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
