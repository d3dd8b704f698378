//! `y = x W^T` for inference: every output element is one dot product whose arithmetic does not
//! depend on the number of rows.
//!
//! An element is summed in [`LANES`] interleaved partial sums along the inner dimension, which are
//! then added in a fixed order. Tiling over rows and columns only changes which elements are computed
//! together, never the arithmetic of one, so a row's result has the same bits in a batch of one and in
//! a batch of a thousand.

mod vector;

use crate::processor;
use crate::real::LANES;
use vector::{Lanes, Vector};

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
            tiles::<vector::Avx512, 4, 4>(x, w, inner, out, stride);
        }
        #[target_feature(enable = "avx2,fma")]
        fn avx2(x: &[f32], w: &[f32], inner: usize, out: &mut [f32], stride: usize) {
            tiles::<vector::Avx2, 2, 2>(x, w, inner, out, stride);
        }
        if processor::avx512() {
            // SAFETY: the processor has the features that `avx512` enables.
            return unsafe { avx512(x, w, inner, out, stride) };
        }
        if processor::avx2() {
            // SAFETY: the processor has the features that `avx2` enables.
            return unsafe { avx2(x, w, inner, out, stride) };
        }
    }
    match processor::is_fused() {
        true => tiles::<Lanes<true>, 1, 2>(x, w, inner, out, stride),
        false => tiles::<Lanes<false>, 1, 2>(x, w, inner, out, stride),
    }
}

/// Covers the output with `M x N` tiles; edges run through narrower ones. Only called where the
/// processor has the features of `V`.
#[inline(always)]
pub(crate) fn tiles<V: Vector, const M: usize, const N: usize>(
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
                (true, true) => tile::<V, M, N>(x_tile, w_tile, inner, out, stride),
                (true, false) => tile::<V, M, 1>(x_tile, w_tile, inner, out, stride),
                (false, true) => tile::<V, 1, N>(x_tile, w_tile, inner, out, stride),
                (false, false) => tile::<V, 1, 1>(x_tile, w_tile, inner, out, stride),
            }
            i += if i + M <= rows { M } else { 1 };
        }
        j += if wide { N } else { 1 };
    }
}

/// One tile of `M` rows of `x` and `N` rows of `w`.
#[inline(always)]
fn tile<V: Vector, const M: usize, const N: usize>(x: &[f32], w: &[f32], inner: usize, out: &mut [f32], stride: usize) {
    let x: [(&[[f32; LANES]], &[f32]); M] = std::array::from_fn(|m| x[m * inner..(m + 1) * inner].as_chunks());
    let w: [(&[[f32; LANES]], &[f32]); N] = std::array::from_fn(|n| w[n * inner..(n + 1) * inner].as_chunks());
    let whole = inner / LANES;
    // Slices of known length, so that the loop below has no bounds checks.
    let x_whole: [&[[f32; LANES]]; M] = std::array::from_fn(|m| &x[m].0[..whole]);
    let w_whole: [&[[f32; LANES]]; N] = std::array::from_fn(|n| &w[n].0[..whole]);
    let mut sums = [[V::zero(); N]; M];
    for k in 0..whole {
        let w: [V; N] = std::array::from_fn(|n| V::load(&w_whole[n][k]));
        for m in 0..M {
            let x = V::load(&x_whole[m][k]);
            for n in 0..N {
                sums[m][n] = x.multiply_add(w[n], sums[m][n]);
            }
        }
    }
    if !inner.is_multiple_of(LANES) {
        // Zeros beyond the end leave the partial sums as they are.
        let w: [V; N] = std::array::from_fn(|n| V::load(&padded(w[n].1)));
        for m in 0..M {
            let x = V::load(&padded(x[m].1));
            for n in 0..N {
                sums[m][n] = x.multiply_add(w[n], sums[m][n]);
            }
        }
    }
    for m in 0..M {
        for n in 0..N {
            out[m * stride + n] = sums[m][n].sum();
        }
    }
}

#[inline(always)]
fn padded(rest: &[f32]) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    lanes
}

/// For tests of one kind of vector.
#[cfg(test)]
#[cfg(target_arch = "x86_64")]
pub(super) mod vectors {
    pub(crate) use super::tiles;
    pub(crate) use super::vector::{Avx2, Lanes};
}
