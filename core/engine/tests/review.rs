//! People's edits: recorded for good, applied to what is trained on, required if a recipe says so.

#![allow(clippy::disallowed_methods, reason = "files of a test need no atomic writer")]

mod common;

use std::collections::BTreeMap;

use common::{Client, EngineProcess, finetune, project, recipe};
use luthier_protocol::response::Reviewed;
use luthier_protocol::spec::{DatasetSpec, ReviewSpec, RowCells};
use luthier_protocol::{FailureKind, Request, Response};

fn review(client: &mut Client, spec: ReviewSpec) -> Reviewed {
    match client.call(Request::Review(ReviewSpec { data: "d".into(), by: Some("Ada".into()), ..spec })) {
        Ok(Response::Reviewed(reviewed)) => reviewed,
        other => panic!("not reviewed: {other:?}"),
    }
}

fn import(client: &mut Client, overwrite: bool) -> String {
    let splits = BTreeMap::from([("train".to_owned(), 1.0)]);
    let path = Some("rows.jsonl".into());
    let spec = DatasetSpec { name: Some("d".into()), path, splits, overwrite, ..DatasetSpec::default() };
    match client.call(Request::Dataset(spec)) {
        Ok(Response::Dataset(made)) => made.fingerprint,
        other => panic!("not imported: {other:?}"),
    }
}

fn cell(row: u64, column: &str, text: &str) -> Vec<RowCells> {
    vec![RowCells { row, cells: BTreeMap::from([(column.to_owned(), text.to_owned())]) }]
}

fn completions(client: &mut Client) -> Vec<String> {
    let Ok(Response::Rows { path, .. }) = client.call(Request::Rows { data: "d".into(), split: None }) else {
        panic!("no rows")
    };
    let row = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["completion"].as_str().unwrap().to_owned()
    };
    std::fs::read_to_string(path).unwrap().lines().map(row).collect()
}

#[test]
fn edits_change_what_is_trained_on_and_stay_on_record() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let imported = import(&mut client, false);
    let first = review(&mut client, ReviewSpec { limit: 2, ..ReviewSpec::default() });
    assert_eq!((first.n_rows, first.left, first.next.len()), (20, 20, 2));
    assert_eq!((first.fingerprint.clone(), first.next[0].row), (imported.clone(), 1));

    let spec = ReviewSpec {
        accept: vec![1, 2],
        reject: vec![3],
        correct: cell(4, "completion", "better"),
        label: cell(5, "topic", "numbers"),
        reason: Some("checked".into()),
        limit: 1,
        ..ReviewSpec::default()
    };
    let done = review(&mut client, spec);
    assert_eq!((done.accepted, done.rejected, done.corrected, done.labeled, done.left), (2, 1, 1, 1, 16));
    assert_eq!(done.next[0].row, 5, "rows without a verdict come first");
    assert_ne!(done.fingerprint, imported);
    assert_eq!(done.source_fingerprint, imported);
    let correction = done.recorded.iter().find(|edit| edit.action == "correct").unwrap();
    assert_eq!((correction.old.as_deref(), correction.new.as_deref()), (Some("0"), Some("better")));
    assert_eq!((correction.who.as_str(), correction.reason.as_deref()), ("Ada", Some("checked")));
    assert!(correction.at.ends_with('Z'));

    let rows = completions(&mut client);
    assert_eq!((rows.len(), rows[2].as_str()), (19, "better"));

    // The edits still fit after more rows were imported.
    let mut file = std::fs::read_to_string(project.path().join("rows.jsonl")).unwrap();
    file.insert_str(0, "{\"prompt\": \"new\", \"completion\": \"row\"}\n");
    std::fs::write(project.path().join("rows.jsonl"), file).unwrap();
    import(&mut client, true);
    let rows = completions(&mut client);
    assert_eq!((rows.len(), rows[0].as_str(), rows[3].as_str()), (20, "row", "better"));
    let again = review(&mut client, ReviewSpec::default());
    assert_eq!((again.n_rows, again.accepted, again.rejected, again.corrected, again.left), (21, 2, 1, 1, 17));

    // Taken back, as another edit.
    let back = review(&mut client, ReviewSpec { accept: vec![4], ..ReviewSpec::default() });
    assert_eq!((back.rejected, back.accepted), (0, 3));
    assert_eq!(completions(&mut client).len(), 21);
    let store = rusqlite::Connection::open(project.path().join(".luthier/store.sqlite")).unwrap();
    let n_edits: i64 = store.query_row("SELECT count(*) FROM reviews", [], |row| row.get(0)).unwrap();
    assert_eq!(n_edits, 6, "every edit is there, the one taken back too");
    for change in ["UPDATE reviews SET edit = '{}'", "DELETE FROM reviews"] {
        assert!(store.execute(change, []).is_err(), "{change}");
    }
}

#[test]
fn a_recipe_can_require_that_every_row_was_judged() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    import(&mut client, false);
    let spec = || {
        let mut spec = recipe("reviewed", 2);
        spec.data = "d".into();
        spec.require_review = true;
        spec
    };
    let failure = client.call(finetune(spec())).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Data);
    assert!(failure.message.contains("20 of 20 rows"), "{}", failure.message);
    assert_eq!(failure.location.unwrap().pointer, "/require_review");

    let judged = ReviewSpec { accept: (1..=18).collect(), reject: vec![19], ..ReviewSpec::default() };
    review(&mut client, judged);
    let failure = client.call(finetune(spec())).unwrap_err();
    assert!(failure.message.contains("1 of 20 rows"), "{}", failure.message);

    review(&mut client, ReviewSpec { correct: cell(20, "completion", "right"), ..ReviewSpec::default() });
    assert!(matches!(client.call(finetune(spec())), Ok(Response::Finetuned(done)) if done.n_examples == 19));
}

#[test]
fn edits_that_make_no_sense_are_refused_and_not_recorded() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    import(&mut client, false);
    let cases = [
        (ReviewSpec { accept: vec![21], ..ReviewSpec::default() }, "from 1 to 20"),
        (ReviewSpec { reject: vec![0], ..ReviewSpec::default() }, "from 1 to 20"),
        (ReviewSpec { correct: cell(1, "complet", "x"), ..ReviewSpec::default() }, "did you mean `completion`?"),
        (ReviewSpec { reject: (1..=20).collect(), ..ReviewSpec::default() }, "none of 20 rows can be used"),
        (ReviewSpec { label: cell(1, "split", "test"), ..ReviewSpec::default() }, "another column"),
    ];
    for (spec, expected) in cases {
        let failure = client.call(Request::Review(ReviewSpec { data: "d".into(), ..spec })).unwrap_err();
        assert!(failure.message.contains(expected), "{}", failure.message);
    }
    assert_eq!(review(&mut client, ReviewSpec::default()).left, 20);
}
