use luthier_protocol::response::{AdapterInfo, DatasetInfo, Evaluation, ScoreRow};

use super::*;
use crate::os::FileSystem;

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

fn run(name: &str) -> RunRecord {
    RunRecord {
        run: String::new(),
        name: name.into(),
        status: RunStatus::Running,
        model: "pico".into(),
        data: "shop".into(),
        global_step: 3,
        total_steps: 9,
        loss: Some(1.5),
        started: "2026-01-01T00:00:00Z".into(),
        seconds: 2.0,
        message: None,
        recipe: "{}".into(),
        result: None,
        owner: Owner { host: "h".into(), boot_id: "b".into(), pid: 1, process_start: 2 },
        updated_ms: 7,
    }
}

#[test]
fn runs_get_ids_of_their_own_and_come_back_as_they_were() {
    let (_dir, mut store) = store();
    assert_eq!(store.add_run(&run("a")).unwrap(), "a-1");
    assert_eq!(store.add_run(&run("a")).unwrap(), "a-2");
    let stored = store.run_record("a-2").unwrap().unwrap();
    assert_eq!(stored, RunRecord { run: "a-2".into(), ..run("a") });

    store.put_run(&RunRecord { status: RunStatus::Paused, loss: None, ..stored }).unwrap();
    let ids: Vec<_> = store.run_records().unwrap().into_iter().map(|r| (r.run, r.status)).collect();
    assert_eq!(ids, [("a-2".into(), RunStatus::Paused), ("a-1".into(), RunStatus::Running)]);
    assert_eq!(store.run_record("b-1").unwrap(), None);
}

#[test]
fn datasets_adapters_and_model_names_come_back() {
    let (_dir, store) = store();
    let info = DatasetInfo {
        name: "shop".into(),
        fingerprint: "sha256:00".into(),
        n_rows: 1,
        splits: vec![("train".into(), 1)],
        columns: Vec::new(),
        template: None,
        source: "x.csv".into(),
        accounting: Default::default(),
        sample: Vec::new(),
        warnings: Vec::new(),
    };
    let record = DatasetRecord { info, dir: "datasets/shop/00".into(), source_digest: "d".into(), spec: "{}".into() };
    store.put_dataset(&record, "now").unwrap();
    assert_eq!(store.dataset("shop").unwrap(), Some(record.clone()));
    assert_eq!(store.datasets().unwrap(), [record]);

    let adapter = AdapterInfo {
        name: "a".into(),
        base_model: "pico".into(),
        dir: "/d".into(),
        method: "lora".into(),
        n_trainable: 1,
        run: "a-1".into(),
        data: "shop".into(),
        final_loss: 0.5,
        created: "now".into(),
    };
    store.put_adapter(&adapter).unwrap();
    assert_eq!(store.adapters().unwrap(), [adapter]);

    store.put_model_name("mine", "/models/x").unwrap();
    assert_eq!(store.model_names().unwrap(), [("mine".into(), "/models/x".into())]);
}

#[test]
fn an_evaluation_replaces_its_own_scores_only() {
    let (_dir, mut store) = store();
    let evaluation = |name: &str, n: usize| Evaluation {
        name: name.into(),
        data: "d".into(),
        split: "test".into(),
        confidence: 0.95,
        rows: vec![score(name); n],
        comparisons: Vec::new(),
        examples: Vec::new(),
        predictions: String::new(),
        seconds: 0.0,
    };
    store.put_evaluation(&evaluation("a", 3), "1").unwrap();
    store.put_evaluation(&evaluation("b", 2), "2").unwrap();
    store.put_evaluation(&evaluation("a", 1), "3").unwrap();
    let names: Vec<_> = store.scores().unwrap().into_iter().map(|row| row.evaluation).collect();
    assert_eq!(names, ["b", "b", "a"]);
    assert!(store.has_evaluation("a").unwrap() && !store.has_evaluation("c").unwrap());
}

fn score(evaluation: &str) -> ScoreRow {
    ScoreRow {
        model: "pico".into(),
        metric: "exact-match".into(),
        part: "all".into(),
        mean: Some(0.5),
        low: Some(0.1),
        high: Some(0.9),
        n: 2,
        coverage: 1.0,
        errors: Default::default(),
        interval: "wilson".into(),
        aggregation: "proportion".into(),
        higher_is_better: true,
        signature: Default::default(),
        evaluation: evaluation.into(),
    }
}

#[test]
fn a_store_of_a_newer_engine_is_refused_and_left_alone() {
    let (dir, store) = store();
    drop(store);
    let path = dir.path().join(FILE_NAME);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = Store::open(dir.path()).unwrap_err();
    assert!(matches!(error, Error::StoreTooNew { found: 99, .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn another_programs_database_and_plain_rubbish_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
    assert!(matches!(Store::open(dir.path()), Err(Error::NotAStore { .. })));

    std::fs::write(&path, b"this is no database, but it is long enough to be looked at".repeat(40)).unwrap();
    assert!(matches!(Store::open(dir.path()), Err(Error::Store { .. })));
}

#[test]
fn the_journal_suits_the_file_system() {
    for (file_system, expected) in [(FileSystem::Local, "wal"), (FileSystem::Network("NFS"), "delete")] {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_on(dir.path(), file_system).unwrap();
        assert_eq!(store.journal_mode().unwrap(), expected);
    }
}
