use super::*;

#[track_caller]
fn assert_is(code: &str, expected: Completeness) {
    assert_eq!(is_complete(code), expected, "{code}");
}

#[test]
fn whole_cells() {
    for code in [
        "",
        "let x = 1;",
        "fn f() { 1 }",
        "x",
        "let s = \"a } b\";",
        "// { not open",
        "/* { /* nested */ [ */ 1",
        "let c = '{'; let l: &'static str = \"\";",
        "let r = r#\"a \" } \"#;",
        "let c = '\\''; let d = '\\u{7b}';",
        "for x in &[1] { println!(\"{x}\") }",
        "run.steps()?",
        "let r#type = b'{';",
        "Vec::<u8>::new()",
        "let é = \"→\"; é",
    ] {
        assert_is(code, Completeness::Complete);
    }
}

#[test]
fn cells_that_go_on() {
    for code in [
        "fn foo() {",
        "let s = \"abc",
        "let r = r#\"abc\"",
        "/* comment",
        "let x =",
        "load(\"pico\")?.",
        "foo(1,",
        "vec![1, 2",
        "fn",
        "if x { 1 } else",
    ] {
        assert_is(code, Completeness::Incomplete);
    }
}

#[test]
fn cells_that_no_line_can_save() {
    for code in ["fn fn", "let x = 1; }", "(]", "let let", "foo(1}", "let c = '\\x"] {
        assert_is(code, Completeness::Invalid);
    }
}
