//! f32 loops compiled twice: for AVX2 + FMA, chosen at run time, and for the baseline processor.
//!
//! The bodies are ordinary Rust that the compiler vectorizes; only the call into a function with
//! target features is unsafe. The baseline differs in rounding where it does not fuse multiply-adds
//! ([`processor`](crate::processor)).
#![allow(unsafe_code, reason = "calls functions with target features after detecting them")]

#[cfg(test)]
mod tests;

mod row_product;
pub(crate) use row_product::row_product;

use crate::real::{LANES, dot_loop, max_loop, sum_lanes};

/// Defines `$name`, which runs `$body::<true>` with AVX2 and FMA where they exist or are emulated, else
/// `$body::<false>`.
macro_rules! dispatch {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)?, $body:ident) => {
        $(#[$doc])*
        pub(crate) fn $name($($arg: $type),*) $(-> $out)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn wide($($arg: $type),*) $(-> $out)? {
                    $body::<true>($($arg),*)
                }
                if crate::processor::avx2() {
                    // SAFETY: the processor has the features that `wide` enables.
                    return unsafe { wide($($arg),*) };
                }
            }
            match crate::processor::is_fused() {
                true => $body::<true>($($arg),*),
                false => $body::<false>($($arg),*),
            }
        }
    };
}

dispatch!(
    /// `sum(a * b)`.
    dot(a: &[f32], b: &[f32]) -> f32, dot_body
);
dispatch!(
    /// The largest element.
    max(row: &[f32]) -> f32, max_body
);
dispatch!(
    /// `row = exp(row - shift)`; returns the sum.
    exp_shift_sum(row: &mut [f32], shift: f32) -> f32, exp_shift_sum_body
);
dispatch!(
    /// `ds = p * (ds - delta)`.
    softmax_backward(ds: &mut [f32], p: &[f32], delta: f32), softmax_backward_body
);
dispatch!(
    /// `out = silu(gate) * up`.
    swiglu(gate: &[f32], up: &[f32], out: &mut [f32]), swiglu_body
);
dispatch!(
    /// See [`Real::swiglu_backward`](crate::real::Real::swiglu_backward).
    swiglu_backward(gate: &mut [f32], up: &mut [f32], d: &mut [f32]), swiglu_backward_body
);

dispatch!(
    /// `out += sum_j weights[j] * rows[j]`, in the order of `j`; rows `[n, width]`, out `[width]`.
    add_weighted_rows(out: &mut [f32], weights: &[f32], rows: &[f32]), add_weighted_rows_body
);

#[inline(always)]
fn add_weighted_rows_body<const FMA: bool>(out: &mut [f32], weights: &[f32], rows: &[f32]) {
    for (row, &weight) in rows.chunks_exact(out.len()).zip(weights) {
        for (out, &x) in out.iter_mut().zip(row) {
            *out = multiply_add::<FMA>(weight, x, *out);
        }
    }
}

#[inline(always)]
fn dot_body<const FMA: bool>(a: &[f32], b: &[f32]) -> f32 {
    dot_loop(a, b)
}

#[inline(always)]
fn max_body<const FMA: bool>(row: &[f32]) -> f32 {
    max_loop(row)
}

/// `a * b + c`, fused where the processor does that in one instruction.
#[inline(always)]
fn multiply_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// e^x with a relative error below 3e-7 for x in [-87, 88]; zero below, capped above.
///
/// Range reduction to |r| <= ln(2)/2, then the polynomial of degree six of Cephes' `expf`
/// (S. Moshier, netlib.org/cephes). No branch, so that loops over it vectorize.
#[inline(always)]
fn exp_body<const FMA: bool>(x: f32) -> f32 {
    const LOWEST: f32 = -87.3;
    const HIGHEST: f32 = 88.3;
    /// Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the mantissa.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 355.0 / 512.0;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = if x > LOWEST { x } else { LOWEST };
    let clamped = if clamped < HIGHEST { clamped } else { HIGHEST };
    let shifted = multiply_add::<FMA>(clamped, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = multiply_add::<FMA>(n, -LN2_HIGH, clamped);
    let r = multiply_add::<FMA>(n, -LN2_LOW, r);
    let mut p = 1.987_569_1e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = multiply_add::<FMA>(p, r, coefficient);
    }
    let mantissa = multiply_add::<FMA>(p, r * r, r + 1.0);
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    let value = mantissa * f32::from_bits(exponent);
    if x < LOWEST { 0.0 } else { value }
}

#[inline(always)]
fn exp_shift_sum_body<const FMA: bool>(row: &mut [f32], shift: f32) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (lanes, rest) = row.as_chunks_mut::<LANES>();
    for lane in lanes {
        for i in 0..LANES {
            lane[i] = exp_body::<FMA>(lane[i] - shift);
            sums[i] += lane[i];
        }
    }
    for (i, x) in rest.iter_mut().enumerate() {
        *x = exp_body::<FMA>(*x - shift);
        sums[i] += *x;
    }
    sum_lanes(sums)
}

#[inline(always)]
fn softmax_backward_body<const FMA: bool>(ds: &mut [f32], p: &[f32], delta: f32) {
    for (ds, &p) in ds.iter_mut().zip(p) {
        *ds = p * (*ds - delta);
    }
}

#[inline(always)]
fn sigmoid_body<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp_body::<FMA>(-x))
}

#[inline(always)]
fn swiglu_body<const FMA: bool>(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((out, &g), &u) in out.iter_mut().zip(gate).zip(up) {
        *out = g * sigmoid_body::<FMA>(g) * u;
    }
}

#[inline(always)]
fn swiglu_backward_body<const FMA: bool>(gate: &mut [f32], up: &mut [f32], d: &mut [f32]) {
    for ((g, u), d) in gate.iter_mut().zip(up).zip(d) {
        let sigmoid = sigmoid_body::<FMA>(*g);
        let silu = *g * sigmoid;
        let d_silu = sigmoid * multiply_add::<FMA>(*g, 1.0 - sigmoid, 1.0);
        let (d_out, u_in) = (*d, *u);
        *d = silu * u_in;
        *g = d_out * u_in * d_silu;
        *u = d_out * silu;
    }
}
