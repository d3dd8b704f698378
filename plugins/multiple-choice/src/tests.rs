use luthier_plugin::NoDatabases;

use super::*;

fn row(config: Value, choices: Value, loglikelihoods: Value, reference: &str) -> Result<Vec<f64>, String> {
    let metric = MultipleChoice::open(config, Context::with_seed(0), Box::new(NoDatabases)).unwrap();
    metric.row(&choices.to_string(), &loglikelihoods.to_string(), reference)
}

#[test]
fn the_likeliest_choice_counts_with_and_without_its_length() {
    let choices = json!(["no", "a much longer choice"]);
    // −4 / 2 bytes = −2; −6 / 20 bytes = −0.3.
    assert_eq!(row(json!({}), choices.clone(), json!([-4.0, -6.0]), "no"), Ok(vec![1.0, 0.0]));
    assert_eq!(row(json!({}), choices.clone(), json!([-4.0, -6.0]), "1"), Ok(vec![0.0, 1.0]));
    assert_eq!(row(json!({}), choices.clone(), json!([-4.0, -4.0]), "A"), Ok(vec![1.0, 0.0]));
    assert_eq!(row(json!({ "answer": "letter" }), choices, json!([-9.0, -6.0]), " b "), Ok(vec![1.0, 1.0]));
}

#[test]
fn the_text_of_a_choice_comes_before_its_number() {
    assert_eq!(row(json!({}), json!(["1", "0"]), json!([-1.0, -2.0]), "1"), Ok(vec![1.0, 1.0]));
    assert_eq!(row(json!({ "answer": "number" }), json!(["1", "0"]), json!([-1.0, -2.0]), "1"), Ok(vec![0.0, 0.0]));
}

#[test]
fn rows_that_do_not_fit_have_no_score() {
    assert_eq!(row(json!({}), json!(["a", "b"]), json!([-1.0, -2.0]), "c").unwrap_err(), "unknown-answer");
    assert!(row(json!({}), json!(["a", "b"]), json!([-1.0]), "a").unwrap_err().starts_with("choices: "));
    assert!(row(json!({}), json!("a"), json!([-1.0]), "a").unwrap_err().starts_with("choices: "));
    assert!(row(json!({}), json!(["a"]), json!([null]), "a").unwrap_err().starts_with("loglikelihoods: "));
}
