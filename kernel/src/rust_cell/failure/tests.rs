use luthier::cell::Panic;

use super::compile::{Diagnostic, Mark, failure_of};
use super::*;

fn uncolored(failure: &RustFailure) -> String {
    let mut text = failure.traceback.join("\n");
    for color in [RED, BLUE, CYAN, BOLD, RESET] {
        text = text.replace(color, "");
    }
    text
}

fn mark(line: usize, column: usize, end_column: usize, primary: bool, label: &str) -> Mark {
    Mark { line, column, end_column, primary, label: label.into() }
}

#[test]
fn compile_errors_read_like_rustc() {
    let mismatch = Diagnostic {
        code: Some("E0308".into()),
        message: "mismatched types".into(),
        marks: vec![
            mark(2, 14, 20, true, "expected `i32`, found `&str`"),
            mark(2, 8, 11, false, "expected due to this"),
        ],
        notes: vec![("help", "try parsing it\n\n\"1\".parse()?".into())],
    };
    let unknown = Diagnostic {
        message: "cannot find value `y`".into(),
        marks: vec![mark(5, 1, 2, true, "")],
        ..Diagnostic::default()
    };
    let failure = failure_of(&[mismatch, unknown], "let a = 1;\nlet b: i32 = \"text\";\n\n\ny");
    assert_eq!(failure.evalue, "error[E0308]: mismatched types (and 1 more)");
    insta::assert_snapshot!(uncolored(&failure), @r#"
    error[E0308]: mismatched types
     --> cell:2:14
      |
    2 | let b: i32 = "text";
      |        --- expected due to this
      |              ^^^^^^ expected `i32`, found `&str`
      = help: try parsing it
        
        "1".parse()?

    error: cannot find value `y`
     --> cell:5:1
      |
    5 | y
      | ^
    "#);
}

#[test]
fn a_panic_points_at_the_line_of_the_cell() {
    let cell = "let v = vec![1];\nlet x = v[0];\nlet y = v[7];";
    let generated = format!("#![allow()]\nfn run() {{\n{cell}\n}}");
    let panic = Panic {
        message: "index out of bounds".into(),
        file: "src/lib.rs".into(),
        line: 5,
        column: 9,
        on_cell_thread: true,
    };
    let failure = panic_failure(Some(&panic), "", cell, &generated);
    assert_eq!((failure.ename.as_str(), failure.evalue.as_str()), ("Panic", "index out of bounds"));
    insta::assert_snapshot!(uncolored(&failure), @r"
    Panic: index out of bounds
     --> cell:3:9
    3 | let y = v[7];
      |         ^
    ");
}

#[test]
fn the_same_line_twice_is_told_apart() {
    let cell = "f();\nf();";
    let generated = "g\nf();\nf();";
    let panic = |line| Panic { message: "m".into(), file: "src/lib.rs".into(), line, column: 1, on_cell_thread: true };
    assert!(uncolored(&panic_failure(Some(&panic(2)), "", cell, generated)).contains("cell:1:1"));
    assert!(uncolored(&panic_failure(Some(&panic(3)), "", cell, generated)).contains("cell:2:1"));
}

#[test]
fn a_wrapped_last_expression_and_an_earlier_cell() {
    let panic = Panic { message: "m".into(), file: "src/lib.rs".into(), line: 1, column: 3, on_cell_thread: true };
    let wrapped = panic_failure(Some(&panic), "", "let a = 1;\nboom(a)", "evcxr_display(&(boom(a)))");
    assert!(uncolored(&wrapped).contains("cell:2\n2 | boom(a)"), "{}", uncolored(&wrapped));
    let earlier = panic_failure(Some(&panic), "", "boom()", "fn explode() { panic!() }");
    assert!(uncolored(&earlier).contains("an earlier cell: fn explode() { panic!() }"));
}

#[test]
fn an_error_keeps_its_hint_apart() {
    let failure = error_failure("there is no dataset `shp`\nhint: did you mean `shop`?\n", false);
    assert_eq!(failure.evalue, "there is no dataset `shp`");
    assert_eq!(uncolored(&failure), "Error: there is no dataset `shp`\nhelp: did you mean `shop`?");
    assert_eq!(error_failure("paused", true).ename, "Interrupted");
}

#[test]
fn a_lost_process_is_explained() {
    let last_words = "Segmentation fault.\n   0: rust::run\n             at /x/y.rs:3:4\n  12: main\n";
    let failure = lost_failure(None, Some(6), last_words, false);
    assert_eq!(failure.ename, "CellProcessLost");
    assert!(failure.evalue.contains("SIGSEGV") && failure.evalue.contains("variables are lost"), "{failure:?}");
    assert!(uncolored(&failure).ends_with("Segmentation fault."));
    assert!(lost_failure(Some(3), None, "", false).evalue.contains("exited with status 3"));
    assert_eq!(lost_failure(None, Some(9), "", true).ename, "Interrupted");
}
