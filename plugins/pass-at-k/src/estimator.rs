//! The unbiased estimator of pass@k.

/// `1 − C(n − c, k) / C(n, k)` as the product `1 − Π (1 − k / i)` over i = n − c + 1 … n, which neither
/// overflows nor cancels.
pub(crate) fn pass_at_k(n: u64, n_passed: u64, k: u64) -> f64 {
    let n_failed = n - n_passed;
    if n_failed < k {
        return 1.0;
    }
    1.0 - (n_failed + 1..=n).map(|i| 1.0 - k as f64 / i as f64).product::<f64>()
}
