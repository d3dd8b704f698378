//! McNemar's exact test: do two arms that disagree on `n` rows disagree evenly?

/// Two-sided p-value of `wins` against `losses` under a fair coin: `min(1, 2·P(X ≤ min))` with
/// `X ~ Binomial(wins + losses, ½)`. Rows on which both agree say nothing; without any other, 1.
pub fn mcnemar_exact(wins: u64, losses: u64) -> f64 {
    let n = wins + losses;
    let smaller = wins.min(losses);
    // ln C(n, i), from i = 0 upwards; a product would overflow beyond a thousand rows.
    let mut ln_choose = 0.0;
    let ln_all = n as f64 * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for i in 0..=smaller {
        tail += f64::exp(ln_choose - ln_all);
        ln_choose += ((n - i) as f64).ln() - ((i + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}
