use luthier_plugin::NoDatabases;

use super::*;

/// Vectors of sacreBLEU: tests/oracles/metrics.py.
const VECTORS: &str = include_str!("../../../tests/fixtures/metrics/bleu.json");

fn open(config: &Value) -> Bleu {
    Bleu::open(config.clone(), Context::with_seed(0), Box::new(NoDatabases)).unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn tokens_are_those_of_sacrebleu() {
    let vectors: Value = luthier_plugin::json::from_str(VECTORS).unwrap();
    let cases = vectors["tokens"].as_array().unwrap();
    assert!(cases.len() >= 60);
    for case in cases {
        let tokenizer = Tokenizer::named(case["tokenize"].as_str().unwrap());
        let line = case["line"].as_str().unwrap();
        assert_eq!(tokenizer.tokens(line), texts(&case["tokens"]), "{line:?}");
    }
}

#[test]
fn corpus_scores_and_their_counts_are_those_of_sacrebleu() {
    let vectors: Value = luthier_plugin::json::from_str(VECTORS).unwrap();
    let cases = vectors["corpora"].as_array().unwrap();
    assert!(cases.len() >= 12);
    for case in cases {
        let mut metric = open(&case["config"]);
        let (predictions, references) = (texts(&case["predictions"]), texts(&case["references"]));
        let rows =
            Batch::new(predictions.len()).with_texts("prediction", &predictions).with_texts("reference", &references);
        let batch = metric.score(&rows).unwrap();
        let sums: Vec<f64> = COLUMNS
            .iter()
            .map(|name| {
                let column = batch.float64(name).unwrap();
                (0..predictions.len()).map(|row| column.get(row).unwrap()).sum()
            })
            .collect();
        let expected: Vec<f64> = case["counts"].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect();
        assert_eq!(sums, expected, "{}", case["config"]);
        let (found, expected) = (metric.reduce("bleu", &[sums]).unwrap()[0], case["bleu"].as_f64().unwrap());
        assert!((found - expected).abs() < 1e-9, "{}: {found}, expected {expected}", case["config"]);
    }
}

#[test]
fn wrong_options_and_outputs_are_refused() {
    let config = json!({ "tokenize": "13b", "smoothing": "exp" });
    let error = Bleu::open(config, Context::with_seed(0), Box::new(NoDatabases)).err().unwrap();
    let Error::InvalidConfig(issues) = error else { panic!("{error:?}") };
    assert_eq!(issues.iter().map(|issue| issue.pointer.as_str()).collect::<Vec<_>>(), ["/tokenize", "/smoothing"]);
    assert!(open(&Value::Null).reduce("rouge", &[]).is_err());
    assert!(open(&Value::Null).reduce("bleu", &[vec![1.0]]).is_err());
}
