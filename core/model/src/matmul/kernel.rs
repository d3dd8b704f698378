//! The innermost loop of a product: one tile of the output in registers.
//!
//! `c[i, j] (+)= sum_k a[i, k] * b[k, j]` over packed panels; every element is summed over `k` in order
//! by fused multiply-adds, whatever the tile around it. So the bits do not depend on the tile's size,
//! and AVX2, AVX-512 and the fused baseline agree.

use crate::processor;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Elements from one row to the next in a row-wise packed panel of A. Not a power of two, so that the
/// rows of a panel fall into different sets of the first-level cache.
pub(super) const ROW_STRIDE: usize = super::blocking::MAX_DEPTH + 16;

/// One tile: depth, panel of A, panel of B, corner of the output, its row stride, whether the output
/// is kept and added to, and how many rows and columns of the tile exist.
///
/// # Safety
/// The panels hold `depth` packed columns and rows of the kernel's sizes, the output tile is valid for
/// reads and writes, and the processor has the kernel's features.
pub(super) type Kernel = unsafe fn(Tile);

/// Rows of B that are asked for ahead of their use: where B is not packed, the hardware does not foresee
/// them.
const PREFETCH: usize = 12;

/// Arguments of a [`Kernel`].
#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub(super) depth: usize,
    pub(super) a: *const f32,
    pub(super) b: *const f32,
    /// Elements from one row of B to the next: the kernel's `nr` if packed.
    pub(super) b_stride: usize,
    pub(super) c: *mut f32,
    pub(super) row_stride: usize,
    pub(super) keep: bool,
    pub(super) rows: usize,
    pub(super) cols: usize,
}

/// A tile's size and its kernels for the two packings of A.
#[derive(Clone, Copy)]
pub(super) struct Kernels {
    pub(super) mr: usize,
    pub(super) nr: usize,
    /// A packed as rows, [`ROW_STRIDE`] apart.
    pub(super) by_row: Kernel,
    /// A packed as columns of `mr` elements.
    pub(super) by_column: Kernel,
}

/// A register of f32.
trait Register: Copy {
    const WIDTH: usize;
    fn zero() -> Self;
    /// # Safety
    /// `WIDTH` floats are readable at `at`.
    unsafe fn load(at: *const f32) -> Self;
    /// # Safety
    /// `WIDTH` floats are writable at `at`.
    unsafe fn store(self, at: *mut f32);
    fn splat(x: f32) -> Self;
    /// Asks for a cache line that will be read soon; any address may be given.
    #[inline(always)]
    fn prefetch(_: *const f32) {}
    fn multiply_add(self, other: Self, sum: Self) -> Self;
    fn add(self, other: Self) -> Self;
}

/// The kernels for an output of `rows x cols` on this processor.
pub(super) fn kernels(rows: usize, cols: usize) -> Kernels {
    #[cfg(target_arch = "x86_64")]
    {
        if processor::avx512() {
            return match (rows <= 8, cols <= 16) {
                (false, false) => avx512_kernels::<14, 2>(),
                (false, true) => avx512_kernels::<14, 1>(),
                (true, false) => avx512_kernels::<8, 2>(),
                (true, true) => avx512_kernels::<8, 1>(),
            };
        }
        if processor::avx2() {
            return if cols <= 8 { avx2_kernels::<6, 1>() } else { avx2_kernels::<6, 2>() };
        }
    }
    let _ = (rows, cols);
    if processor::is_fused() { baseline_kernels::<true>() } else { baseline_kernels::<false>() }
}

/// For tests: what processors without AVX-512, and without AVX2, run.
#[cfg(test)]
pub(super) fn other_kernels() -> Vec<Kernels> {
    let mut all = vec![baseline_kernels::<false>(), baseline_kernels::<true>()];
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        all.push(avx2_kernels::<6, 2>());
        all.push(avx2_kernels::<6, 1>());
    }
    all
}

#[cfg(target_arch = "x86_64")]
fn avx512_kernels<const MR: usize, const NV: usize>() -> Kernels {
    let by_column: Kernel = match MR {
        8 => avx512::<MR, NV, 1, 8>,
        _ => avx512::<MR, NV, 1, 14>,
    };
    Kernels { mr: MR, nr: NV * 16, by_row: avx512::<MR, NV, ROW_STRIDE, 1>, by_column }
}

#[cfg(target_arch = "x86_64")]
fn avx2_kernels<const MR: usize, const NV: usize>() -> Kernels {
    Kernels { mr: MR, nr: NV * 8, by_row: avx2::<MR, NV, ROW_STRIDE, 1>, by_column: avx2::<MR, NV, 1, 6> }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn avx512<const MR: usize, const NV: usize, const ROW: usize, const COL: usize>(tile: Tile) {
    // SAFETY: this function's contract is that of `body`.
    unsafe { body::<__m512, MR, NV, ROW, COL>(tile) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const MR: usize, const NV: usize, const ROW: usize, const COL: usize>(tile: Tile) {
    // SAFETY: as above.
    unsafe { body::<__m256, MR, NV, ROW, COL>(tile) }
}

fn baseline_kernels<const FUSED: bool>() -> Kernels {
    Kernels { mr: 4, nr: 8, by_row: baseline::<FUSED, 4, 2, ROW_STRIDE, 1>, by_column: baseline::<FUSED, 4, 2, 1, 4> }
}

unsafe fn baseline<const FUSED: bool, const MR: usize, const NV: usize, const ROW: usize, const COL: usize>(
    tile: Tile,
) {
    // SAFETY: as above; no features are needed.
    unsafe { body::<Four<FUSED>, MR, NV, ROW, COL>(tile) }
}

/// A's element `(i, k)` is at `i * ROW + k * COL`, B's row `k` at `k * b_stride`.
#[inline(always)]
unsafe fn body<V: Register, const MR: usize, const NV: usize, const ROW: usize, const COL: usize>(tile: Tile) {
    let mut sums = [[V::zero(); NV]; MR];
    let (mut a, mut b) = (tile.a, tile.b);
    // SAFETY: by contract the panels hold `depth` columns of A and rows of B, and the output tile is
    // valid; `edge` has room for a whole tile.
    unsafe {
        for _ in 0..tile.depth {
            for j in 0..NV {
                V::prefetch(b.wrapping_add(PREFETCH * tile.b_stride + j * V::WIDTH));
            }
            let mut row = [V::zero(); NV];
            for (j, row) in row.iter_mut().enumerate() {
                *row = V::load(b.add(j * V::WIDTH));
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = V::splat(*a.add(i * ROW));
                for (sum, &row) in sums.iter_mut().zip(&row) {
                    *sum = x.multiply_add(row, *sum);
                }
            }
            a = a.wrapping_add(COL);
            b = b.wrapping_add(tile.b_stride);
        }
        if tile.rows == MR && tile.cols == NV * V::WIDTH {
            for (i, sums) in sums.iter().enumerate() {
                for (j, &sum) in sums.iter().enumerate() {
                    let at = tile.c.add(i * tile.row_stride + j * V::WIDTH);
                    let value = if tile.keep { V::load(at).add(sum) } else { sum };
                    value.store(at);
                }
            }
            return;
        }
        let mut edge = [0.0f32; 14 * 32];
        for (i, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                sum.store(edge.as_mut_ptr().add((i * NV + j) * V::WIDTH));
            }
        }
        for i in 0..tile.rows {
            for j in 0..tile.cols {
                let at = tile.c.add(i * tile.row_stride + j);
                let sum = edge[i * NV * V::WIDTH + j];
                *at = if tile.keep { *at + sum } else { sum };
            }
        }
    }
}

/// The processor's features are those that the kernel's dispatch has detected.
#[cfg(target_arch = "x86_64")]
macro_rules! register {
    ($type:ty, $width:literal, $zero:ident, $load:ident, $store:ident, $splat:ident, $fma:ident, $add:ident) => {
        impl Register for $type {
            const WIDTH: usize = $width;
            #[inline(always)]
            fn zero() -> Self {
                // SAFETY: only reached through a kernel whose features were detected.
                unsafe { $zero() }
            }
            #[inline(always)]
            unsafe fn load(at: *const f32) -> Self {
                // SAFETY: as above; the caller vouches for the address.
                unsafe { $load(at) }
            }
            #[inline(always)]
            unsafe fn store(self, at: *mut f32) {
                // SAFETY: as above.
                unsafe { $store(at, self) }
            }
            #[inline(always)]
            fn splat(x: f32) -> Self {
                // SAFETY: as above.
                unsafe { $splat(x) }
            }
            #[inline(always)]
            fn prefetch(at: *const f32) {
                // SAFETY: a prefetch of an invalid address does nothing.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
            }
            #[inline(always)]
            fn multiply_add(self, other: Self, sum: Self) -> Self {
                // SAFETY: as above.
                unsafe { $fma(self, other, sum) }
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { $add(self, other) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
register!(
    __m512,
    16,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_set1_ps,
    _mm512_fmadd_ps,
    _mm512_add_ps
);
#[cfg(target_arch = "x86_64")]
register!(
    __m256,
    8,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_set1_ps,
    _mm256_fmadd_ps,
    _mm256_add_ps
);

/// Four floats of any processor, added to products with one rounding or with two.
#[derive(Clone, Copy)]
struct Four<const FUSED: bool>([f32; 4]);

impl<const FUSED: bool> Register for Four<FUSED> {
    const WIDTH: usize = 4;
    #[inline(always)]
    fn zero() -> Self {
        Four([0.0; 4])
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller vouches for four floats.
        Four(unsafe { at.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: as above.
        unsafe { at.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    fn splat(x: f32) -> Self {
        Four([x; 4])
    }
    #[inline(always)]
    fn multiply_add(self, other: Self, sum: Self) -> Self {
        let one = |i: usize| match FUSED {
            true => self.0[i].mul_add(other.0[i], sum.0[i]),
            false => self.0[i] * other.0[i] + sum.0[i],
        };
        Four([one(0), one(1), one(2), one(3)])
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Four(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
}
