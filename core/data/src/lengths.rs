//! How long the rows of a dataset are, in tokens.
//!
//! ```
//! let stats = luthier_data::lengths::stats(&[4, 1, 3, 2]).unwrap();
//! assert_eq!((stats.min, stats.max, stats.mean, stats.p50), (1, 4, 2.5, 2.5));
//! ```

use luthier_protocol::response::{LengthBin, LengthStats};

use crate::Example;

/// Bars of a histogram.
const N_BINS: u64 = 20;

/// Mean, extremes and percentiles (linear interpolation between neighbors, as numpy's default);
/// None of nothing.
pub fn stats(lengths: &[u64]) -> Option<LengthStats> {
    let mut sorted = lengths.to_vec();
    sorted.sort_unstable();
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let at = |percent: f64| percentile(&sorted, percent);
    Some(LengthStats {
        n: sorted.len() as u64,
        total: sorted.iter().sum(),
        mean: sorted.iter().sum::<u64>() as f64 / sorted.len() as f64,
        min,
        max,
        p50: at(50.0),
        p75: at(75.0),
        p90: at(90.0),
        p95: at(95.0),
        p99: at(99.0),
    })
}

/// `sorted` is ascending and not empty.
fn percentile(sorted: &[u64], percent: f64) -> f64 {
    let place = percent / 100.0 * (sorted.len() - 1) as f64;
    let (below, share) = (place.floor() as usize, place.fract());
    let above = sorted[(below + 1).min(sorted.len() - 1)] as f64;
    let below = sorted[below] as f64;
    below + (above - below) * share
}

/// Counts of lengths in at most twenty bars of equal width, from the shortest to the longest.
pub fn histogram(lengths: &[u64]) -> Vec<LengthBin> {
    let (Some(min), Some(max)) = (lengths.iter().min(), lengths.iter().max()) else { return Vec::new() };
    let width = (max - min + 1).div_ceil(N_BINS);
    let n_bins = (max - min + 1).div_ceil(width);
    let bin = |index: u64| {
        let (from, to) = (min + index * width, min + (index + 1) * width - 1);
        let n = lengths.iter().filter(|length| (from..=to).contains(*length)).count() as u64;
        LengthBin { from, to, n }
    };
    (0..n_bins).map(bin).collect()
}

/// Tokens of each example, and those that the loss sees.
pub fn of_examples(examples: &[Example]) -> (Vec<u64>, Vec<u64>) {
    examples.iter().map(|example| (example.input_ids.len() as u64, example.n_targets() as u64)).unzip()
}

#[cfg(test)]
mod tests;
