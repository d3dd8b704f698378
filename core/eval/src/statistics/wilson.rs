//! Wilson's score interval for a proportion (Wilson 1927): right also near 0 and 1, and for few
//! rows, where the textbook interval is not.

use super::{Interval, normal};

/// The interval for `n_successes` of `n`, at level `confidence`; `None` for `n = 0`.
pub fn wilson(n_successes: u64, n: u64, confidence: f64) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let z = normal::quantile(0.5 + confidence / 2.0);
    let (n, p) = (n as f64, n_successes as f64 / n as f64);
    let denominator = 1.0 + z * z / n;
    let center = (p + z * z / (2.0 * n)) / denominator;
    let half = z / denominator * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    // Exact at the ends: nothing below 0 or above 1 by a rounding.
    let low = if n_successes == 0 { 0.0 } else { (center - half).max(0.0) };
    let high = if p == 1.0 { 1.0 } else { (center + half).min(1.0) };
    Some(Interval { low, high })
}
