use std::sync::Arc;

use super::*;
use crate::metric::{InputType, MetricInput};
use crate::testing::{ByRow, answer, descriptor, equal, questions};

fn with_score(aggregation: Aggregation, judge: fn(&[&str]) -> RowScore) -> ByRow {
    ByRow { descriptor: descriptor("fixed", &["prediction"], aggregation), judge, n_calls: 0, n_missing: 0 }
}

/// Score one row whose prediction is `text`.
fn score_of(metric: &mut ByRow, text: &str) -> RowScore {
    score(metric, &questions(1), &[answer(text)], 8).unwrap().remove(0).remove(0)
}

#[test]
fn a_metric_sees_exactly_the_columns_it_asked_for() {
    let mut metric = ByRow {
        descriptor: descriptor("columns", &["database", "completion", "prompt"], Aggregation::Mean),
        judge: |row| RowScore::Error(row.join("|")),
        n_calls: 0,
        n_missing: 0,
    };
    let scores = score(&mut metric, &questions(2), &[answer("a"), answer("b")], 8).unwrap().remove(0);
    let expected = ["db0|a|question 0", "db1|b|question 1"].map(|reason| RowScore::Error(reason.into()));
    assert_eq!(scores, expected);
}

#[test]
fn an_unknown_input_is_refused_with_the_nearest_name() {
    let mut metric = with_score(Aggregation::Mean, |_| RowScore::Score(1.0));
    metric.descriptor.inputs.push(MetricInput::text("data_base"));
    let error = score(&mut metric, &questions(1), &[answer("a")], 8).unwrap_err();
    assert_eq!(
        error.to_string(),
        "metric fixed reads column \"data_base\", which the data does not have (it has prompt, prediction, \
         reference, completion, sample, loglikelihood, n-tokens, n-bytes, choice-loglikelihoods, database); did you mean \"database\"?"
    );
    assert_eq!(metric.n_calls, 0);
}

#[test]
fn a_number_that_is_none_is_an_error_of_its_row() {
    let mut metric = with_score(Aggregation::Mean, |row| RowScore::Score(row[0].parse().unwrap()));
    assert_eq!(score_of(&mut metric, "0.25"), RowScore::Score(0.25));
    for text in ["NaN", "inf", "-inf"] {
        assert_eq!(score_of(&mut metric, text), RowScore::Error("not-finite".into()));
    }
    for text in ["1.5", "-0.1"] {
        assert_eq!(score_of(&mut metric, text), RowScore::Error("out-of-bounds".into()));
    }
    metric.descriptor.aggregation = Aggregation::Proportion;
    assert_eq!(score_of(&mut metric, "0.25"), RowScore::Error("not-0-or-1".into()));
    assert_eq!(score_of(&mut metric, "1.0"), RowScore::Score(1.0));
}

#[test]
fn too_few_scores_stop_the_evaluation() {
    let mut metric = ByRow { n_missing: 1, ..equal() };
    let error = score(&mut metric, &questions(3), &[answer("a"), answer("b"), answer("c")], 8).unwrap_err();
    assert!(matches!(error, Error::WrongNumberOfScores { expected: 3, found: 2, .. }), "{error}");
}

#[test]
fn predictions_must_be_as_many_as_questions() {
    let error = score(&mut equal(), &questions(3), &[answer("a")], 8).unwrap_err();
    assert!(matches!(error, Error::Length { expected: 3, found: 1, .. }), "{error}");
}

#[test]
fn failed_rows_keep_their_reason_and_are_not_shown_to_the_metric() {
    let mut metric = with_score(Aggregation::Mean, |row| match row[0] {
        "" => panic!("an unanswered row reached the metric"),
        _ => RowScore::Score(1.0),
    });
    let predictions = [answer("a"), Prediction::failed("too-long"), answer("b")];
    let scores = score(&mut metric, &questions(3), &predictions, 8).unwrap().remove(0);
    assert_eq!(scores[1], RowScore::Error("too-long".into()));
    assert_eq!((&scores[0], &scores[2]), (&RowScore::Score(1.0), &RowScore::Score(1.0)));
}

#[test]
fn a_completion_without_an_answer_is_judged_as_an_empty_answer() {
    let missing = Prediction::extracted("I do not know".into(), luthier_data::Answer::Missing("no SQL".into()));
    assert_eq!(score(&mut equal(), &questions(1), &[missing], 8).unwrap(), [vec![RowScore::Score(0.0)]]);
}

#[test]
fn reasons_are_short_and_on_one_line() {
    let mut metric = with_score(Aggregation::Mean, |row| RowScore::Error(row[0].into()));
    let long = "line one\nline two\t".repeat(20);
    match score_of(&mut metric, &long) {
        RowScore::Error(reason) => assert!(reason.len() <= 60 && !reason.contains('\n'), "{reason:?}"),
        score => panic!("{score:?}"),
    }
    assert_eq!(score_of(&mut metric, " "), RowScore::Error("no-reason".into()));
}

#[test]
fn batches_do_not_change_scores() {
    let questions = questions(50);
    let predictions: Vec<Prediction> = (0..50).map(|i| answer((i % 5).to_string())).collect();
    let expected = score(&mut equal(), &questions, &predictions, 50).unwrap();
    for batch_rows in [0, 1, 7, 49, 1000] {
        let mut metric = equal();
        assert_eq!(score(&mut metric, &questions, &predictions, batch_rows).unwrap(), expected);
        assert_eq!(metric.n_calls, 50usize.div_ceil(batch_rows.max(1)));
    }
}

#[test]
fn a_column_of_another_type_is_refused_before_anything_runs() {
    let mut questions = questions(2);
    let tags: arrow_array::ArrayRef = Arc::new(arrow_array::Float64Array::from(vec![Some(1.0), None]));
    questions.columns.insert("weight".into(), tags);
    let with = |ty, nullable| {
        let mut metric = descriptor("typed", &[], Aggregation::Mean);
        metric.inputs.push(MetricInput { name: "weight".into(), ty, nullable });
        check_inputs(&metric, &questions).map_err(|error| error.to_string())
    };
    assert_eq!(
        with(InputType::Boolean, true).unwrap_err(),
        "metric typed reads column \"weight\" as booleans, and the data has Float64"
    );
    assert_eq!(
        with(InputType::Float64, false).unwrap_err(),
        "metric typed reads column \"weight\" as numbers without nulls, and the data has Float64 with 1 nulls"
    );
    assert!(with(InputType::Float64, true).is_ok() && with(InputType::Json, true).is_ok());
}

#[test]
fn a_metric_reads_other_columns_under_its_own_names() {
    let mut questions = questions(2);
    questions.columns.insert("gold".into(), crate::testing::texts(vec!["x".into(), "y".into()]));
    let mapped = questions.with_columns("m", &[("reference".to_owned(), "gold".to_owned())].into()).unwrap();
    let scores = score(&mut equal(), &mapped, &[answer("x"), answer("x")], 8).unwrap().remove(0);
    assert_eq!(scores, [RowScore::Score(1.0), RowScore::Score(0.0)]);
    let error = questions.with_columns("m", &[("reference".to_owned(), "glod".to_owned())].into()).unwrap_err();
    assert!(error.to_string().starts_with("metric m reads column \"glod\""), "{error}");
}
