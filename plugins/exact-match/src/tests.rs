use super::*;

fn score(prediction: &str, reference: &str, config: Value) -> f64 {
    ExactMatch::score_row(prediction, reference, &config).unwrap()
}

#[test]
fn surrounding_white_space_does_not_count() {
    assert_eq!(score(" SELECT 1\n", "SELECT 1", json!({})), 1.0);
    assert_eq!(score("SELECT  1", "SELECT 1", json!({})), 0.0);
    assert_eq!(score("", "  ", Value::Null), 1.0);
}

#[test]
fn options_widen_the_match() {
    assert_eq!(score("Paris", "paris", json!({})), 0.0);
    assert_eq!(score("Paris", "paris", json!({ "ignore_case": true })), 1.0);
    assert_eq!(score("It's 4!", "Its ", json!({ "ignore_punctuation": true, "ignore_numbers": true })), 1.0);
    assert_eq!(score("ÄÖ", "äö", json!({ "ignore_case": true })), 1.0);
}

#[test]
fn a_wrong_option_is_pointed_at() {
    let error = ExactMatch::score_row("", "", &json!({ "ignore_cases": true, "ignore_case": 1 })).unwrap_err();
    let Error::InvalidConfig(issues) = error else { panic!("{error:?}") };
    let pointers: Vec<_> = issues.iter().map(|issue| issue.pointer.as_str()).collect();
    assert_eq!(pointers, ["/ignore_cases", "/ignore_case"]);
}
