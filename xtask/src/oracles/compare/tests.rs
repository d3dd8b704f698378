//! What counts as a difference.

use super::*;
use serde_json::json;

fn difference(old: Value, new: Value) -> Result<f64, String> {
    json(&old, &new, "").map_err(|error| error.to_string())
}

#[test]
fn numbers_are_compared_relative_to_the_largest_of_their_list() {
    let old = json!({"x": [100.0, 0.5], "made_with": "torch 1"});
    assert_eq!(difference(old.clone(), json!({"x": [100.0, 1.5], "made_with": "torch 2"})), Ok(0.01));
    assert_eq!(difference(json!(0.5), json!(0.25)), Ok(0.25));
    assert_eq!(difference(old, json!({"x": [100.0], "made_with": ""})), Err("/x: 1 values instead of 2".to_owned()));
}

#[test]
fn integers_and_texts_must_be_equal() {
    assert_eq!(difference(json!([1, 2]), json!([1, 3])), Err("/1: 3 instead of 2".to_owned()));
    assert!(difference(json!("a"), json!("b")).is_err());
    assert!(difference(json!({"a": 1}), json!({"b": 1})).is_err());
    assert_eq!(difference(json!([1, "a", null]), json!([1, "a", null])), Ok(0.0));
}

#[test]
fn a_tensor_that_is_not_a_number_is_infinitely_far_away() {
    let file = |x: f32| {
        let header = br#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        bytes.extend(x.to_le_bytes());
        bytes
    };
    assert_eq!(safetensors(&file(2.0), &file(3.0)).unwrap(), 0.5);
    assert_eq!(safetensors(&file(2.0), &file(f32::NAN)).unwrap(), f64::INFINITY);
    assert!(safetensors(&file(2.0), b"short").is_err());
}
