//! Activation functions of feed-forward layers, alone (`y = f(x)`) or gated (`y = f(gate) * up`),
//! elementwise over `[n, intermediate]`.

mod erf;
#[cfg(test)]
mod tests;

use super::{ELEMENTS_PER_TASK, swiglu};
use crate::Activation;
use crate::buffers;
use crate::profile::span;
use crate::real::Real;
use rayon::prelude::*;

/// `sqrt(2 / pi)`, of the tanh approximation of GELU.
const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
/// Cubic coefficient of the tanh approximation of GELU (Hendrycks and Gimpel, arXiv 1606.08415).
const GELU_CUBIC: f64 = 0.044_715;
/// Slope of the sigmoid approximation of GELU (the same paper).
const QUICK_GELU_SLOPE: f64 = 1.702;

/// `f(x)` and `f'(x)`.
fn value_and_slope<T: Real>(activation: Activation, x: T) -> (T, T) {
    let half = T::from_f64(0.5);
    let sigmoid = |x: T| T::ONE / (T::ONE + (-x).exp());
    match activation {
        Activation::Silu => {
            let s = sigmoid(x);
            (x * s, s * (T::ONE + x * (T::ONE - s)))
        }
        Activation::QuickGelu => {
            let slope = T::from_f64(QUICK_GELU_SLOPE);
            let s = sigmoid(slope * x);
            (x * s, s * (T::ONE + slope * x * (T::ONE - s)))
        }
        Activation::Relu => (if x > T::ZERO { x } else { T::ZERO }, if x > T::ZERO { T::ONE } else { T::ZERO }),
        Activation::GeluTanh => {
            let (a, c) = (T::from_f64(SQRT_2_OVER_PI), T::from_f64(GELU_CUBIC));
            let three = T::from_f64(3.0);
            // (1 + tanh(u)) / 2 is the sigmoid of 2u.
            let s = sigmoid((a + a) * (x + c * x * x * x));
            let d_inner = (a + a) * (T::ONE + three * c * x * x);
            (x * s, s + x * s * (T::ONE - s) * d_inner)
        }
        Activation::Gelu => {
            let phi = half * (T::ONE + T::from_f64(erf::erf(x.to_f64() * std::f64::consts::FRAC_1_SQRT_2)));
            let density = T::from_f64(0.398_942_280_401_432_7) * (-(half * x * x)).exp();
            (x * phi, phi + x * density)
        }
    }
}

/// `f(x)`.
pub(crate) fn forward<T: Real>(activation: Activation, x: &[T]) -> Vec<T> {
    let _span = span("activation, forward", || 0.0);
    let mut y = buffers::take(x.len());
    y.par_chunks_mut(ELEMENTS_PER_TASK).zip(x.par_chunks(ELEMENTS_PER_TASK)).for_each(|(y, x)| {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = value_and_slope(activation, x).0;
        }
    });
    y
}

/// In place: `d`, the output's gradient, becomes the input's.
pub(crate) fn backward<T: Real>(activation: Activation, x: &[T], d: &mut [T]) {
    let _span = span("activation, backward", || 0.0);
    d.par_chunks_mut(ELEMENTS_PER_TASK).zip(x.par_chunks(ELEMENTS_PER_TASK)).for_each(|(d, x)| {
        for (d, &x) in d.iter_mut().zip(x) {
            *d *= value_and_slope(activation, x).1;
        }
    });
}

/// `f(gate) * up`.
pub(crate) fn gated_forward<T: Real>(activation: Activation, gate: &[T], up: &[T]) -> Vec<T> {
    let _span = span("activation, forward", || 0.0);
    if activation == Activation::Silu {
        return swiglu::forward(gate, up);
    }
    let mut out = forward(activation, gate);
    out.par_chunks_mut(ELEMENTS_PER_TASK).zip(up.par_chunks(ELEMENTS_PER_TASK)).for_each(|(out, up)| {
        for (out, &up) in out.iter_mut().zip(up) {
            *out *= up;
        }
    });
    out
}

/// In place: `d` (the output's gradient) becomes the output itself, `gate` and `up` become their
/// gradients.
pub(crate) fn gated_backward<T: Real>(activation: Activation, gate: &mut [T], up: &mut [T], d: &mut [T]) {
    let _span = span("activation, backward", || 0.0);
    if activation == Activation::Silu {
        return swiglu::backward(gate, up, d);
    }
    gate.par_chunks_mut(ELEMENTS_PER_TASK)
        .zip(up.par_chunks_mut(ELEMENTS_PER_TASK))
        .zip(d.par_chunks_mut(ELEMENTS_PER_TASK))
        .for_each(|((gate, up), d)| {
            for ((g, u), d) in gate.iter_mut().zip(up).zip(d) {
                let (value, slope) = value_and_slope(activation, *g);
                let (d_out, u_in) = (*d, *u);
                *d = value * u_in;
                *g = d_out * u_in * slope;
                *u = d_out * value;
            }
        });
}

/// `y = f(x)` or `f(gate) * up` of rows, on the calling thread, for inference.
pub(crate) fn gated_rows(activation: Activation, gate: &[f32], up: &[f32], out: &mut [f32]) {
    if activation == Activation::Silu {
        return crate::simd::swiglu(gate, up, out);
    }
    for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
        *out = value_and_slope(activation, gate).0 * up;
    }
}
