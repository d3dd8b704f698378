//! Linear layer `y = x W^T + b` with at most one adapter; x `[n, in]`, W `[out, in]`:
//!
//! ```text
//! low rank       y += s B (A drop(x))  [- s B0 (A0 x)]        A [r, in], B [out, r]
//! DoRA           y  = g (W x + s B A x) + b                   g = m / ||W + s B A|| per row, m [out]
//! scaled input   y  = W (l x) + b                             l [in]   (IA3, feed-forward modules)
//! scaled output  y  = l (W x + b)                             l [out]  (IA3, other modules)
//! ```
//!
//! The norm in DoRA is a constant for the gradient (arXiv:2402.09353, section 4.3, as PEFT does it).

mod low_rank;
#[cfg(test)]
mod tests;
mod weight;

use low_rank::give_owned;
pub(crate) use low_rank::{Dora, LowRank, LowRankGradient, directions, row_norms};
pub(crate) use weight::{Weight, for_each_tile};

use super::sum_over_rows;
use crate::buffers::{give, take};
use crate::matmul::{Mat, MatMut, Term, Update, par_product};
use crate::profile::span;
use crate::real::Real;
use rayon::prelude::*;

/// Weights of one layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Linear<'a, T> {
    pub(crate) out_size: usize,
    pub(crate) in_size: usize,
    pub(crate) weight: Weight<'a, T>,
    pub(crate) bias: Option<&'a [T]>,
    pub(crate) slot: Slot<'a, T>,
}

/// The adapter on a layer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Slot<'a, T> {
    Empty,
    LowRank(LowRank<'a, T>),
    /// `[in]`.
    ScaledInput(&'a [T]),
    /// `[out]`.
    ScaledOutput(&'a [T]),
}

/// What the backward pass needs of a layer's forward pass, besides its input.
#[derive(Debug, Default)]
pub(crate) struct LinearSaved<T> {
    /// `drop(x) A^T`, `[n, r]`.
    low: Vec<T>,
    /// What a vector per output multiplies, `[n, out]`: DoRA's `W x + s B A x`, IA3's `W x + b`.
    scaled: Vec<T>,
}

/// Where the gradients of a layer are added; `None` is frozen and costs nothing. The gradient of the
/// weight has the weight's own orientation.
#[derive(Debug)]
pub(crate) struct LinearGradient<'a, T> {
    pub(crate) weight: Option<&'a mut [T]>,
    pub(crate) bias: Option<&'a mut [T]>,
    pub(crate) slot: SlotGradient<'a, T>,
}

/// Gradients of an adapter's tensors on a layer.
#[derive(Debug)]
pub(crate) enum SlotGradient<'a, T> {
    Frozen,
    LowRank(LowRankGradient<'a, T>),
    Scale(&'a mut [T]),
}

impl<T> Default for LinearGradient<'_, T> {
    /// Everything frozen.
    fn default() -> Self {
        LinearGradient { weight: None, bias: None, slot: SlotGradient::Frozen }
    }
}

impl<T> LinearSaved<T> {
    /// Gives the buffers back.
    pub(crate) fn release(self)
    where
        T: Real,
    {
        give(self.low);
        give(self.scaled);
    }
}

impl<T: Real> Linear<'_, T> {
    /// `y [n, out]`, and what the backward pass needs.
    pub(crate) fn forward(&self, x: &[T]) -> (Vec<T>, LinearSaved<T>) {
        let nothing = LinearSaved { low: Vec::new(), scaled: Vec::new() };
        match &self.slot {
            Slot::Empty => (self.product(x, self.bias, &[]), nothing),
            Slot::ScaledInput(scale) => {
                let scaled = scale_columns(x, scale);
                let y = self.product(&scaled, self.bias, &[]);
                give(scaled);
                (y, nothing)
            }
            Slot::ScaledOutput(scale) => {
                let scaled = self.product(x, self.bias, &[]);
                (scale_columns(&scaled, scale), LinearSaved { scaled, ..nothing })
            }
            Slot::LowRank(slot) => match slot.dora {
                None => {
                    let dropped = slot.drop(x);
                    let lows = slot.project(x, &dropped);
                    give_owned(dropped);
                    let y = self.product(x, self.bias, &slot.terms(&lows));
                    (y, LinearSaved { low: lows.into_trained(), ..nothing })
                }
                Some(dora) => self.forward_dora(slot, &dora, x),
            },
        }
    }

    /// Of one product with the frozen weight and the terms beside it, for `n` rows.
    fn flops(&self, n: usize, beside: &[Term<T>]) -> f64 {
        let depth: usize = beside.iter().map(Term::depth).sum();
        2.0 * n as f64 * (self.in_size * self.out_size + depth * self.out_size) as f64
    }

    /// `x W^T (+ b)`, and the terms beside it.
    fn product(&self, x: &[T], bias: Option<&[T]>, beside: &[Term<T>]) -> Vec<T> {
        let _span = span("linear, forward", || self.flops(x.len() / self.in_size, beside));
        let mut y = take(x.len() / self.in_size * self.out_size);
        let update = match bias {
            None => Update::Set,
            Some(bias) => {
                y.par_chunks_mut(self.out_size)
                    .with_min_len(super::ROWS_PER_TASK)
                    .for_each(|row| row.copy_from_slice(bias));
                Update::Add
            }
        };
        self.weight.forward(x, self.in_size, &mut y, self.out_size, update, beside);
        y
    }

    /// `dx (+)= d(loss)/dx`, and the gradients that `gradient` asks for.
    pub(crate) fn backward(
        &self,
        dy: &[T],
        x: &[T],
        saved: &LinearSaved<T>,
        dx: &mut [T],
        update: Update,
        gradient: LinearGradient<T>,
    ) {
        let LinearGradient { weight, bias, slot } = gradient;
        let frozen_slot = &mut |dx: &mut [T], beside: &[Term<T>]| {
            self.product_backward(dy, dx, update, beside);
        };
        match &self.slot {
            Slot::Empty => {
                frozen_slot(dx, &[]);
                self.add_gradients(dy, x, weight, bias);
            }
            Slot::ScaledInput(scale) => {
                let mut d_scaled = take(x.len());
                self.product_backward(dy, &mut d_scaled, Update::Set, &[]);
                let scaled = scale_columns(x, scale);
                self.add_gradients(dy, &scaled, weight, bias);
                give(scaled);
                if let SlotGradient::Scale(sums) = slot {
                    sum_of_products(sums, &d_scaled, x);
                }
                add_scaled_columns(dx, update, &d_scaled, scale);
                give(d_scaled);
            }
            Slot::ScaledOutput(scale) => {
                if let SlotGradient::Scale(sums) = slot {
                    sum_of_products(sums, dy, &saved.scaled);
                }
                let d_scaled = scale_columns(dy, scale);
                self.product_backward(&d_scaled, dx, update, &[]);
                self.add_gradients(&d_scaled, x, weight, bias);
                give(d_scaled);
            }
            Slot::LowRank(low_rank) => {
                let slot = match slot {
                    SlotGradient::LowRank(slot) => Some(slot),
                    _ => None,
                };
                match low_rank.dora {
                    None => {
                        low_rank.backward(dy, x, &saved.low, dx, slot.map(|g| (g.a, g.b)), frozen_slot);
                        self.add_gradients(dy, x, weight, bias);
                    }
                    Some(dora) => {
                        self.add_bias_gradient(dy, bias);
                        self.backward_dora(low_rank, &dora, dy, x, saved, dx, update, slot);
                    }
                }
            }
        }
    }

    /// `dx (+)= dy W`, and the terms beside it.
    fn product_backward(&self, dy: &[T], dx: &mut [T], update: Update, beside: &[Term<T>]) {
        let _span = span("linear, input's gradient", || self.flops(dx.len() / self.in_size, beside));
        self.weight.backward(dy, self.out_size, dx, self.in_size, update, beside);
    }

    /// The gradients of the weight and the bias of `x W^T + b`.
    fn add_gradients(&self, dy: &[T], x: &[T], weight: Option<&mut [T]>, bias: Option<&mut [T]>) {
        let n = x.len() / self.in_size;
        if let Some(dw) = weight {
            let _span = span("linear, weight's gradient", || self.flops(n, &[]));
            let (dy, x) = (Mat::new(dy, n, self.out_size), Mat::new(x, n, self.in_size));
            match self.weight {
                Weight::Dense(_) => {
                    par_product(MatMut::new(dw, self.out_size, self.in_size), Update::Add, T::ONE, dy.t(), x);
                }
                Weight::Transposed(_) => {
                    par_product(MatMut::new(dw, self.in_size, self.out_size), Update::Add, T::ONE, x.t(), dy);
                }
                Weight::Nf4(_) => unreachable!("quantized weights are frozen"),
            }
        }
        self.add_bias_gradient(dy, bias);
    }

    fn add_bias_gradient(&self, dy: &[T], bias: Option<&mut [T]>) {
        if let Some(sums) = bias {
            let width = self.out_size;
            sum_over_rows(sums, dy.len() / width, |rows, sums| {
                for dy in dy[rows.start * width..rows.end * width].chunks(width) {
                    sums.iter_mut().zip(dy).for_each(|(sum, &dy)| *sum += dy);
                }
            });
        }
    }
}

/// `x` with column `j` multiplied by `scale[j]`.
fn scale_columns<T: Real>(x: &[T], scale: &[T]) -> Vec<T> {
    let (width, mut scaled) = (scale.len(), take(x.len()));
    let rows = scaled.par_chunks_mut(width).zip(x.par_chunks(width)).with_min_len(super::ROWS_PER_TASK);
    rows.for_each(|(scaled, x)| {
        scaled.iter_mut().zip(x).zip(scale).for_each(|((scaled, &x), &scale)| *scaled = x * scale);
    });
    scaled
}

/// `out (+)= x`, column `j` of `x` multiplied by `scale[j]`.
fn add_scaled_columns<T: Real>(out: &mut [T], update: Update, x: &[T], scale: &[T]) {
    let width = scale.len();
    out.par_chunks_mut(width).zip(x.par_chunks(width)).with_min_len(super::ROWS_PER_TASK).for_each(|(out, x)| {
        for ((out, &x), &scale) in out.iter_mut().zip(x).zip(scale) {
            *out = if update == Update::Add { *out + x * scale } else { x * scale };
        }
    });
}

/// `sums[j] += sum_i a[i, j] b[i, j]`.
fn sum_of_products<T: Real>(sums: &mut [T], a: &[T], b: &[T]) {
    let width = sums.len();
    sum_over_rows(sums, a.len() / width, |rows, sums| {
        let span = rows.start * width..rows.end * width;
        for (a, b) in a[span.clone()].chunks(width).zip(b[span].chunks(width)) {
            sums.iter_mut().zip(a).zip(b).for_each(|((sum, &a), &b)| *sum += a * b);
        }
    });
}
