use arrow_array::Array;

use super::*;
use crate::testing::{arm, equal, questions};

fn table() -> (Questions, Vec<ScoredArm>, RecordBatch) {
    let (mut questions, mut metric) = (questions(5), equal());
    questions.references[1] = "gold-error".into();
    // A column of the data that bears the name of one of the table's own.
    questions.columns.insert("arm".into(), crate::testing::texts(vec!["data".into(); 5]));
    let mut arms = vec![
        arm("base", &questions, &mut metric, |_| "0".into()),
        arm("adapted", &questions, &mut metric, |i| (i % 7).to_string()),
    ];
    arms[0].predictions[2] = Prediction::failed("too-long");
    arms[0].scores[0][2] = RowScore::Error("too-long".into());
    let table =
        predictions_table(&questions, &[metric.descriptor], &arms, &mut |_, _| unreachable!("scores are not reduced"))
            .unwrap();
    (questions, arms, table)
}

#[test]
fn the_table_has_a_row_per_arm_and_question() {
    let (_, _, table) = table();
    let schema = table.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let expected =
        ["part", "arm", "prompt", "reference", "prediction", "completion", "error", "equal", "equal:error", "database"];
    assert_eq!(names, expected);
    assert_eq!(table.num_rows(), 10);
    let scores = table.column_by_name("equal").unwrap();
    let scores = scores.as_any().downcast_ref::<Float64Array>().unwrap();
    assert_eq!(scores.value(0), 1.0);
    assert!(scores.is_null(1) && scores.is_null(2));
    assert_eq!(texts(&table, "equal:error").unwrap().value(1), "gold-error");
    assert_eq!(texts(&table, "error").unwrap().value(2), "too-long");
    assert_eq!(texts(&table, "arm").unwrap().value(5), "adapted");
}

#[test]
fn what_is_written_is_read_back() {
    let (mut questions, arms, table) = table();
    let stored = read_predictions(&table).unwrap();
    questions.columns.remove("arm");
    assert_eq!(stored.questions, questions);
    let expected: Vec<(String, Vec<Prediction>)> = arms.into_iter().map(|arm| (arm.label, arm.predictions)).collect();
    assert_eq!(stored.arms, expected);
}

#[test]
fn a_table_that_is_none_is_refused() {
    let (_, _, table) = table();
    let without_arms = table.project(&[0, 2, 3, 4, 5, 6]).unwrap();
    assert!(matches!(read_predictions(&without_arms), Err(Error::PredictionsColumn { .. })));
}
