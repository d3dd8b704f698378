use super::*;
use crate::json::json;

fn pointers(error: Error) -> Vec<String> {
    let Error::InvalidConfig(issues) = error else { panic!("{error:?}") };
    issues.into_iter().map(|issue| issue.pointer).collect()
}

#[test]
fn every_problem_is_named_at_its_key() {
    let config = json!({ "a": 1, "b": "x", "c": 9, "d": ["x", 1], "e/f": true, "g": 0.5 });
    let mut options = Options::new(&config).unwrap();
    assert!(options.boolean("a", true));
    assert_eq!(options.choice("b", "y", &["y", "z"]), "y");
    assert_eq!(options.integer("c", 3, 1..=8), 3);
    assert!(options.texts("d").is_empty());
    assert_eq!(options.number("g", 0.0, 0.0..=1.0), 0.5);
    assert_eq!(pointers(options.finish().unwrap_err()), ["/a", "/b", "/c", "/d", "/e~1f"]);
}

#[test]
fn nothing_given_is_all_defaults() {
    for config in [Value::Null, json!({})] {
        let mut options = Options::new(&config).unwrap();
        assert_eq!((options.text("a"), options.integers("k", &[1, 10], 1..=100)), (None, vec![1, 10]));
        options.finish().unwrap();
    }
    assert!(Options::new(&json!([])).is_err());
}
