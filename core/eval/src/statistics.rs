//! Means, intervals and tests. Every function depends on the multiset of its inputs alone: rows are
//! sorted before anything is added up or drawn, so their order cannot show in a result.

pub mod bootstrap;
pub mod mcnemar;
mod normal;
pub mod resample;
pub mod wilson;

pub use bootstrap::{N_RESAMPLES, bootstrap_mean};
pub use mcnemar::mcnemar_exact;
pub use resample::{
    bootstrap_difference, bootstrap_quantile, bootstrap_sums, cluster_sums, column_sums, randomization,
};
pub use wilson::wilson;

/// An interval around an estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Arithmetic mean, added up in ascending order; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| mean_of_sorted(&sorted(values)))
}

pub(crate) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Quantile, linear between neighbors (numpy's default); `None` of nothing.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    (!values.is_empty()).then(|| bootstrap::quantile(&sorted(values), q))
}

pub(crate) fn mean_of_sorted(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests;
