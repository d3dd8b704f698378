use luthier_plugin::NoDatabases;

use super::*;

/// Vectors of Python's jsonschema: tests/oracles/metrics.py.
const VECTORS: &str = include_str!("../../../tests/fixtures/metrics/json-validity.json");

fn open(config: Value) -> Result<JsonValidity, Error> {
    JsonValidity::open(config, Context::with_seed(0), Box::new(NoDatabases))
}

fn score(config: Value, prediction: &str) -> [f64; 2] {
    let batch = open(config).unwrap().score(&Batch::new(1).with_texts("prediction", [prediction])).unwrap();
    COLUMNS.map(|column| batch.float64(column).unwrap().get(0).unwrap())
}

#[test]
fn verdicts_are_those_of_jsonschema() {
    let cases: Vec<Value> = luthier_plugin::json::from_str(VECTORS).unwrap();
    assert!(cases.len() >= 80);
    for case in cases {
        let found = score(json!({ "schema": case["schema"] }), &case["value"].to_string());
        assert_eq!(found, [1.0, f64::from(case["conforms"].as_bool().unwrap())], "{case}");
    }
}

#[test]
fn json_may_stand_in_a_text() {
    let text = "Here [it] is:\n```json\n{\"a\": [1, 2]}\n```";
    assert_eq!(score(json!({}), text), [0.0, 0.0]);
    let schema = json!({ "required": ["a"] });
    assert_eq!(score(json!({ "extract": "anywhere", "schema": schema }), text), [1.0, 1.0]);
    assert_eq!(score(json!({ "extract": "anywhere" }), "[[[[ none"), [0.0, 0.0]);
    assert_eq!(score(json!({}), " 3 \n"), [1.0, 1.0]);
    assert_eq!(score(json!({}), "{\"a\": 1,}"), [0.0, 0.0]);
}

#[test]
fn what_is_not_understood_is_refused_and_named() {
    for (schema, pointer) in [
        (json!({ "properties": { "a": { "format": "date" } } }), "/schema/properties/a/format"),
        (json!({ "anyOf": [{ "type": "text" }] }), "/schema/anyOf/0/type"),
        (json!({ "pattern": "(" }), "/schema/pattern"),
        (json!({ "$ref": "#/$defs/missing" }), "/schema/$ref"),
        (json!({ "$ref": "https://example.org/schema" }), "/schema/$ref"),
        (json!({ "minItems": -1 }), "/schema/minItems"),
        (json!(3), "/schema"),
    ] {
        let Error::InvalidConfig(issues) = open(json!({ "schema": schema })).err().unwrap() else { panic!() };
        assert_eq!(issues[0].pointer, pointer);
    }
}

#[test]
fn an_endless_reference_ends() {
    assert_eq!(score(json!({ "schema": { "$ref": "#" } }), "1"), [1.0, 0.0]);
}
