//! `y = x W^T` for inference: every output element is one dot product whose arithmetic does not
//! depend on the number of rows.
//!
//! An element is summed in [`WIDTH`] interleaved partial sums along the inner dimension, which are
//! then added in a fixed order. Tiling over rows and columns only changes which elements are computed
//! together, never the arithmetic of one, so a row's result is the same bits in a batch of one and in
//! a batch of a thousand. (The `gemm` crate chooses its kernel by the shape, which is why generation
//! and scoring do not use it.)

use crate::real::{LANES, sum_lanes};

/// Partial sums per element: one AVX-512 register, two AVX2 registers.
const WIDTH: usize = LANES;

/// `out[i, j] = sum_k x[i, k] * w[j, k]` on the calling thread, for all rows of `x` (`[n, inner]`) and
/// of `w` (`[out_cols, inner]`); `write(i, j, value)` receives each element once.
pub(crate) fn row_product(x: &[f32], w: &[f32], inner: usize, write: &mut dyn FnMut(usize, usize, f32)) {
    assert!(inner > 0 && x.len() % inner == 0 && w.len() % inner == 0, "row product shape");
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f")]
        fn avx512(x: &[f32], w: &[f32], inner: usize, write: &mut dyn FnMut(usize, usize, f32)) {
            tiles::<true, 4, 4>(x, w, inner, write);
        }
        #[target_feature(enable = "avx2,fma")]
        fn avx2(x: &[f32], w: &[f32], inner: usize, write: &mut dyn FnMut(usize, usize, f32)) {
            tiles::<true, 2, 2>(x, w, inner, write);
        }
        if std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has the feature that `avx512` enables.
            return unsafe { avx512(x, w, inner, write) };
        }
        if super::has_avx2_fma() {
            // SAFETY: the processor has the features that `avx2` enables.
            return unsafe { avx2(x, w, inner, write) };
        }
    }
    tiles::<false, 1, 2>(x, w, inner, write);
}

/// Covers the output with `M x N` tiles; edges run through narrower ones.
#[inline(always)]
fn tiles<const FMA: bool, const M: usize, const N: usize>(
    x: &[f32],
    w: &[f32],
    inner: usize,
    write: &mut dyn FnMut(usize, usize, f32),
) {
    let (rows, cols) = (x.len() / inner, w.len() / inner);
    let row = |m: &[f32], i: usize| -> *const f32 { m[i * inner..(i + 1) * inner].as_ptr() };
    let _ = row;
    let mut j = 0;
    while j + N <= cols {
        let w_tile = &w[j * inner..(j + N) * inner];
        let mut i = 0;
        while i + M <= rows {
            tile::<FMA, M, N>(&x[i * inner..(i + M) * inner], w_tile, inner, i, j, write);
            i += M;
        }
        for i in i..rows {
            tile::<FMA, 1, N>(&x[i * inner..(i + 1) * inner], w_tile, inner, i, j, write);
        }
        j += N;
    }
    for j in j..cols {
        for i in 0..rows {
            let (x_row, w_row) = (&x[i * inner..(i + 1) * inner], &w[j * inner..(j + 1) * inner]);
            tile::<FMA, 1, 1>(x_row, w_row, inner, i, j, write);
        }
    }
}

/// One tile of `M` rows of `x` and `N` rows of `w`.
#[inline(always)]
fn tile<const FMA: bool, const M: usize, const N: usize>(
    x: &[f32],
    w: &[f32],
    inner: usize,
    i: usize,
    j: usize,
    write: &mut dyn FnMut(usize, usize, f32),
) {
    let x: [&[f32]; M] = std::array::from_fn(|m| &x[m * inner..(m + 1) * inner]);
    let w: [&[f32]; N] = std::array::from_fn(|n| &w[n * inner..(n + 1) * inner]);
    let mut sums = [[[0.0f32; WIDTH]; N]; M];
    let whole = inner / WIDTH * WIDTH;
    for k in (0..whole).step_by(WIDTH) {
        let w_lanes: [[f32; WIDTH]; N] = std::array::from_fn(|n| lanes(w[n], k));
        for m in 0..M {
            let x_lanes = lanes(x[m], k);
            for n in 0..N {
                for l in 0..WIDTH {
                    sums[m][n][l] = super::multiply_add::<FMA>(x_lanes[l], w_lanes[n][l], sums[m][n][l]);
                }
            }
        }
    }
    for m in 0..M {
        for n in 0..N {
            for (l, k) in (whole..inner).enumerate() {
                sums[m][n][l] = super::multiply_add::<FMA>(x[m][k], w[n][k], sums[m][n][l]);
            }
            write(i + m, j + n, sum_lanes(sums[m][n]));
        }
    }
}

#[inline(always)]
fn lanes(row: &[f32], k: usize) -> [f32; WIDTH] {
    let mut lanes = [0.0; WIDTH];
    lanes.copy_from_slice(&row[k..k + WIDTH]);
    lanes
}
