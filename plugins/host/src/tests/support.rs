use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use luthier_eval::RowScore;
use serde_json::{Value, json};

use crate::{Context, Error, Host, HostConfig, Limits, MetricPlugin, Plugin, build_database};

pub(super) const HOSTILE: &[u8] = include_bytes!("../../../../tests/guests/hostile/hostile.wasm");

/// Small limits, so that running into them is quick.
pub(super) fn limits() -> Limits {
    let mut limits =
        Limits { fuel_per_call: 500_000_000, fuel_per_row: 1_000_000, memory_bytes: 64 << 20, ..Limits::default() };
    limits.sql.vm_steps_per_call = 5_000_000;
    limits.sql.vm_steps = 1_000_000;
    limits
}

/// One host for all tests: what one guest does to it, the next one would notice.
pub(super) fn host() -> &'static Host {
    static HOST: LazyLock<Host> =
        LazyLock::new(|| Host::new(HostConfig { limits: limits(), ..HostConfig::default() }).unwrap());
    &HOST
}

/// Compiled once.
pub(super) fn hostile_plugin() -> &'static Plugin {
    static PLUGIN: LazyLock<Plugin> = LazyLock::new(|| host().load(HOSTILE).unwrap());
    &PLUGIN
}

pub(super) fn builtin_plugin(id: &str) -> Plugin {
    static PLUGINS: LazyLock<Mutex<BTreeMap<String, Plugin>>> = LazyLock::new(Mutex::default);
    let mut plugins = PLUGINS.lock().unwrap();
    plugins.entry(id.to_owned()).or_insert_with(|| host().load(crate::builtin(id).unwrap()).unwrap()).clone()
}

pub(super) fn table(columns: &[(&str, &[&str])]) -> RecordBatch {
    RecordBatch::try_from_iter(
        columns
            .iter()
            .map(|(name, values)| (*name, Arc::new(StringArray::from_iter_values(values.iter())) as ArrayRef)),
    )
    .unwrap()
}

pub(super) fn hostile(behavior: &str) -> Result<MetricPlugin, Error> {
    hostile_plugin().open_metric(&json!({ "behavior": behavior }), Context::default(), &BTreeMap::new())
}

/// The error of scoring five rows, after which a fresh instance must still score.
pub(super) fn score_error(behavior: &str) -> Error {
    let rows = table(&[("prediction", &["a", "b", "c", "d", "e"])]);
    let outcome = hostile(behavior).and_then(|mut metric| metric.score_rows(&rows));
    let good = hostile("good").unwrap().score_rows(&rows).unwrap();
    assert_eq!(good, vec![RowScore::Score(1.0); 5], "the host works after `{behavior}`");
    outcome.expect_err(behavior)
}

pub(super) fn shop() -> (tempfile::TempDir, BTreeMap<String, PathBuf>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.sqlite");
    let script = "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL);
        INSERT INTO item VALUES (1, 'pen', 1.5), (2, 'ink', 7.25), (3, 'pad', 4.0);";
    build_database(script, &path).unwrap();
    (directory, [("db".to_owned(), path)].into())
}

pub(super) fn builtin_metric(id: &str, config: &Value, databases: &BTreeMap<String, PathBuf>) -> MetricPlugin {
    builtin_plugin(id).open_metric(config, Context::default(), databases).unwrap()
}
