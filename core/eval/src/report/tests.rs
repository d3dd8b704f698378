use proptest::prelude::*;

use super::*;
use crate::statistics::{mcnemar_exact, wilson};
use crate::testing::{ByRow, arm, equal, questions};

fn options() -> ReportOptions {
    ReportOptions { evaluation: "e".into(), confidence: 0.95, seed: 1, examples_per_part: 2 }
}

fn no_sums(_: usize, _: &[Vec<f64>]) -> Result<Vec<f64>> {
    unreachable!("scores are not reduced")
}

/// Three arms on 60 questions: never right, right on even rows, always right.
fn arms(questions: &Questions, metric: &mut ByRow) -> Vec<ScoredArm> {
    vec![
        arm("base", questions, metric, |_| "wrong".into()),
        arm("half", questions, metric, |i| if i % 2 == 0 { (i % 7).to_string() } else { "wrong".into() }),
        arm("full", questions, metric, |i| (i % 7).to_string()),
    ]
}

fn full_report() -> Report {
    let (questions, mut metric) = (questions(60), equal());
    let arms = arms(&questions, &mut metric);
    report(&questions, &[metric.descriptor], &arms, &options(), &mut no_sums).unwrap()
}

#[test]
fn there_is_a_row_per_metric_part_and_arm() {
    let report = full_report();
    let found: Vec<(&str, &str, Option<f64>, u64)> =
        report.rows.iter().map(|row| (row.part.as_str(), row.model.as_str(), row.mean, row.n)).collect();
    let expected = [
        ("unseen", "base", Some(0.0), 20),
        ("unseen", "half", Some(0.5), 20),
        ("unseen", "full", Some(1.0), 20),
        ("seen", "base", Some(0.0), 40),
        ("seen", "half", Some(0.5), 40),
        ("seen", "full", Some(1.0), 40),
    ];
    assert_eq!(found, expected);
    let row = &report.rows[1];
    let interval = wilson(10, 20, 0.95).unwrap();
    assert_eq!((row.low, row.high), (Some(interval.low), Some(interval.high)));
    assert_eq!((row.interval.as_str(), row.coverage), ("wilson", 1.0));
}

#[test]
fn every_pair_is_compared_the_first_arm_before_all() {
    let comparisons = full_report().comparisons;
    let names: Vec<(&str, &str)> =
        comparisons[..3].iter().map(|pair| (pair.model.as_str(), pair.against.as_str())).collect();
    assert_eq!(names, [("half", "base"), ("full", "base"), ("full", "half")]);
    let last = &comparisons[2];
    assert_eq!((last.difference, last.n, last.wins, last.losses), (0.5, 20, 10, 0));
    assert_eq!(last.p_value, Some(mcnemar_exact(10, 0)));
    assert!(last.low > 0.0 && last.high < 1.0);
}

#[test]
fn an_error_lowers_coverage_and_not_the_mean() {
    let (mut questions, mut metric) = (questions(60), equal());
    questions.references[0] = "gold-error".into();
    questions.references[3] = "gold-error".into();
    let arms = arms(&questions, &mut metric);
    let report = report(&questions, &[metric.descriptor], &arms, &options(), &mut no_sums).unwrap();
    let row = &report.rows[2];
    assert_eq!((row.mean, row.n, row.coverage), (Some(1.0), 20, 0.9));
    assert_eq!(row.errors, std::collections::BTreeMap::from([("gold-error".to_owned(), 2)]));
    // Comparisons are over the rows that both have.
    assert_eq!(report.comparisons[0].n, 18);
}

#[test]
fn an_arm_without_a_single_score_has_no_mean_and_no_comparison() {
    let (questions, mut metric) = (questions(6), equal());
    let mut arms = arms(&questions, &mut metric);
    arms[1].scores[0].fill(RowScore::Error("too-long".into()));
    let report = report(&questions, &[metric.descriptor], &arms, &options(), &mut no_sums).unwrap();
    let row = report.rows.iter().find(|row| row.model == "half").unwrap();
    assert_eq!((row.mean, row.low, row.high, row.coverage), (None, None, None, 0.0));
    assert!(report.comparisons.iter().all(|pair| pair.model == "full" && pair.against == "base"));
}

#[test]
fn lower_can_be_better_and_means_are_bootstrapped() {
    let (questions, mut metric) = (questions(60), equal());
    metric.descriptor.higher_is_better = false;
    metric.descriptor.aggregation = Aggregation::Mean;
    metric.descriptor.bounds = (Some(0.0), None);
    let arms = arms(&questions, &mut metric);
    let report = report(&questions, &[metric.descriptor], &arms, &options(), &mut no_sums).unwrap();
    assert_eq!(report.rows[0].interval, "bootstrap(1000)");
    let pair = &report.comparisons[1];
    assert_eq!((pair.difference, pair.wins, pair.losses), (1.0, 0, 20));
}

#[test]
fn scores_between_zero_and_one_are_compared_by_randomization() {
    let (questions, mut metric) = (questions(6), equal());
    metric.descriptor.aggregation = Aggregation::Mean;
    let mut arms = arms(&questions, &mut metric);
    arms[0].scores[0][0] = RowScore::Score(0.5);
    let report = report(&questions, &[metric.descriptor], &arms, &options(), &mut no_sums).unwrap();
    let tests: Vec<&str> = report.comparisons.iter().map(|pair| pair.test.as_str()).collect();
    assert!(tests.contains(&"randomization(10000)") && tests.contains(&"mcnemar"), "{tests:?}");
    assert!(report.comparisons.iter().all(|pair| pair.p_value.is_some_and(|p| p > 0.0 && p <= 1.0)));
}

#[test]
fn examples_are_rows_on_which_arms_disagree() {
    let report = full_report();
    let prompts: Vec<&str> = report.examples.iter().map(|example| example.prompt.as_str()).collect();
    assert_eq!(prompts, ["question 0", "question 3", "question 1", "question 2"]);
    let answers = &report.examples[1].answers;
    assert_eq!(answers[1], ("half".into(), "wrong".into(), Some(0.0)));
    assert_eq!(answers[2], ("full".into(), "3".into(), Some(1.0)));
}

#[test]
fn examples_of_a_single_arm_are_its_mistakes() {
    let (questions, mut metric) = (questions(60), equal());
    let half = arms(&questions, &mut metric).remove(1);
    let report = report(&questions, &[metric.descriptor], &[half], &options(), &mut no_sums).unwrap();
    assert!(report.comparisons.is_empty());
    assert!(report.examples.iter().all(|example| example.answers[0].2 == Some(0.0)));
    assert_eq!(report.examples.len(), 4);
}

#[test]
fn lists_that_do_not_fit_are_refused() {
    let (questions, mut metric) = (questions(6), equal());
    let mut arms = arms(&questions, &mut metric);
    arms[2].scores[0].pop();
    let error = report(&questions, &[metric.descriptor], &arms, &options(), &mut no_sums).unwrap_err();
    assert_eq!(error.to_string(), "scores of full has 5 rows, expected 6");
}

/// `items` in the order of `order`.
fn shuffled<T: Clone>(items: &[T], order: &[usize]) -> Vec<T> {
    order.iter().map(|&index| items[index].clone()).collect()
}

proptest! {
    // A report of three arms draws tens of thousands of resamples.
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn the_order_of_rows_changes_no_number(order in Just((0..60).collect::<Vec<usize>>()).prop_shuffle()) {
        let (questions, mut metric) = (questions(60), equal());
        metric.descriptor.aggregation = Aggregation::Mean;
        let mut arms = arms(&questions, &mut metric);
        for (index, score) in arms[1].scores[0].iter_mut().enumerate() {
            *score = RowScore::Score((index as f64 / 60.0).sqrt());
        }
        let moved_questions = Questions {
            parts: shuffled(&questions.parts, &order),
            prompts: shuffled(&questions.prompts, &order),
            references: shuffled(&questions.references, &order),
            columns: questions.columns.clone(),
            ..Questions::default()
        };
        let moved_arms: Vec<ScoredArm> = arms
            .iter()
            .map(|arm| ScoredArm {
                predictions: shuffled(&arm.predictions, &order),
                scores: vec![shuffled(&arm.scores[0], &order)],
                ..arm.clone()
            })
            .collect();
        let metrics = [metric.descriptor];
        let mut expected = report(&questions, &metrics, &arms, &options(), &mut no_sums).unwrap();
        let mut found = report(&moved_questions, &metrics, &moved_arms, &options(), &mut no_sums).unwrap();
        // Parts are listed in the order in which they appear; the numbers are the same.
        for report in [&mut expected, &mut found] {
            report.rows.sort_by(|a, b| (&a.part, &a.model).cmp(&(&b.part, &b.model)));
            report.comparisons.sort_by(|a, b| (&a.part, &a.model, &a.against).cmp(&(&b.part, &b.model, &b.against)));
        }
        prop_assert_eq!(found.rows, expected.rows);
        prop_assert_eq!(found.comparisons, expected.comparisons);
    }
}

mod summed;

#[test]
fn a_mean_of_zeros_and_ones_has_the_interval_of_a_share() {
    let (questions, mut metric) = (questions(60), equal());
    let arms = arms(&questions, &mut metric);
    metric.descriptor.aggregation = Aggregation::Mean;
    let found = report(&questions, &[metric.descriptor.clone()], &arms, &options(), &mut no_sums).unwrap();
    let row = &found.rows[3];
    let interval = wilson(0, 40, 0.95).unwrap();
    assert_eq!((row.low, row.high, row.interval.as_str()), (Some(0.0), Some(interval.high), "wilson"));
    assert!(interval.high > 0.05, "forty failures are no certainty");
    // A score without an upper bound is no share, whatever its values are.
    metric.descriptor.bounds = (Some(0.0), None);
    let found = report(&questions, &[metric.descriptor], &arms, &options(), &mut no_sums).unwrap();
    assert_eq!(found.rows[3].interval, "bootstrap(1000)");
}
