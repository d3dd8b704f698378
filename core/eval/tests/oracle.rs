//! Intervals and tests against SciPy (tests/oracles/statistics.py).

use luthier_eval::statistics::{bootstrap_mean, mcnemar_exact, mean, wilson};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    wilson: Vec<Wilson>,
    mcnemar: Vec<McNemar>,
    bootstrap: Vec<Bootstrap>,
}

#[derive(Deserialize)]
struct Wilson {
    n_successes: u64,
    n: u64,
    confidence: f64,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct McNemar {
    wins: u64,
    losses: u64,
    p_value: f64,
}

#[derive(Deserialize)]
struct Bootstrap {
    name: String,
    values: Vec<f64>,
    seed: u64,
    mean: f64,
    low: f64,
    high: f64,
    /// SciPy's own bootstrap, from other random numbers.
    reference_low: Option<f64>,
    reference_high: Option<f64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/statistics.json")).expect("the committed fixture parses")
}

#[track_caller]
fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, expected {expected}");
}

#[test]
fn wilson_intervals_are_those_of_scipy() {
    let cases = fixture().wilson;
    assert!(cases.len() >= 30);
    for case in cases {
        let found = wilson(case.n_successes, case.n, case.confidence).unwrap();
        let what = format!("{} of {} at {}", case.n_successes, case.n, case.confidence);
        assert_close(found.low, case.low, 1e-12, &what);
        assert_close(found.high, case.high, 1e-12, &what);
    }
}

#[test]
fn p_values_are_those_of_scipy() {
    for case in fixture().mcnemar {
        let found = mcnemar_exact(case.wins, case.losses);
        let what = format!("{} wins, {} losses", case.wins, case.losses);
        assert_close(found, case.p_value, 1e-9 * case.p_value, &what);
    }
}

#[test]
fn bootstrap_intervals_are_those_of_numpy_on_the_same_draws_and_near_scipy_on_others() {
    for case in fixture().bootstrap {
        let what = format!("{}, seed {}", case.name, case.seed);
        assert_close(mean(&case.values).unwrap(), case.mean, 1e-12, &what);
        let found = bootstrap_mean(&case.values, 0.95, case.seed).unwrap();
        assert_close(found.low, case.low, 1e-12, &what);
        assert_close(found.high, case.high, 1e-12, &what);
        if let (Some(low), Some(high)) = (case.reference_low, case.reference_high) {
            // 1000 resamples place an end to about a twentieth of the interval's width.
            let tolerance = 0.08 * (high - low);
            assert_close(found.low, low, tolerance, &what);
            assert_close(found.high, high, tolerance, &what);
        }
    }
}
