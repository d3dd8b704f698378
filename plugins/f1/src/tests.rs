use luthier_plugin::NoDatabases;

use super::*;

/// Vectors of SQuAD's script: tests/oracles/metrics.py.
const VECTORS: &str = include_str!("../../../tests/fixtures/metrics/f1.json");

fn score(config: Value, prediction: &str, reference: &str) -> Batch {
    let mut metric = F1::open(config, Context::with_seed(0), Box::new(NoDatabases)).unwrap();
    metric.score(&Batch::new(1).with_texts("prediction", [prediction]).with_texts("reference", [reference])).unwrap()
}

#[test]
fn scores_are_those_of_squads_script() {
    let vectors: Vec<Value> = luthier_plugin::json::from_str(VECTORS).unwrap();
    assert!(vectors.len() >= 40);
    for case in vectors {
        let text = |key: &str| case[key].as_str().unwrap().to_owned();
        let batch = score(case["config"].clone(), &text("prediction"), &text("reference"));
        for column in ["f1", "exact"] {
            let (found, expected) = (batch.float64(column).unwrap().get(0).unwrap(), case[column].as_f64().unwrap());
            assert!((found - expected).abs() < 1e-12, "{case}: {column} {found}");
        }
    }
}

#[test]
fn a_row_without_references_has_no_score() {
    let batch = score(json!({ "multiple_references": true }), "x", "[]");
    assert_eq!(batch.float64("f1").unwrap().get(0), None);
    assert_eq!(batch.utf8("error").unwrap().get(0), Some("no-reference"));
}
