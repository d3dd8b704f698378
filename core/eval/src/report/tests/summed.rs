//! Ratios, quantiles, corpus-level scores and clusters.

use super::*;
use crate::metric::Aggregation;
use crate::testing::descriptor;

/// One arm per list of rows, all in one part.
fn report_of(aggregation: Aggregation, clusters: &[&str], arms: &[Vec<RowScore>]) -> Report {
    let n = arms[0].len();
    let mut questions = questions(n);
    questions.parts.fill("all".into());
    questions.clusters = clusters.iter().map(|&cluster| cluster.to_owned()).collect();
    let arms: Vec<ScoredArm> = arms
        .iter()
        .enumerate()
        .map(|(index, scores)| ScoredArm {
            label: format!("arm {index}"),
            signature: Signature::default(),
            predictions: (0..n).map(|_| crate::testing::answer("x")).collect(),
            scores: vec![scores.clone()],
        })
        .collect();
    // The geometric mean of two sums.
    let mut reduce = |_: usize, sums: &[Vec<f64>]| Ok(sums.iter().map(|sums| (sums[0] * sums[1]).sqrt()).collect());
    report(&questions, &[descriptor("m", &[], aggregation)], &arms, &options(), &mut reduce).unwrap()
}

fn sums(rows: &[[f64; 2]]) -> Vec<RowScore> {
    rows.iter().map(|row| RowScore::Sums(row.to_vec())).collect()
}

#[test]
fn a_ratio_is_of_sums_and_not_a_mean_of_ratios() {
    let report = report_of(Aggregation::Ratio, &[], &[sums(&[[1.0, 2.0], [3.0, 3.0], [0.0, 5.0]])]);
    let row = &report.rows[0];
    assert_eq!((row.mean, row.aggregation.as_str(), row.interval.as_str()), (Some(0.4), "ratio", "bootstrap(1000)"));
    assert!(row.low.unwrap() < 0.4 && row.high.unwrap() > 0.4);
}

#[test]
fn a_corpus_score_is_reduced_from_sums_and_compared_on_the_same_resamples() {
    let first: Vec<[f64; 2]> = (0..40).map(|i| [f64::from(i % 3), 4.0]).collect();
    let second: Vec<[f64; 2]> = (0..40).map(|i| [f64::from(i % 3) + 1.0, 4.0]).collect();
    let report = report_of(Aggregation::Sufficient(2), &[], &[sums(&first), sums(&second)]);
    let value = |rows: &[[f64; 2]]| {
        (rows.iter().map(|row| row[0]).sum::<f64>() * rows.iter().map(|row| row[1]).sum::<f64>()).sqrt()
    };
    assert_eq!((report.rows[0].mean, report.rows[1].mean), (Some(value(&first)), Some(value(&second))));
    let pair = &report.comparisons[0];
    assert!((pair.difference - (value(&second) - value(&first))).abs() < 1e-9);
    assert!(pair.low > 0.0 && pair.p_value.unwrap() < 0.001, "{pair:?}");
    assert_eq!((pair.test.as_str(), pair.wins, pair.losses), ("randomization(10000)", 40, 0));
}

#[test]
fn equal_arms_are_not_told_apart() {
    let rows: Vec<[f64; 2]> = (0..20).map(|i| [f64::from(i), 2.0]).collect();
    let pair = report_of(Aggregation::Ratio, &[], &[sums(&rows), sums(&rows)]).comparisons.remove(0);
    assert_eq!((pair.difference, pair.low, pair.high, pair.p_value), (0.0, 0.0, 0.0, Some(1.0)));
}

#[test]
fn a_quantile_has_an_interval_and_no_test() {
    let scores = |shift: f64| (0..30).map(|i| RowScore::Score(f64::from(i) + shift)).collect::<Vec<_>>();
    let report = report_of(Aggregation::Quantile(0.5), &[], &[scores(0.0), scores(2.0)]);
    assert_eq!((report.rows[0].mean, report.rows[0].aggregation.as_str()), (Some(14.5), "quantile(0.5)"));
    let pair = &report.comparisons[0];
    assert_eq!((pair.difference, pair.low, pair.high, pair.p_value), (2.0, 2.0, 2.0, None));
}

#[test]
fn clusters_widen_the_interval_of_repeated_rows() {
    // Ten answers, each four times: forty rows know no more than ten.
    let scores: Vec<RowScore> = (0..40).map(|i| RowScore::Score(f64::from(i / 4 % 2))).collect();
    let names: Vec<String> = (0..40).map(|i| (i / 4).to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let alone = report_of(Aggregation::Proportion, &[], &[scores.clone(), scores.clone()]);
    let clustered = report_of(Aggregation::Proportion, &names, &[scores.clone(), scores]);
    let width = |report: &Report| report.rows[0].high.unwrap() - report.rows[0].low.unwrap();
    assert!(width(&clustered) > 1.5 * width(&alone), "{} and {}", width(&clustered), width(&alone));
    assert_eq!(alone.rows[0].interval, "wilson");
    assert_eq!(clustered.rows[0].interval, "bootstrap(1000, clustered)");
    assert_eq!(
        (alone.comparisons[0].test.as_str(), clustered.comparisons[0].test.as_str()),
        ("mcnemar", "randomization(10000)")
    );
}

#[test]
fn what_comes_to_no_number_has_none() {
    let report = report_of(Aggregation::Ratio, &[], &[sums(&[[0.0, 0.0]; 3])]);
    assert_eq!((report.rows[0].mean, report.rows[0].low, report.rows[0].coverage), (None, None, 1.0));
}
