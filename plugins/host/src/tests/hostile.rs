use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use luthier_eval::RowScore;
use serde_json::json;

use super::support::{HOSTILE, hostile, hostile_plugin, limits, score_error, shop, table};
use crate::{Context, Error, Host, HostConfig, Limits};

#[test]
fn endless_loops_run_out_of_fuel() {
    let error = score_error("loop");
    let Error::OutOfFuel { call: "score", used, limit: 600_000_000, .. } = error else { panic!("{error}") };
    assert!(used >= 599_999_000);
    assert_eq!(
        score_error("loop-in-open").to_string(),
        "plugin `hostile`: open is out of fuel after 500000000 (limit 500000000)"
    );
}

#[test]
fn memory_and_stacks_are_limited() {
    let error = score_error("memory-bomb");
    let Error::OutOfMemory { call: "score", requested, limit: 67_108_864, .. } = error else { panic!("{error}") };
    assert!(requested > 67_108_864);
    assert_eq!(score_error("recursion").to_string(), "plugin `hostile`: score overflowed its stack of 524288 bytes");
    // Arrays lie on a second stack, in the guest's own memory.
    let error = score_error("large-frames").to_string();
    assert_eq!(error, "plugin `hostile`: score trapped: wasm trap: out of bounds memory access");
}

#[test]
fn a_panic_is_reported_with_its_message() {
    let error = score_error("panic").to_string();
    assert!(error.contains("score trapped: wasm trap: wasm `unreachable` instruction executed"), "{error}");
    assert!(error.contains("row 5 is not to my taste"), "{error}");
}

#[test]
fn an_instance_ends_with_its_first_trap() {
    let rows = table(&[("prediction", &["a"])]);
    let mut metric = hostile("panic").unwrap();
    metric.score_rows(&rows).unwrap_err();
    assert_eq!(
        metric.score_rows(&rows).unwrap_err().to_string(),
        "plugin `hostile`: score cannot run, since an earlier call failed; open the plugin again"
    );
}

#[test]
fn wrong_batches_are_refused_with_their_fault() {
    for (behavior, finding) in [
        ("too-few-rows", "returned 4 rows; expected 5 rows"),
        ("lying-row-count", "returned 4; expected 5 values in column `score`"),
        ("no-column", "returned a batch without it; expected the column `score`"),
        ("extra-column", "returned the column `surprise`; expected the columns `score`, `error`"),
        ("column-twice", "returned the column `score` twice; expected distinct column names"),
        ("wrong-type", "returned type utf8; expected column `score` of type float64"),
        ("ipc", "returned type ipc; expected column `score` of type float64"),
        ("nan", "returned NaN at row 0; expected finite numbers in column `score`"),
        ("infinite", "returned inf at row 0; expected finite numbers in column `score`"),
        ("out-of-bounds", "returned 1.5 at row 0; expected scores from 0 to 1"),
        ("null-without-error", "returned neither at row 0; expected a score or an error"),
        ("falling-offsets", "returned [3, 1] at row 1; expected offsets of column `error` that rise from 0 to 3"),
        (
            "offsets-past-the-end",
            "returned a last offset of 900; expected offsets of column `error` that rise from 0 to 3",
        ),
        (
            "bytes-past-the-offsets",
            "returned a last offset of 2; expected offsets of column `error` that rise from 0 to 3",
        ),
        ("first-offset", "returned a first offset of 1; expected offsets of column `error` that rise from 0 to 3"),
        ("too-few-offsets", "returned 2; expected 6 offsets in column `error`"),
        ("short-validity", "returned 0; expected 1 bytes of validity in column `score`"),
    ] {
        let error = score_error(behavior).to_string();
        assert_eq!(error, format!("plugin `hostile`: score {finding}"), "{behavior}");
    }
    for behavior in ["invalid-utf8", "split-character"] {
        let error = score_error(behavior).to_string();
        assert!(error.contains("expected UTF-8 in column `error`"), "{behavior}: {error}");
    }
}

#[test]
fn a_huge_result_is_not_copied() {
    let error = score_error("huge-result").to_string();
    assert!(error.starts_with("plugin `hostile`: score"), "{error}");
}

#[test]
fn text_for_people_has_no_escapes() {
    let plugin = hostile_plugin();
    assert_eq!(plugin.summary(), "misbehaves on purpose");
    let error = hostile("refuse-config").err().unwrap().to_string();
    assert_eq!(error, "plugin `hostile`: invalid configuration; /behavior: no such thing");
    assert_eq!(score_error("refuse").to_string(), "plugin `hostile`: score failed: no");
}

#[test]
fn a_log_flood_is_cut() {
    let mut metric = hostile("log-flood").unwrap();
    // Formatting 100,000 lines may run out of fuel; the log is what this looks at.
    let _ = metric.score_rows(&table(&[("prediction", &["a"])]));
    let log = metric.take_log();
    assert!(log.len() <= limits().log_lines + 1, "{} lines", log.len());
    assert!(log.iter().all(|line| line.len() < 2_100 && !line.contains('\u{1b}')));
    assert!(metric.take_log().is_empty());
}

#[test]
fn floods_of_handles_and_queries_are_limited() {
    let (_directory, databases) = shop();
    let plugin = hostile_plugin();
    let run = |behavior: &str| {
        let config = json!({ "behavior": behavior });
        let mut metric = plugin.open_metric(&config, Context::default(), &databases).unwrap();
        metric.score_rows(&table(&[("prediction", &["a"])])).unwrap_err().to_string()
    };
    assert_eq!(
        run("handle-flood"),
        "plugin `hostile`: score failed: 64 opened for 1 rows, then denied: at most 64 databases may be open at once"
    );
    // Fifty queries of a million steps each: the call's five million end with the fifth.
    assert_eq!(run("sql-flood"), "plugin `hostile`: score failed: over budget: more than 0 steps");
    assert_eq!(
        run("ungranted"),
        "plugin `hostile`: score failed: denied: database `secret` is not granted; granted: db"
    );
}

#[test]
fn a_person_can_interrupt() {
    let host = Host::new(HostConfig {
        limits: Limits { fuel_per_call: u64::MAX / 2, ..Limits::default() },
        ..HostConfig::default()
    })
    .unwrap();
    let cancel = Arc::new(AtomicBool::new(false));
    let context = Context { cancel: Some(cancel.clone()), ..Context::default() };
    let plugin = host.load(HOSTILE).unwrap();
    let mut metric = plugin.open_metric(&json!({ "behavior": "loop" }), context, &Default::default()).unwrap();
    let start = Instant::now();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            cancel.store(true, Ordering::Relaxed);
        });
        metric.score_rows(&table(&[("prediction", &["a"])])).unwrap_err()
    });
    assert_eq!(error.to_string(), "plugin `hostile`: score was interrupted");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn the_backstop_ends_what_fuel_does_not() {
    let limits = Limits { fuel_per_call: u64::MAX / 2, backstop_s: 1, ..Limits::default() };
    let host = Host::new(HostConfig { limits, ..HostConfig::default() }).unwrap();
    let plugin = host.load(HOSTILE).unwrap();
    let config = json!({ "behavior": "loop" });
    let mut metric = plugin.open_metric(&config, Context::default(), &Default::default()).unwrap();
    let error = metric.score_rows(&table(&[("prediction", &["a"])])).unwrap_err();
    assert_eq!(error.to_string(), "plugin `hostile`: score ran for 1 s; the run is invalid");
}

#[test]
fn state_in_a_session_is_the_plugins_own() {
    let rows = table(&[("prediction", &["a", "b", "c"])]);
    let (mut one, mut two) = (hostile("state").unwrap(), hostile("state").unwrap());
    let first = one.score_rows(&rows).unwrap();
    assert_ne!(one.score_rows(&rows).unwrap(), first);
    assert_eq!(two.score_rows(&rows).unwrap(), first);
    assert_eq!(first, [0.0, 1.0, 0.0].map(RowScore::Score));
}
