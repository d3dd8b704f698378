use super::*;

#[test]
fn nested_settings_become_dotted_keys() {
    let map = object(json!({"a": {"b": 1, "c": {"d": "x"}}, "e": [1, 2], "f": null, "g": {}}));
    let flat = flatten(&map);
    let expected = [("a.b", "1"), ("a.c.d", "x"), ("e", "[1,2]"), ("g", "{}")];
    assert_eq!(flat, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}
