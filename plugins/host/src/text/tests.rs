use super::*;

#[test]
fn escapes_and_hidden_characters_go() {
    assert_eq!(clean("a\u{1b}[31mred\u{1b}[0m", 99), "ared");
    assert_eq!(clean("x\u{1b}]8;;http://evil\u{7}link\u{1b}]8;;\u{1b}\\y", 99), "xlinky");
    assert_eq!(clean("user\u{202e}txt\u{200b}.\u{7f}", 99), "usertxt.");
    assert_eq!(clean("a\nb\tc\r", 99), "a b c ");
    assert_eq!(clean("unclosed \u{1b}]0;title", 99), "unclosed ");
    assert_eq!(clean("<script>ä</script>", 99), "<script>ä</script>");
}

#[test]
fn long_text_is_cut_between_characters() {
    assert_eq!(clean("äöü", 5), "äö…");
    assert_eq!(clean("äöü", 6), "äöü");
}

#[test]
fn names_are_plain() {
    assert!(is_name("execution-accuracy") && is_name("größe 2"));
    assert!(!is_name("") && !is_name("a\u{1b}[0m") && !is_name("<b>") && !is_name(&"x".repeat(65)));
}
