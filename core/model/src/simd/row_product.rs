//! `y = x W^T` for inference: every output element is one dot product whose arithmetic does not
//! depend on the number of rows.
//!
//! An element is summed in [`LANES`] interleaved partial sums along the inner dimension, which are
//! then added in a fixed order. Tiling over rows and columns only changes which elements are computed
//! together, never the arithmetic of one, so a row's result has the same bits in a batch of one and in
//! a batch of a thousand. (The `gemm` crate chooses its kernel by the shape, which is why generation
//! and scoring do not use it.)

use super::multiply_add;
use crate::real::{LANES, sum_lanes};

/// `out[i * stride + j] = sum_k x[i, k] * w[j, k]` on the calling thread, for all rows of `x`
/// (`[n, inner]`) and of `w` (`[columns, inner]`).
pub(crate) fn row_product(x: &[f32], w: &[f32], inner: usize, out: &mut [f32], stride: usize) {
    let (rows, columns) = (x.len() / inner, w.len() / inner);
    assert!(x.len() == rows * inner && w.len() == columns * inner, "row product operands");
    assert!(columns <= stride && (rows == 0 || out.len() >= (rows - 1) * stride + columns), "row product output");
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn avx512(x: &[f32], w: &[f32], inner: usize, out: &mut [f32], stride: usize) {
            tiles::<true, 4, 4>(x, w, inner, out, stride);
        }
        #[target_feature(enable = "avx2,fma")]
        fn avx2(x: &[f32], w: &[f32], inner: usize, out: &mut [f32], stride: usize) {
            tiles::<true, 2, 2>(x, w, inner, out, stride);
        }
        if std::arch::is_x86_feature_detected!("avx512f") && super::has_avx2_fma() {
            // SAFETY: the processor has the features that `avx512` enables.
            return unsafe { avx512(x, w, inner, out, stride) };
        }
        if super::has_avx2_fma() {
            // SAFETY: the processor has the features that `avx2` enables.
            return unsafe { avx2(x, w, inner, out, stride) };
        }
    }
    tiles::<false, 1, 2>(x, w, inner, out, stride);
}

/// Covers the output with `M x N` tiles; edges run through narrower ones.
#[inline(always)]
fn tiles<const FMA: bool, const M: usize, const N: usize>(
    x: &[f32],
    w: &[f32],
    inner: usize,
    out: &mut [f32],
    stride: usize,
) {
    let (rows, columns) = (x.len() / inner, w.len() / inner);
    let mut j = 0;
    while j < columns {
        let wide = j + N <= columns;
        let w_tile = &w[j * inner..];
        let mut i = 0;
        while i < rows {
            let (x_tile, out) = (&x[i * inner..], &mut out[i * stride + j..]);
            match (i + M <= rows, wide) {
                (true, true) => tile::<FMA, M, N>(x_tile, w_tile, inner, out, stride),
                (true, false) => tile::<FMA, M, 1>(x_tile, w_tile, inner, out, stride),
                (false, true) => tile::<FMA, 1, N>(x_tile, w_tile, inner, out, stride),
                (false, false) => tile::<FMA, 1, 1>(x_tile, w_tile, inner, out, stride),
            }
            i += if i + M <= rows { M } else { 1 };
        }
        j += if wide { N } else { 1 };
    }
}

/// One tile of `M` rows of `x` and `N` rows of `w`.
#[inline(always)]
fn tile<const FMA: bool, const M: usize, const N: usize>(
    x: &[f32],
    w: &[f32],
    inner: usize,
    out: &mut [f32],
    stride: usize,
) {
    let x: [Lanes; M] = std::array::from_fn(|m| x[m * inner..(m + 1) * inner].as_chunks());
    let w: [Lanes; N] = std::array::from_fn(|n| w[n * inner..(n + 1) * inner].as_chunks());
    let mut sums = [[[0.0f32; LANES]; N]; M];
    for k in 0..inner / LANES {
        for m in 0..M {
            for n in 0..N {
                let (x, w) = (&x[m].0[k], &w[n].0[k]);
                for l in 0..LANES {
                    sums[m][n][l] = multiply_add::<FMA>(x[l], w[l], sums[m][n][l]);
                }
            }
        }
    }
    for m in 0..M {
        for n in 0..N {
            for (l, (&x, &w)) in x[m].1.iter().zip(w[n].1).enumerate() {
                sums[m][n][l] = multiply_add::<FMA>(x, w, sums[m][n][l]);
            }
            out[m * stride + n] = sum_lanes(sums[m][n]);
        }
    }
}

/// A row as whole groups of lanes and the rest.
type Lanes<'a> = (&'a [[f32; LANES]], &'a [f32]);
