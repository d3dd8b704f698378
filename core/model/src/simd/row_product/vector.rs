//! Sixteen lanes of f32 on three kinds of processor. All three add and multiply lane by lane and sum
//! in the same order: AVX-512, AVX2 and the fused baseline give equal bits.
//!
//! The methods are safe to call only where the processor has the features, which holds because this
//! module is private to [`row_product`](super::row_product) and that detects them first.

use crate::real::{LANES, sum_lanes};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Sixteen partial sums.
pub(crate) trait Vector: Copy {
    fn zero() -> Self;
    fn load(lanes: &[f32; LANES]) -> Self;
    /// `self * other + sum`, lane by lane.
    fn multiply_add(self, other: Self, sum: Self) -> Self;
    /// The lanes added pairwise, first those eight apart, then four, two, one.
    fn sum(self) -> f32;
}

/// Any processor, with one rounding per step or with two.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<const FUSED: bool>([f32; LANES]);

impl<const FUSED: bool> Vector for Lanes<FUSED> {
    #[inline(always)]
    fn zero() -> Self {
        Lanes([0.0; LANES])
    }
    #[inline(always)]
    fn load(lanes: &[f32; LANES]) -> Self {
        Lanes(*lanes)
    }
    #[inline(always)]
    fn multiply_add(self, other: Self, mut sum: Self) -> Self {
        for i in 0..LANES {
            sum.0[i] = match FUSED {
                true => self.0[i].mul_add(other.0[i], sum.0[i]),
                false => self.0[i] * other.0[i] + sum.0[i],
            };
        }
        sum
    }
    #[inline(always)]
    fn sum(self) -> f32 {
        sum_lanes(self.0)
    }
}

/// One register of AVX-512.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512);

#[cfg(target_arch = "x86_64")]
impl Vector for Avx512 {
    #[inline(always)]
    fn zero() -> Self {
        // SAFETY: the caller has detected AVX-512 (see the module's text).
        Avx512(unsafe { _mm512_setzero_ps() })
    }
    #[inline(always)]
    fn load(lanes: &[f32; LANES]) -> Self {
        // SAFETY: as above; an unaligned load of sixteen floats that the reference covers.
        Avx512(unsafe { _mm512_loadu_ps(lanes.as_ptr()) })
    }
    #[inline(always)]
    fn multiply_add(self, other: Self, sum: Self) -> Self {
        // SAFETY: as above.
        Avx512(unsafe { _mm512_fmadd_ps(self.0, other.0, sum.0) })
    }
    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: as above; the upper half moves down as four doubles, bits unchanged.
        let (low, high) = unsafe {
            let high = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(self.0));
            (_mm512_castps512_ps256(self.0), _mm256_castpd_ps(high))
        };
        Avx2(low, high).sum()
    }
}

/// Two registers of AVX2.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256, __m256);

#[cfg(target_arch = "x86_64")]
impl Vector for Avx2 {
    #[inline(always)]
    fn zero() -> Self {
        // SAFETY: the caller has detected AVX2 and FMA (see the module's text).
        unsafe { Avx2(_mm256_setzero_ps(), _mm256_setzero_ps()) }
    }
    #[inline(always)]
    fn load(lanes: &[f32; LANES]) -> Self {
        let at = lanes.as_ptr();
        // SAFETY: as above; two unaligned loads of eight floats that the reference covers.
        unsafe { Avx2(_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8))) }
    }
    #[inline(always)]
    fn multiply_add(self, other: Self, sum: Self) -> Self {
        // SAFETY: as above.
        unsafe { Avx2(_mm256_fmadd_ps(self.0, other.0, sum.0), _mm256_fmadd_ps(self.1, other.1, sum.1)) }
    }
    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: as above.
        unsafe {
            let eight = _mm256_add_ps(self.0, self.1);
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
}
