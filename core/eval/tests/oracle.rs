//! Intervals and tests against SciPy (tests/oracles/statistics.py).

use std::convert::Infallible;

use luthier_eval::statistics::{
    bootstrap_difference, bootstrap_mean, bootstrap_sums, cluster_sums, mcnemar_exact, mean, randomization, wilson,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    wilson: Vec<Wilson>,
    mcnemar: Vec<McNemar>,
    bootstrap: Vec<Bootstrap>,
    clusters: Vec<Clusters>,
}

#[derive(Deserialize)]
struct Clusters {
    name: String,
    model: Vec<f64>,
    against: Vec<f64>,
    under: Vec<f64>,
    low: f64,
    high: f64,
    difference_low: f64,
    difference_high: f64,
    p_value: f64,
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

#[test]
fn ratios_over_clusters_are_near_those_of_scipy() {
    let mut ratio =
        |sums: &[Vec<f64>]| -> Result<Vec<f64>, Infallible> { Ok(sums.iter().map(|sums| sums[0] / sums[1]).collect()) };
    let cases = fixture().clusters;
    assert_eq!(cases.len(), 3);
    for case in cases {
        let rows = case.model.iter().zip(&case.under).enumerate();
        // Each cluster as two rows.
        let rows = rows.flat_map(|(cluster, (over, under))| vec![(cluster, vec![over / 2.0, under / 2.0]); 2]);
        let found = bootstrap_sums(&cluster_sums(&rows.collect::<Vec<_>>()), 0.95, 3, &mut ratio).unwrap().unwrap();
        let tolerance = 0.08 * (case.high - case.low);
        assert_close(found.low, case.low, tolerance, &case.name);
        assert_close(found.high, case.high, tolerance, &case.name);

        let paired = case.model.iter().zip(&case.against).zip(&case.under);
        let paired: Vec<_> = paired
            .enumerate()
            .map(|(cluster, ((model, against), under))| (cluster, vec![*model, *under, *against, *under]))
            .collect();
        let paired = cluster_sums(&paired);
        let found = bootstrap_difference(&paired, 0.95, 3, &mut ratio).unwrap().unwrap();
        let tolerance = 0.08 * (case.difference_high - case.difference_low);
        assert_close(found.low, case.difference_low, tolerance, &case.name);
        assert_close(found.high, case.difference_high, tolerance, &case.name);

        let found = randomization(&paired, 3, &mut ratio).unwrap();
        // Four standard errors of both Monte Carlo estimates together.
        let tolerance = 4.0 * (case.p_value * (1.0 - case.p_value) * (1.0 / 10_000.0 + 1.0 / 20_000.0)).sqrt() + 2e-4;
        assert_close(found, case.p_value, tolerance, &case.name);
    }
}
