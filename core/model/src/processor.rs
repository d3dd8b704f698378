//! Which of the processor's instructions are used, and what that means for bits.
//!
//! Products and vector loops add fused multiply-adds in an order that shapes alone decide; exponentials,
//! logarithms and the like are [our own](crate::math). So AVX-512, AVX2 with FMA, and aarch64 give the same
//! bits. An x86 processor without FMA rounds twice instead, for speed, unless it is told to compute the fused
//! result in software: that is what `portable = true` asks for, and all that it changes.

use std::sync::atomic::{AtomicU8, Ordering};

/// What products and vector loops may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Instructions {
    /// The best that the processor has.
    #[default]
    Best,
    /// At most AVX2 and FMA.
    Avx2,
    /// No vector extension beyond the architecture's baseline; fused multiply-adds, in software where there
    /// is no instruction.
    Fused,
}

static LIMIT: AtomicU8 = AtomicU8::new(0);

impl Instructions {
    /// The fastest instructions with the bits of all other processors.
    pub fn portable() -> Self {
        if has_fma() { Instructions::Best } else { Instructions::Fused }
    }

    /// From now on, for all threads of the process; returns what was in use. Change it between runs: a
    /// run that sees a change in its middle mixes the two roundings of a processor without FMA.
    pub fn limit(self) -> Self {
        match LIMIT.swap(self as u8, Ordering::Relaxed) {
            0 => Instructions::Best,
            1 => Instructions::Avx2,
            _ => Instructions::Fused,
        }
    }
}

/// Whether the processor adds products with one rounding.
fn has_fma() -> bool {
    #[cfg(target_arch = "x86_64")]
    let found = std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    let found = cfg!(target_arch = "aarch64");
    found
}

/// Whether AVX2 and FMA are to be used (the standard library caches what the processor has).
#[cfg(target_arch = "x86_64")]
pub(crate) fn avx2() -> bool {
    LIMIT.load(Ordering::Relaxed) <= Instructions::Avx2 as u8 && has_fma()
}

/// Whether AVX-512 is to be used, beside AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
pub(crate) fn avx512() -> bool {
    LIMIT.load(Ordering::Relaxed) == Instructions::Best as u8
        && has_fma()
        && std::arch::is_x86_feature_detected!("avx512f")
}

/// Whether code for the baseline adds products with one rounding.
pub(crate) fn is_fused() -> bool {
    cfg!(target_arch = "aarch64") || LIMIT.load(Ordering::Relaxed) == Instructions::Fused as u8
}

/// [`Instructions::portable`] for the whole process, until it is dropped.
#[derive(Debug)]
pub struct PortableArithmetic(Instructions);

impl PortableArithmetic {
    /// From now on.
    pub fn begin() -> Self {
        PortableArithmetic(Instructions::portable().limit())
    }
}

impl Drop for PortableArithmetic {
    fn drop(&mut self) {
        self.0.limit();
    }
}
