//! Counter-based random numbers: Philox4x32-10.
//!
//! A draw is a pure function of (seed, stream, index), so nothing has hidden state: a resumed run
//! draws what an uninterrupted one would have drawn, on any number of threads.
//!
//! Source of the constants and rounds: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy
//! as 1, 2, 3", SC 2011. The known-answer test uses the vectors of the authors' Random123 library.

#[cfg(test)]
mod tests;

use crate::math;

const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Ten rounds of Philox4x32: 128 random bits from a 128-bit counter and a 64-bit key.
#[inline]
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        let p0 = u64::from(MULTIPLIER[0]) * u64::from(c0);
        let p1 = u64::from(MULTIPLIER[1]) * u64::from(c2);
        (c0, c1, c2, c3) = ((p1 >> 32) as u32 ^ c1 ^ k0, p1 as u32, (p0 >> 32) as u32 ^ c3 ^ k1, p0 as u32);
        k0 = k0.wrapping_add(WEYL[0]);
        k1 = k1.wrapping_add(WEYL[1]);
    }
    [c0, c1, c2, c3]
}

/// Random numbers by index: the key is the seed, the upper half of the counter is the stream, the
/// lower half the index divided by four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterRng {
    seed: u64,
    stream: u64,
}

impl CounterRng {
    /// Draws of `seed`; different `stream`s are independent.
    pub fn new(seed: u64, stream: u64) -> Self {
        Self { seed, stream }
    }

    /// A generator whose stream is mixed from this one's and `label`.
    pub fn fork(&self, label: u64) -> Self {
        let block = self.block_with(0x666f_726b, label);
        Self::new(self.seed, u64::from(block[0]) << 32 | u64::from(block[1]))
    }

    fn block_with(&self, salt: u32, index: u64) -> [u32; 4] {
        let key = [self.seed as u32 ^ salt, (self.seed >> 32) as u32];
        let counter = [index as u32, (index >> 32) as u32, self.stream as u32, (self.stream >> 32) as u32];
        philox4x32_10(counter, key)
    }

    /// The four words of block `index`, which serve the draws `4 * index ..`.
    #[inline]
    pub fn block(&self, index: u64) -> [u32; 4] {
        self.block_with(0, index)
    }

    /// 32 random bits.
    #[inline]
    pub fn u32_at(&self, index: u64) -> u32 {
        self.block(index / 4)[(index % 4) as usize]
    }

    /// 64 random bits, from the words `2 * index` and `2 * index + 1`.
    #[inline]
    pub fn u64_at(&self, index: u64) -> u64 {
        let block = self.block(index / 2);
        let half = (index % 2) as usize * 2;
        u64::from(block[half]) << 32 | u64::from(block[half + 1])
    }

    /// Uniform in `[0, 1)` with 53 bits.
    #[inline]
    pub fn uniform_at(&self, index: u64) -> f64 {
        (self.u64_at(index) >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `0..bound` (`bound > 0`), by multiplication; the bias is below `bound / 2^64`.
    #[inline]
    pub fn below_at(&self, index: u64, bound: u64) -> u64 {
        ((u128::from(self.u64_at(index)) * u128::from(bound)) >> 64) as u64
    }

    /// Standard normal by Box and Muller's transform of one block.
    #[inline]
    pub fn normal_at(&self, index: u64) -> f64 {
        let block = self.block(index);
        let first = u64::from(block[0]) << 32 | u64::from(block[1]);
        let second = u64::from(block[2]) << 32 | u64::from(block[3]);
        let scale = 1.0 / (1u64 << 53) as f64;
        // In (0, 1], so that the logarithm is finite.
        let radius = (-2.0 * math::ln(((first >> 11) + 1) as f64 * scale)).sqrt();
        radius * math::cos(std::f64::consts::TAU * ((second >> 11) as f64 * scale))
    }

    /// A random permutation of `0..n` (Fisher and Yates).
    pub fn permutation(&self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below_at(i as u64, i as u64 + 1) as usize);
        }
        order
    }
}
