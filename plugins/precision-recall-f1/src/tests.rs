use luthier_plugin::NoDatabases;

use super::*;

/// Vectors of scikit-learn: tests/oracles/metrics.py.
const VECTORS: &str = include_str!("../../../tests/fixtures/metrics/precision-recall-f1.json");

fn open(config: Value) -> Result<PrecisionRecallF1, Error> {
    PrecisionRecallF1::open(config, Context::with_seed(0), Box::new(NoDatabases))
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn corpus(config: Value, predictions: &[&str], references: &[&str]) -> [f64; 4] {
    let mut metric = open(config).unwrap();
    let rows = Batch::new(predictions.len()).with_texts("prediction", predictions).with_texts("reference", references);
    let batch = metric.score(&rows).unwrap();
    let sum = |name: &str| -> f64 {
        let column = batch.float64(name).unwrap();
        (0..rows.rows).filter_map(|row| column.get(row)).sum()
    };
    let sums: Vec<f64> = count_columns().iter().map(|name| sum(name)).collect();
    let mut reduced = |output: &str| metric.reduce(output, std::slice::from_ref(&sums)).unwrap()[0];
    [reduced("precision"), reduced("recall"), reduced("f1"), sum("accuracy") / rows.rows as f64]
}

#[test]
fn averages_are_those_of_scikit_learn() {
    let cases: Vec<Value> = luthier_plugin::json::from_str(VECTORS).unwrap();
    assert!(cases.len() >= 12);
    for case in cases {
        let found = corpus(case["config"].clone(), &texts(&case["predictions"]), &texts(&case["references"]));
        for (name, found) in ["precision", "recall", "f1", "accuracy"].into_iter().zip(found) {
            let expected = case[name].as_f64().unwrap();
            assert!((found - expected).abs() < 1e-12, "{name} of {}: {found}, expected {expected}", case["config"]);
        }
    }
}

#[test]
fn labels_are_found_as_words_of_their_own() {
    let labels = ["positive", "negative", "very negative"].map(str::to_owned).to_vec();
    let find = |rule, text: &str| {
        let Task::Classification(labels, _) = Task::classification(labels.clone(), rule) else { unreachable!() };
        let (counts, _) = Task::Classification(labels, rule).counts(text, "positive").unwrap();
        (0..3).find(|label| counts[*label][0] + counts[*label][1] > 0.0)
    };
    use extract::Rule;
    assert_eq!(find(Rule::Exact, " Positive\n"), Some(0));
    assert_eq!(find(Rule::Exact, "It is positive"), None);
    assert_eq!(find(Rule::First, "Not nonnegative; negative, then positive."), Some(1));
    assert_eq!(find(Rule::Last, "Not nonnegative; negative, then positive."), Some(0));
    assert_eq!(find(Rule::First, "VERY NEGATIVE"), Some(2));
    assert_eq!(find(Rule::Last, "very negative"), Some(2));
}

#[test]
fn items_are_counted_with_their_repetitions() {
    let scores =
        corpus(json!({}), &["[\"Ann\", \"Bob\", \"Bob\"]", "x\ny"], &["[\"ann\", \"bob\", \"eve\"]", "Y\nx\n"]);
    assert_eq!(scores, [4.0 / 5.0, 4.0 / 5.0, 4.0 / 5.0, 0.5]);
}

#[test]
fn a_reference_that_is_no_label_has_no_score() {
    let mut metric = open(json!({ "labels": ["a", "b"] })).unwrap();
    let rows = Batch::new(1).with_texts("prediction", ["a"]).with_texts("reference", ["c"]);
    assert_eq!(metric.score(&rows).unwrap().utf8("error").unwrap().get(0), Some("unknown-reference-label"));
}

#[test]
fn options_that_do_not_fit_together_are_refused() {
    for (config, pointer) in [
        (json!({ "average": "macro" }), "/average"),
        (json!({ "labels": ["a"], "average": "binary" }), "/positive"),
        (json!({ "labels": (0..21).map(|n| n.to_string()).collect::<Vec<_>>() }), "/labels"),
        (json!({ "label": ["a"] }), "/label"),
    ] {
        let Error::InvalidConfig(issues) = open(config).err().unwrap() else { panic!() };
        assert_eq!(issues[0].pointer, pointer);
    }
}
