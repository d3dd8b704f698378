use luthier_plugin::NoDatabases;

use super::*;

/// Vectors of rouge_score and NLTK: tests/oracles/metrics.py.
const VECTORS: &str = include_str!("../../../tests/fixtures/metrics/rouge.json");

#[test]
fn stems_are_those_of_nltk() {
    let vectors: Value = luthier_plugin::json::from_str(VECTORS).unwrap();
    let stems = vectors["stems"].as_object().unwrap();
    assert!(stems.len() >= 400);
    for (word, stem) in stems {
        assert_eq!(porter::stem(word), stem.as_str().unwrap(), "{word}");
    }
}

#[test]
fn scores_are_those_of_rouge_score() {
    let vectors: Value = luthier_plugin::json::from_str(VECTORS).unwrap();
    let cases = vectors["scores"].as_array().unwrap();
    assert!(cases.len() >= 60);
    for case in cases {
        let mut metric = Rouge::open(case["config"].clone(), Context::with_seed(0), Box::new(NoDatabases)).unwrap();
        let text = |key: &str| case[key].as_str().unwrap();
        let rows =
            Batch::new(1).with_texts("prediction", [text("prediction")]).with_texts("reference", [text("reference")]);
        let batch = metric.score(&rows).unwrap();
        for column in COLUMNS {
            let (found, expected) = (batch.float64(column).unwrap().get(0).unwrap(), case[column].as_f64().unwrap());
            assert!((found - expected).abs() < 1e-12, "{column} of {case}: {found}");
        }
    }
}

#[test]
fn a_text_beyond_the_limit_has_no_score() {
    let mut metric = Rouge::open(Value::Null, Context::with_seed(0), Box::new(NoDatabases)).unwrap();
    let long = "a ".repeat(MAX_TOKENS + 1);
    let rows = Batch::new(1).with_texts("prediction", [long.as_str()]).with_texts("reference", ["a"]);
    assert!(metric.score(&rows).unwrap().utf8("error").unwrap().text(0).starts_with("too-long"));
}
