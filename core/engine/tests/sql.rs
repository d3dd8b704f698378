//! The text-to-SQL task from its template to a score, on the bundled database and on a person's own.

#![allow(clippy::disallowed_methods, reason = "files of a test need no atomic writer")]

mod common;

use std::path::Path;

use common::{Client, EngineProcess, finetune, project, recipe};
use luthier_protocol::response::{DatasetInfo, Evaluation};
use luthier_protocol::spec::{AskSpec, DatasetSpec, EvaluateSpec};
use luthier_protocol::{Failure, FailureKind, Request, Response};
use serde_json::{Value, json};

fn dataset(client: &mut Client, spec: Value) -> Result<DatasetInfo, Failure> {
    let spec: DatasetSpec = serde_json::from_value(spec).unwrap();
    match client.call(Request::Dataset(spec)) {
        Ok(Response::Dataset(info)) => Ok(info),
        Ok(other) => panic!("no dataset: {other:?}"),
        Err(failure) => Err(failure),
    }
}

fn evaluate(client: &mut Client, spec: Value) -> Evaluation {
    let spec: EvaluateSpec = serde_json::from_value(spec).unwrap();
    match client.call(Request::Evaluate(spec)) {
        Ok(Response::Evaluated(evaluation)) => evaluation,
        other => panic!("not evaluated: {other:?}"),
    }
}

/// A shop of three books.
fn write_books(path: &Path) {
    rusqlite::Connection::open(path)
        .unwrap()
        .execute_batch(
            "CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, pages INTEGER);
             INSERT INTO books (title, pages) VALUES ('Emma', 474), ('Dune', 612), ('Ulysses', 730);",
        )
        .unwrap();
}

#[test]
fn the_template_makes_rows_that_train_and_are_scored_by_execution() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let spec = json!({ "name": "shop", "template": "text-to-sql", "rows": 120, "seed": 1 });
    let info = dataset(&mut client, spec.clone()).unwrap();
    let accounting = &info.accounting;
    let lost: u64 = accounting.rejected.values().chain(accounting.failed.values()).sum();
    assert_eq!(accounting.requested, accounting.kept + lost);
    assert_eq!(info.n_rows, 120);
    let names: Vec<&str> = info.columns.iter().map(|(name, _)| name.as_str()).collect();
    assert!(["question", "sql", "database", "skeleton", "split", "part"].iter().all(|name| names.contains(name)));
    assert_eq!(dataset(&mut client, spec).unwrap(), info, "the same seed makes the same rows");

    let mut spec = recipe("sql", 2);
    (spec.data, spec.train.batch_size) = ("shop".into(), 2);
    client.call(finetune(spec)).unwrap();
    let shot = json!({ "model": "model", "num_fewshot": 2 });
    let result = evaluate(
        &mut client,
        json!({ "models": ["model", shot, "sql"], "data": "shop", "limit": 2, "generation": { "max_new_tokens": 6 } }),
    );
    assert!(result.rows.iter().all(|row| row.coverage == 1.0), "{result:?}");
    assert_eq!(result.rows[0].metric, "execution-accuracy", "the template's own metric, best first");
    assert!(result.rows.iter().all(|row| row.mean == Some(0.0)), "random weights know no SQL");

    let spec = AskSpec {
        model: "sql".into(),
        prompt: "How many customers are there?".into(),
        data: Some("shop".into()),
        num_fewshot: 1,
        ..AskSpec::default()
    };
    let Ok(Response::Asked(asked)) = client.call(Request::Ask(spec)) else { panic!("not asked") };
    assert!(asked.rendered.contains("How many customers are there?") && asked.rendered.contains("SELECT"));
}

#[test]
fn right_sql_is_right_and_wrong_sql_is_wrong() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    write_books(&project.path().join("books.sqlite"));
    let rows = [
        ("How many books?", "SELECT count(*) FROM books"),
        ("Longest title?", "SELECT title FROM books ORDER BY pages DESC LIMIT 1"),
    ];
    let lines: String =
        rows.iter().map(|(question, sql)| format!("{}\n", json!({ "question": question, "sql": sql }))).collect();
    std::fs::write(project.path().join("mine.jsonl"), lines).unwrap();
    let spec = json!({
        "name": "books", "path": "mine.jsonl", "template": "text-to-sql", "config": { "database": "books" },
        "databases": { "books": "books.sqlite" }, "splits": { "test": 1.0 },
    });
    assert_eq!(dataset(&mut client, spec).unwrap().n_rows, 2);
    let result =
        evaluate(&mut client, json!({ "model": "model", "data": "books", "generation": { "max_new_tokens": 4 } }));
    assert_eq!((result.rows[0].metric.as_str(), result.rows[0].n), ("execution-accuracy", 2));
    assert_eq!(result.rows[0].coverage, 1.0, "the gold statements run: {:?}", result.rows[0].errors);
}

#[test]
fn a_persons_own_database_makes_rows_too() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    write_books(&project.path().join("books.sqlite"));
    let spec = json!({
        "name": "books", "template": "text-to-sql", "rows": 12, "config": { "database": "books" },
        "databases": { "books": "books.sqlite" },
    });
    let info = dataset(&mut client, spec).unwrap();
    assert!(info.n_rows > 0 && info.sample.iter().flatten().any(|cell| cell.contains("books")), "{info:?}");
}

#[test]
fn what_is_wrong_with_a_template_is_pointed_at() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let spec =
        |template: &str, config: Value| json!({ "name": "x", "template": template, "rows": 5, "config": config });
    let cases = [
        (spec("text-to-sql", json!({ "databas": "shop" })), "/config/databas", FailureKind::InvalidRequest),
        (spec("text-to-sqll", json!({})), "/template", FailureKind::NotFound),
        (spec("exact-match", json!({})), "/template", FailureKind::InvalidRequest),
        (spec("missing.wasm", json!({})), "/template", FailureKind::NotFound),
    ];
    for (spec, pointer, kind) in cases {
        let failure = dataset(&mut client, spec).unwrap_err();
        assert_eq!(failure.location.as_ref().map(|at| at.pointer.as_str()), Some(pointer), "{failure:?}");
        assert_eq!(failure.kind, kind, "{failure:?}");
    }
    std::fs::write(project.path().join("core.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let failure = dataset(&mut client, spec("core.wasm", json!({}))).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Plugin);
}
