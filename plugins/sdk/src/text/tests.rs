use super::*;

#[test]
fn white_space_is_pythons() {
    assert_eq!(words("a\u{1c}b\u{a0}c \n").collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(strip("\u{1f} x\u{3000}"), "x");
    assert_eq!(words(" ").count(), 0);
}

#[test]
fn a_row_may_have_several_references() {
    assert_eq!(references("[\"a\"", false).unwrap(), ["[\"a\""]);
    assert_eq!(references("[\"a\", \"b\"]", true).unwrap(), ["a", "b"]);
    assert_eq!(references("[]", true).unwrap_err(), "no-reference");
    assert!(references("a", true).unwrap_err().starts_with("reference-list: "));
}
