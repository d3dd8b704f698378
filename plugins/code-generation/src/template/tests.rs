use luthier_plugin::NoDatabases;
use luthier_plugin::exec::{self, ExecError, ExecOutcome, ExecStatus};

use super::*;

fn open(config: Value) -> CodeGeneration {
    CodeGeneration::open(config, Context::with_seed(1), Box::new(NoDatabases)).unwrap()
}

fn texts(batch: &Batch, name: &str) -> Vec<String> {
    let column = batch.utf8(name).unwrap();
    (0..batch.rows).map(|row| column.text(row).to_owned()).collect()
}

fn rows(solution: &str, part: &str) -> Batch {
    Batch::new(1)
        .with_texts("prompt", ["def f(x):\n    \"\"\"Doc.\"\"\"\n"])
        .with_texts("solution", [solution])
        .with_texts("tests", ["assert f(1) == 1"])
        .with_texts("part", [part])
}

/// Programs that contain `good` pass, those that do nothing and those with `bad` do not.
fn with_interpreter(nothing_passes: bool) {
    exec::set_runner(move |_, program, tests, _| {
        assert!(tests.starts_with("assert "), "{tests}");
        let passed = program.contains("good") || (nothing_passes && program.contains("return None"));
        let status = if passed { ExecStatus::Passed } else { ExecStatus::Failed };
        Ok(ExecOutcome { status, stdout: String::new(), detail: "AssertionError: ".to_owned(), fuel_used: 1 })
    });
}

#[test]
fn generation_goes_on_where_it_was() {
    let whole = open(json!({})).generate(120).unwrap();
    let mut parts = open(json!({}));
    let (first, second) = (parts.generate(50).unwrap(), parts.generate(70).unwrap());
    let joined: Vec<String> = texts(&first, "solution").into_iter().chain(texts(&second, "solution")).collect();
    assert_eq!(joined, texts(&whole, "solution"));
    assert_eq!(whole.rows, 120);
}

#[test]
fn what_a_model_wrote_is_run() {
    with_interpreter(false);
    let code = |config: Value, rows: &Batch| {
        let verdict = open(config).validate(rows).unwrap().remove(0);
        (verdict.keep, verdict.code)
    };
    assert_eq!(code(json!({}), &rows("def f(x):\n    return 'good'", "asked")), (true, String::new()));
    assert_eq!(code(json!({}), &rows("def f(x):\n    return 'bad'", "asked")), (false, "tests-fail".to_owned()));
    assert!(code(json!({}), &rows("def f(x):\n    return 'bad'", "seen-skeleton")).0, "the grammar's are not");
    assert!(!code(json!({"verify": "all"}), &rows("def f(x):\n    return 'bad'", "seen-skeleton")).0);
    assert!(code(json!({"verify": "never"}), &rows("def f(x):\n    return 'bad'", "asked")).0);
    assert_eq!(code(json!({}), &rows(" ", "asked")).1, "empty-field");
    with_interpreter(true);
    assert_eq!(code(json!({}), &rows("def f(x):\n    return 'good'", "asked")).1, "tests-prove-nothing");
}

#[test]
fn without_an_interpreter_nothing_is_said() {
    exec::set_runner(|_, _, _, _| Err(ExecError::UnsupportedLanguage("none here".to_owned())));
    let error = open(json!({})).validate(&rows("def f(x): pass", "asked")).unwrap_err();
    assert!(matches!(&error, Error::Unsupported(text) if text.contains("none here")), "{error:?}");
}

#[test]
fn rows_are_written_in_the_known_formats() {
    let mut template = open(json!({}));
    let rows = rows("def f(x):\n    return x\n", "asked");
    let asked = "Complete the Python function.\ndef f(x):\n    \"\"\"Doc.\"\"\"";
    assert_eq!(
        template.render(&rows, "pair").unwrap(),
        [json!({ "prompt": asked, "completion": "def f(x):\n    return x" })]
    );
    let record = &template.render(&rows, "human-eval").unwrap()[0];
    assert_eq!((record["entry_point"].as_str(), record["test"].as_str()), (Some("f"), Some("assert f(1) == 1")));
    assert!(template.render(&rows, "csv").is_err());
}

#[test]
fn a_wrong_configuration_is_pointed_at() {
    let pointer = |config: Value| match CodeGeneration::open(config, Context::with_seed(1), Box::new(NoDatabases)) {
        Err(Error::InvalidConfig(issues)) => issues[0].pointer.clone(),
        _ => panic!("it was taken"),
    };
    assert_eq!(pointer(json!({ "verify": "sometimes" })), "/verify");
    assert_eq!(pointer(json!({ "instructions": "x" })), "/instructions");
}
