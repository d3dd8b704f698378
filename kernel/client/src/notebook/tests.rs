use std::sync::mpsc;

use serde_json::json;

use super::{Content, Operation, answer, wait};

#[test]
fn an_operation_survives_the_trip_through_standard_output() {
    let content = Content::text("3 < 4").html("<b>3</b>\n&lt; 4").form("application/json", json!({"a": [1, 2]}));
    let operation = Operation::Display { data: content.data, display_id: "x".into() };
    let line = serde_json::to_string(&operation).unwrap();
    assert!(!line.contains('\n'), "the markers stand on lines of their own");
    assert_eq!(serde_json::from_str::<Operation>(&line).unwrap(), operation);
}

#[test]
fn text_is_content() {
    assert_eq!(Content::from("half way"), Content::text("half way"));
}

#[test]
fn an_answer_nobody_waits_for_is_dropped_and_a_refusal_is_an_error() {
    answer(Ok("late".into()));
    let (sender, receiver) = mpsc::channel();
    sender.send(Err("this client takes no input".to_owned())).unwrap();
    let error = wait(&receiver).unwrap_err().to_string();
    assert!(error.contains("takes no input"), "{error}");
    sender.send(Ok("pico".to_owned())).unwrap();
    assert_eq!(wait(&receiver).unwrap(), "pico");
}
