use luthier_plugin::NoDatabases;

use super::*;

fn score(config: Value, prediction: &str, reference: &str) -> Vec<f64> {
    let mut metric = Levenshtein::open(config, Context::with_seed(0), Box::new(NoDatabases)).unwrap();
    let rows = Batch::new(1).with_texts("prediction", [prediction]).with_texts("reference", [reference]);
    let batch = metric.score(&rows).unwrap();
    COLUMNS.iter().map(|column| batch.float64(column).unwrap().get(0).unwrap()).collect()
}

#[test]
fn distances_are_in_characters() {
    // Expected values by hand and from the textbook pairs.
    assert_eq!(score(json!({}), "kitten", "sitting"), [1.0 - 3.0 / 7.0, 3.0, 7.0]);
    assert_eq!(score(json!({}), "", ""), [1.0, 0.0, 0.0]);
    assert_eq!(score(json!({}), "", "äö"), [0.0, 2.0, 2.0]);
    assert_eq!(score(json!({}), "flaw", "lawn"), [0.5, 2.0, 4.0]);
    assert_eq!(score(json!({ "ignore_case": true }), "ÄB", "äb"), [1.0, 0.0, 2.0]);
}

#[test]
fn a_text_beyond_the_limit_has_no_score() {
    let long = "x".repeat(MAX_CHARACTERS + 1);
    let mut metric = Levenshtein::open(Value::Null, Context::with_seed(0), Box::new(NoDatabases)).unwrap();
    let rows = Batch::new(1).with_texts("prediction", [long.as_str()]).with_texts("reference", ["x"]);
    let batch = metric.score(&rows).unwrap();
    assert!(batch.utf8("error").unwrap().text(0).starts_with("too-long"));
}

#[test]
fn the_distance_is_symmetric_and_obeys_the_triangle() {
    let texts = ["", "a", "ab", "ba", "abcabc", "cab", "xyz", "axbyc"].map(|text| text.chars().collect::<Vec<_>>());
    for a in &texts {
        for b in &texts {
            assert_eq!(distance(a, b), distance(b, a));
            for c in &texts {
                assert!(distance(a, c) <= distance(a, b) + distance(b, c));
            }
        }
    }
}
