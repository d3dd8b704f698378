use luthier_plugin::NoDatabases;

use super::*;

/// Vectors of sacreBLEU: tests/oracles/metrics.py.
const VECTORS: &str = include_str!("../../../tests/fixtures/metrics/chrf.json");

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn sums(batch: &Batch) -> Vec<f64> {
    columns()
        .iter()
        .map(|name| (0..batch.rows).map(|row| batch.float64(name).unwrap().get(row).unwrap()).sum())
        .collect()
}

#[test]
fn corpus_scores_are_those_of_sacrebleu() {
    let cases: Vec<Value> = luthier_plugin::json::from_str(VECTORS).unwrap();
    assert!(cases.len() >= 10);
    for case in cases {
        let mut metric = Chrf::open(case["config"].clone(), Context::with_seed(0), Box::new(NoDatabases)).unwrap();
        let (predictions, references) = (texts(&case["predictions"]), texts(&case["references"]));
        let rows =
            Batch::new(predictions.len()).with_texts("prediction", &predictions).with_texts("reference", &references);
        let sums = sums(&metric.score(&rows).unwrap());
        let (found, expected) = (metric.reduce("chrf", &[sums]).unwrap()[0], case["chrf"].as_f64().unwrap());
        assert!((found - expected).abs() < 1e-9, "{}: {found}, expected {expected}", case["config"]);
    }
}

#[test]
fn a_mark_is_a_word_of_its_own() {
    let found = counts::n_grams("(hi) a, \"b ü.", 1, 1, false);
    let words: Vec<&str> = found[MAX_CHARACTER_ORDER].keys().map(String::as_str).collect();
    assert_eq!(words, ["\"", "(hi", ")", ",", ".", "a", "b", "ü"]);
}

#[test]
fn sums_of_another_width_are_refused() {
    let mut metric = Chrf::open(Value::Null, Context::with_seed(0), Box::new(NoDatabases)).unwrap();
    assert!(metric.reduce("chrf", &[vec![1.0; 3]]).is_err());
    assert!(metric.reduce("bleu", &[]).is_err());
}
