//! The two element types: f32 for work, f64 for gradient checks.
//!
//! A vector kernel is a method, so that f32 can take the [`simd`](crate::simd) path while f64 runs the
//! plain loop below. Every reduction runs over [`LANES`] interleaved partial sums that are added in a
//! fixed order: fast, and independent of threads.

use crate::buffers::Pool;
use crate::math;
use crate::matmul::{MatMut, Term, Update, multiply_f32, multiply_f64};
use crate::simd;
use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub};

/// Interleaved partial results of a reduction.
pub(crate) const LANES: usize = 16;

pub(crate) trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + MulAssign
    + 'static
{
    const ZERO: Self;
    const ONE: Self;
    const NEG_INFINITY: Self;

    fn from_f64(value: f64) -> Self;
    fn to_f64(self) -> f64;
    fn exp(self) -> Self;
    fn sqrt(self) -> Self;

    /// `out (+)= sum of scale * a b` over the terms, whose shapes fit; on the current thread pool if
    /// `parallel`.
    fn multiply(out: MatMut<Self>, update: Update, terms: &[Term<Self>], parallel: bool);

    /// Buffers that wait to be used again.
    fn pool() -> &'static Pool<Self>;

    /// `sum(a * b)`.
    fn dot(a: &[Self], b: &[Self]) -> Self {
        dot_loop(a, b)
    }

    /// The largest element; negative infinity for an empty slice.
    fn max(row: &[Self]) -> Self {
        max_loop(row)
    }

    /// `row = exp(row - shift)`; returns the sum.
    fn exp_shift_sum(row: &mut [Self], shift: Self) -> Self {
        let mut sums = [Self::ZERO; LANES];
        for (i, x) in row.iter_mut().enumerate() {
            *x = (*x - shift).exp();
            sums[i % LANES] += *x;
        }
        sum_lanes(sums)
    }

    /// `ds = p * (ds - delta)`.
    fn softmax_backward(ds: &mut [Self], p: &[Self], delta: Self) {
        for (ds, &p) in ds.iter_mut().zip(p) {
            *ds = p * (*ds - delta);
        }
    }

    /// `out = silu(gate) * up`.
    fn swiglu(gate: &[Self], up: &[Self], out: &mut [Self]) {
        for ((out, &g), &u) in out.iter_mut().zip(gate).zip(up) {
            *out = g / (Self::ONE + (-g).exp()) * u;
        }
    }

    /// From `d = d(loss)/d(silu(gate) * up)`: `d` becomes the activation `silu(gate) * up`, `gate` and
    /// `up` become their own gradients.
    fn swiglu_backward(gate: &mut [Self], up: &mut [Self], d: &mut [Self]) {
        for ((g, u), d) in gate.iter_mut().zip(up).zip(d) {
            let sigmoid = Self::ONE / (Self::ONE + (-*g).exp());
            let silu = *g * sigmoid;
            let d_silu = sigmoid * (Self::ONE + *g * (Self::ONE - sigmoid));
            let (d_out, u_in) = (*d, *u);
            *d = silu * u_in;
            *g = d_out * u_in * d_silu;
            *u = d_out * silu;
        }
    }
}

/// Adds partial sums pairwise, always in the same order.
#[inline(always)]
pub(crate) fn sum_lanes<T: Real>(mut lanes: [T; LANES]) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            let other = lanes[i + width];
            lanes[i] += other;
        }
        width /= 2;
    }
    lanes[0]
}

#[inline(always)]
pub(crate) fn dot_loop<T: Real>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::ZERO; LANES];
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for i in 0..LANES {
            sums[i] += a[i] * b[i];
        }
    }
    for (i, (&a, &b)) in a_rest.iter().zip(b_rest).enumerate() {
        sums[i] += a * b;
    }
    sum_lanes(sums)
}

#[inline(always)]
pub(crate) fn max_loop<T: Real>(row: &[T]) -> T {
    let larger = |a: T, b: T| if a > b { a } else { b };
    let mut best = [T::NEG_INFINITY; LANES];
    let (lanes, rest) = row.as_chunks::<LANES>();
    for lane in lanes {
        for i in 0..LANES {
            best[i] = larger(lane[i], best[i]);
        }
    }
    let rest = rest.iter().copied().fold(T::NEG_INFINITY, larger);
    best.into_iter().fold(rest, larger)
}

impl Real for f64 {
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;
    const NEG_INFINITY: f64 = f64::NEG_INFINITY;

    fn from_f64(value: f64) -> f64 {
        value
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn exp(self) -> f64 {
        math::exp(self)
    }
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }
    fn pool() -> &'static Pool<f64> {
        static POOL: Pool<f64> = Pool::new();
        &POOL
    }
    fn multiply(out: MatMut<f64>, update: Update, terms: &[Term<f64>], parallel: bool) {
        multiply_f64(out, update, terms, parallel);
    }
}

impl Real for f32 {
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;
    const NEG_INFINITY: f32 = f32::NEG_INFINITY;

    fn from_f64(value: f64) -> f32 {
        value as f32
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn exp(self) -> f32 {
        math::exp_f32(self)
    }
    fn sqrt(self) -> f32 {
        f32::sqrt(self)
    }
    fn pool() -> &'static Pool<f32> {
        static POOL: Pool<f32> = Pool::new();
        &POOL
    }
    fn multiply(out: MatMut<f32>, update: Update, terms: &[Term<f32>], parallel: bool) {
        multiply_f32(out, update, terms, parallel);
    }
    fn dot(a: &[f32], b: &[f32]) -> f32 {
        simd::dot(a, b)
    }
    fn max(row: &[f32]) -> f32 {
        simd::max(row)
    }
    fn exp_shift_sum(row: &mut [f32], shift: f32) -> f32 {
        simd::exp_shift_sum(row, shift)
    }
    fn softmax_backward(ds: &mut [f32], p: &[f32], delta: f32) {
        simd::softmax_backward(ds, p, delta);
    }
    fn swiglu(gate: &[f32], up: &[f32], out: &mut [f32]) {
        simd::swiglu(gate, up, out);
    }
    fn swiglu_backward(gate: &mut [f32], up: &mut [f32], d: &mut [f32]) {
        simd::swiglu_backward(gate, up, d);
    }
}
