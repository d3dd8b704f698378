use super::*;

#[test]
fn debug_is_the_message_and_the_hint_because_a_question_mark_prints_it() {
    let failure = Failure::new(FailureKind::NotFound, "there is no dataset `shp`").hint("did you mean `shop`?");
    let error = Error::from(failure);
    assert_eq!(format!("{error:?}"), "there is no dataset `shp`\nhint: did you mean `shop`?");
    assert_eq!(format!("{error}"), format!("{error:?}"));
    assert_eq!(error.kind(), FailureKind::NotFound);
}

#[test]
fn a_row_error_names_dataset_row_and_type() {
    let error = Error::Row { data: "shop".into(), row: 3, expected: "Question", cause: "missing field `sql`".into() };
    let text = error.to_string();
    assert!(text.starts_with("row 3 of shop is not a Question: missing field `sql`\nhint: "), "{text}");
}
