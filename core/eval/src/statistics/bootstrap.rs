//! The percentile bootstrap of a mean (Efron 1979).
//!
//! Draw `i` of resample `b` is a function of `(seed, b, i)`: no generator, no state, and the same
//! interval on every machine. A paired interval is that of the row-wise differences.

use super::{Interval, mean_of_sorted, sorted};

/// Resamples per interval.
pub const N_RESAMPLES: usize = 1000;

/// Percentile interval of the mean at level `confidence`; `None` of nothing.
pub fn bootstrap_mean(values: &[f64], confidence: f64, seed: u64) -> Option<Interval> {
    if values.is_empty() {
        return None;
    }
    let values = sorted(values);
    let means: Vec<f64> = (0..N_RESAMPLES as u64).map(|resample| resampled_mean(&values, seed, resample)).collect();
    let means = sorted(&means);
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval { low: quantile(&means, tail), high: quantile(&means, 1.0 - tail) })
}

fn resampled_mean(values: &[f64], seed: u64, resample: u64) -> f64 {
    let n = values.len() as u64;
    // Counting how often each value is drawn, and adding up in ascending order, keeps the sum free
    // of the order of draws.
    let mut n_drawn = vec![0u32; values.len()];
    for draw in 0..n {
        n_drawn[below(random(seed, resample, draw), n)] += 1;
    }
    let sum: f64 = values.iter().zip(n_drawn).map(|(value, times)| value * f64::from(times)).sum();
    sum / n as f64
}

/// 64 random bits for a counter: SplitMix64's output function (Steele, Lea & Flood 2014), once per
/// part of the counter.
pub(crate) fn random(seed: u64, resample: u64, draw: u64) -> u64 {
    mix(mix(mix(seed).wrapping_add(resample)).wrapping_add(draw))
}

fn mix(counter: u64) -> u64 {
    let z = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The upper half of a product: uniform below `n`, but for a bias of at most `n / 2⁶⁴`.
pub(crate) fn below(random: u64, n: u64) -> usize {
    ((u128::from(random) * u128::from(n)) >> 64) as usize
}

/// Quantile of ascending values, linear between neighbours (numpy's default).
pub(crate) fn quantile(ascending: &[f64], p: f64) -> f64 {
    let position = p.clamp(0.0, 1.0) * (ascending.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(ascending.len() - 1);
    ascending[below] + (ascending[above] - ascending[below]) * (position - below as f64)
}

/// Mean of `a − b` by row, and its paired interval; `None` of nothing.
pub fn paired_difference(differences: &[f64], confidence: f64, seed: u64) -> Option<(f64, Interval)> {
    let interval = bootstrap_mean(differences, confidence, seed)?;
    Some((mean_of_sorted(&sorted(differences)), interval))
}
