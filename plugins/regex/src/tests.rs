use luthier_plugin::NoDatabases;

use super::*;

fn open(config: Value) -> Result<Regex, Error> {
    Regex::open(config, Context::with_seed(0), Box::new(NoDatabases))
}

fn score(config: Value, prediction: &str, reference: &str) -> RowScore {
    open(config).unwrap().row(prediction, reference)
}

#[test]
fn a_pattern_is_searched_or_has_to_be_all() {
    let yes = RowScore::Score(1.0);
    assert_eq!(score(json!({ "pattern": "\\d{3}" }), "ab 123", ""), yes);
    assert_ne!(score(json!({ "pattern": "\\d{3}", "whole": true }), "ab 123", ""), yes);
    assert_eq!(score(json!({ "pattern": "\\d{3}", "whole": true }), "123", ""), yes);
    assert_eq!(score(json!({ "pattern": "PARIS", "ignore_case": true }), "in paris", ""), yes);
    assert_eq!(score(json!({}), "color", "^colou?r$"), yes);
}

#[test]
fn what_is_found_is_compared_with_the_reference() {
    let config = json!({ "pattern": "#### (-?[0-9,.]+)", "compare": true, "take": "last" });
    assert_eq!(score(config.clone(), "so 2 + 2 #### 5 no: #### 4", " 4 "), RowScore::Score(1.0));
    assert_eq!(score(config.clone(), "#### 5", "4"), RowScore::Score(0.0));
    assert_eq!(score(config, "4", "4"), RowScore::Score(0.0));
    assert_eq!(score(json!({ "pattern": "[a-z]+", "compare": true }), "1 ab c", "ab"), RowScore::Score(1.0));
}

#[test]
fn a_reference_that_is_no_pattern_gives_no_score() {
    let RowScore::Error(reason) = score(json!({}), "x", "(") else { panic!() };
    assert!(reason.starts_with("reference-pattern: "));
}

#[test]
fn patterns_that_are_none_or_too_large_are_refused() {
    for config in [json!({ "pattern": "(" }), json!({ "pattern": "(\\w{900}){900}" }), json!({ "compare": true })] {
        assert!(matches!(open(config), Err(Error::InvalidConfig(_))));
    }
}
