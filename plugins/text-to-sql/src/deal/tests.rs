use super::{is_held_out, normal};

#[test]
fn only_compositions_are_held_out() {
    for simple in [
        "SELECT COUNT ( * ) FROM _",
        "SELECT _ FROM _ WHERE _ = ?",
        "SELECT _ , COUNT ( * ) FROM _ GROUP BY _",
        "SELECT _ FROM _ ORDER BY _ DESC LIMIT ?",
    ] {
        assert!(!is_held_out(simple), "{simple}");
    }
}

#[test]
fn questions_are_compared_without_case_spacing_and_closing_mark() {
    assert_eq!(normal("How  many Orders?"), normal("how many orders"));
    assert_ne!(normal("How many orders?"), normal("How many sales?"));
}
