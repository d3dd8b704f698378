//! Intervals and tests of whatever is computed from sums: means over clusters, ratios, corpus-level
//! scores such as BLEU.
//!
//! Rows that depend on each other (samples of one prompt, questions about one document) form a
//! cluster, and clusters are drawn whole; a row that depends on no other is a cluster of its own.
//! What is drawn is a function of `(seed, resample, position)`, and clusters stand in an order that
//! their numbers decide: neither the order of rows nor the machine shows in a result.
//!
//! ```text
//! bootstrap       θ*_b = f(Σ c_bi · s_i),  c_b = counts of n draws with replacement   (Efron 1979)
//! randomization   Δ*_b with the arms of each cluster swapped by a fair coin          (Noreen 1989)
//! ```

use super::bootstrap::{N_RESAMPLES, below, quantile, random};
use super::{Interval, sorted};

/// Swaps per randomization test; the smallest p-value is one over this plus one.
pub const N_SWAPS: usize = 10_000;
/// Keeps the swaps' random numbers apart from the bootstrap's ("swap" in ASCII).
const SWAP_STREAM: u64 = 0x7377_6170;
/// Vectors given to a statistic at a time: bounds memory, and the size of one call of a plugin.
const CHUNK: usize = 1000;

/// The statistic of each vector of sums.
pub type Statistic<'a, E> = dyn FnMut(&[Vec<f64>]) -> Result<Vec<f64>, E> + 'a;

/// The sums of each cluster, in an order of their own; `rows` are cluster and numbers. Sums are
/// taken in ascending order.
pub fn cluster_sums(rows: &[(usize, Vec<f64>)]) -> Vec<Vec<f64>> {
    let mut clusters: std::collections::BTreeMap<usize, Vec<&[f64]>> = std::collections::BTreeMap::new();
    for (cluster, values) in rows {
        clusters.entry(*cluster).or_default().push(values);
    }
    let mut sums: Vec<Vec<f64>> = clusters.values().map(|rows| column_sums(rows)).collect();
    sums.sort_by(|a, b| lexicographic(a, b));
    sums
}

/// The sum of each column, added up in ascending order.
pub fn column_sums(rows: &[&[f64]]) -> Vec<f64> {
    let n_columns = rows.first().map_or(0, |row| row.len());
    let column = |index: usize| rows.iter().map(|row| row[index]).collect::<Vec<_>>();
    (0..n_columns).map(|index| sorted(&column(index)).iter().sum()).collect()
}

/// Percentile interval of `statistic` over resampled clusters. `None` of nothing, and where the
/// statistic of a resample is not finite.
///
/// # Errors
/// Those of `statistic`.
pub fn bootstrap_sums<E>(
    clusters: &[Vec<f64>],
    confidence: f64,
    seed: u64,
    statistic: &mut Statistic<'_, E>,
) -> Result<Option<Interval>, E> {
    if clusters.is_empty() {
        return Ok(None);
    }
    let resamples = (0..N_RESAMPLES as u64).map(|resample| resampled(clusters, seed, resample));
    let estimates = in_chunks(resamples, statistic)?;
    Ok(percentiles(&estimates, confidence))
}

/// Percentile interval of the `q`-quantile of rows in resampled clusters, or, of rows with two
/// numbers, of the difference of the two quantiles. `None` of nothing.
pub fn bootstrap_quantile(rows: &[(usize, Vec<f64>)], q: f64, confidence: f64, seed: u64) -> Option<Interval> {
    let mut by_cluster: std::collections::BTreeMap<usize, Vec<&[f64]>> = std::collections::BTreeMap::new();
    for (cluster, values) in rows {
        by_cluster.entry(*cluster).or_default().push(values);
    }
    let mut clusters: Vec<Vec<&[f64]>> = by_cluster.into_values().collect();
    for cluster in &mut clusters {
        cluster.sort_by(|a, b| lexicographic(a, b));
    }
    clusters.sort_by(|a, b| lexicographic(&a.concat(), &b.concat()));
    let width = clusters.first()?.first()?.len();
    let estimate = |resample| {
        let drawn = counts(clusters.len(), seed, resample);
        let column = |index: usize| -> f64 {
            let repeated = clusters.iter().zip(&drawn);
            let values: Vec<f64> = repeated
                .flat_map(|(rows, times)| (0..*times).flat_map(|_| rows.iter().map(|row| row[index])))
                .collect();
            quantile(&sorted(&values), q)
        };
        if width > 1 { column(0) - column(1) } else { column(0) }
    };
    let estimates: Vec<f64> = (0..N_RESAMPLES as u64).map(estimate).collect();
    percentiles(&estimates, confidence)
}

fn lexicographic(a: &[f64], b: &[f64]) -> std::cmp::Ordering {
    let unequal = a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
    unequal.unwrap_or_else(|| a.len().cmp(&b.len()))
}

/// Two-sided p-value of the difference of two arms' statistics: how often swapping the arms of
/// clusters at random makes it at least as large. Each cluster has the sums of the one arm followed
/// by as many of the other.
///
/// # Errors
/// Those of `statistic`.
pub fn randomization<E>(clusters: &[Vec<f64>], seed: u64, statistic: &mut Statistic<'_, E>) -> Result<f64, E> {
    let width = clusters.first().map_or(0, Vec::len) / 2;
    let observed = difference(&sum_swapped(clusters, width, |_| false), width, statistic)?;
    let key = seed ^ SWAP_STREAM;
    let mut n_as_large = 0usize;
    for start in (0..N_SWAPS).step_by(CHUNK) {
        let swaps = (start..(start + CHUNK).min(N_SWAPS))
            .map(|swap| sum_swapped(clusters, width, |index| random(key, swap as u64, index as u64) >> 63 == 1));
        let (model, against): (Vec<_>, Vec<_>) =
            swaps.map(|sums| (sums[..width].to_vec(), sums[width..].to_vec())).unzip();
        let (model, against) = (statistic(&model)?, statistic(&against)?);
        // Equal but for rounding counts as equal: a swap of clusters that do not differ changes nothing.
        let tolerance = 1e-12 * observed.abs().max(f64::MIN_POSITIVE);
        n_as_large += model
            .iter()
            .zip(&against)
            .filter(|(model, against)| (**model - **against).abs() >= observed.abs() - tolerance)
            .count();
    }
    Ok((n_as_large + 1) as f64 / (N_SWAPS + 1) as f64)
}

/// Interval of the difference of two arms' statistics on the same resampled clusters; clusters as
/// in [`randomization`].
///
/// # Errors
/// Those of `statistic`.
pub fn bootstrap_difference<E>(
    clusters: &[Vec<f64>],
    confidence: f64,
    seed: u64,
    statistic: &mut Statistic<'_, E>,
) -> Result<Option<Interval>, E> {
    let width = clusters.first().map_or(0, Vec::len) / 2;
    let mut differences = |sums: &[Vec<f64>]| -> Result<Vec<f64>, E> {
        let half = |range: std::ops::Range<usize>| sums.iter().map(|sums| sums[range.clone()].to_vec()).collect();
        let (model, against): (Vec<_>, Vec<_>) = (half(0..width), half(width..2 * width));
        let (model, against) = (statistic(&model)?, statistic(&against)?);
        Ok(model.iter().zip(&against).map(|(model, against)| model - against).collect())
    };
    bootstrap_sums(clusters, confidence, seed, &mut differences)
}

/// The difference of the two halves of `sums`.
fn difference<E>(sums: &[f64], width: usize, statistic: &mut Statistic<'_, E>) -> Result<f64, E> {
    let both = statistic(&[sums[..width].to_vec(), sums[width..].to_vec()])?;
    Ok(both[0] - both[1])
}

fn sum_swapped(clusters: &[Vec<f64>], width: usize, swapped: impl Fn(usize) -> bool) -> Vec<f64> {
    let mut sums = vec![0.0; 2 * width];
    for (index, cluster) in clusters.iter().enumerate() {
        let (first, second) = if swapped(index) { (width, 0) } else { (0, width) };
        for column in 0..width {
            sums[column] += cluster[first + column];
            sums[width + column] += cluster[second + column];
        }
    }
    sums
}

fn resampled(clusters: &[Vec<f64>], seed: u64, resample: u64) -> Vec<f64> {
    let mut sums = vec![0.0; clusters[0].len()];
    for (cluster, times) in clusters.iter().zip(counts(clusters.len(), seed, resample)) {
        for (sum, value) in sums.iter_mut().zip(cluster) {
            *sum += value * f64::from(times);
        }
    }
    sums
}

/// How often each of `n` is drawn in `n` draws.
fn counts(n: usize, seed: u64, resample: u64) -> Vec<u32> {
    let mut counts = vec![0; n];
    for draw in 0..n as u64 {
        counts[below(random(seed, resample, draw), n as u64)] += 1;
    }
    counts
}

fn in_chunks<E>(vectors: impl Iterator<Item = Vec<f64>>, statistic: &mut Statistic<'_, E>) -> Result<Vec<f64>, E> {
    let vectors: Vec<Vec<f64>> = vectors.collect();
    let mut values = Vec::with_capacity(vectors.len());
    for chunk in vectors.chunks(CHUNK) {
        values.extend(statistic(chunk)?);
    }
    Ok(values)
}

fn percentiles(estimates: &[f64], confidence: f64) -> Option<Interval> {
    if !estimates.iter().all(|estimate| estimate.is_finite()) {
        return None;
    }
    let ascending = sorted(estimates);
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval { low: quantile(&ascending, tail), high: quantile(&ascending, 1.0 - tail) })
}
