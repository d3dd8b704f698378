//! What a metric of sums may do beyond scoring: reduce, be dropped, run programs.

use std::time::{Duration, Instant};

use luthier_eval::Metric;
use serde_json::json;

use super::support::{host, table};
use crate::{Context, Host, HostConfig, MetricPlugin};

const REDUCER: &[u8] = include_bytes!("../../../../tests/guests/reducer/reducer.wasm");

fn reducer(host: &Host, behavior: &str) -> MetricPlugin {
    let plugin = host.load(REDUCER).unwrap();
    plugin.open_metric(&json!({ "behavior": behavior }), Context::default(), &Default::default()).unwrap()
}

/// The error of reducing two vectors, after which a fresh instance must still reduce.
fn reduce_error(behavior: &str) -> String {
    let sums = [vec![3.0], vec![5.0]];
    let error = reducer(host(), behavior).reduce(0, &sums).unwrap_err();
    assert_eq!(reducer(host(), "good").reduce(0, &sums).unwrap(), [3.0, 5.0], "after `{behavior}`");
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}

#[test]
fn a_reduce_that_misbehaves_is_an_error_with_its_fault() {
    for (behavior, expected) in [
        ("loop-in-reduce", "plugin `reducer`: reduce is out of fuel after"),
        ("panic-in-reduce", "plugin `reducer`: reduce trapped: wasm trap: wasm `unreachable` instruction executed"),
        ("too-few-values", "plugin `reducer`: reduce returned 1 values; expected 2 values"),
        ("too-many-values", "plugin `reducer`: reduce returned 3 values; expected 2 values"),
        ("nan-values", "plugin `reducer`: reduce returned NaN"),
        ("refuse", "plugin `reducer`: reduce failed: no"),
    ] {
        let error = reduce_error(behavior);
        assert!(error.starts_with(expected), "{behavior}: {error}");
    }
}

/// An instance ends with its store; the guest is not asked.
#[test]
fn a_guest_has_no_say_in_its_end() {
    let mut metric = reducer(host(), "loop-in-drop");
    metric.score_rows(&table(&[("prediction", &["abc"])])).unwrap();
    let start = Instant::now();
    drop(metric);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
#[ignore = "needs luthier-python.wasm"]
fn a_flood_of_programs_ends_with_the_calls_fuel() {
    let mut limits = super::support::limits();
    limits.exec.fuel_per_program = 200_000_000;
    limits.exec.fuel_per_call = 1_000_000_000;
    let exe = std::env::current_exe().unwrap();
    let target = exe.ancestors().nth(2).unwrap();
    let config = HostConfig {
        limits,
        python: Some(target.join("luthier-python.wasm")),
        cache_dir: Some(target.join("plugin-test-cache")),
    };
    let host = Host::new(config).unwrap();
    let mut metric = reducer(&host, "exec-flood");
    let error = metric.score_rows(&table(&[("prediction", &["a"])])).unwrap_err().to_string();
    // A thousand million, and two hundred million for the one row.
    assert_eq!(
        error,
        "plugin `reducer`: score failed: 6 programs, then: the programs of this call have used up what they have together"
    );
}
