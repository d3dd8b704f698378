//! What plugins cost: compile, instantiate, rows per second beside the same function natively, queries per
//! second. Prints one JSON object. `cargo xtask bench plugins` adds Python's sqlite3.
//!
//! Everything runs as it does in the engine: metered in fuel, with canonical NaNs and epochs.

#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use luthier_plugin_host::{Context, Host, HostConfig, build_database, builtin};
use serde_json::{Value, json};

const COLUMNS: &[u8] = include_bytes!("../../../tests/guests/columns/columns.wasm");
const ROWS: usize = 4_096;
const TEXT_BYTES: usize = 230;
const PAIRS: usize = 512;
const ROUNDS: usize = 7;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut report = serde_json::Map::new();
    let host = Host::new(HostConfig::default())?;
    report.insert("compile_ms".into(), compile(&host)?);
    let plugin = host.load(COLUMNS)?;
    let open = || plugin.open_metric(&json!({}), Context::default(), &BTreeMap::new());
    let instantiate = median((0..100).map(|_| seconds(|| open().map(drop))).collect::<Result<_, _>>()?);
    report.insert("instantiate_and_open_ms".into(), json!(instantiate * 1e3));
    report.insert("columns".into(), columns(&plugin)?);
    report.insert("sql".into(), sql(&host)?);
    println!("{}", Value::Object(report));
    Ok(())
}

/// Median time to compile each first-party component, without a cache.
fn compile(host: &Host) -> Result<Value, luthier_plugin_host::Error> {
    let mut times = serde_json::Map::new();
    for id in ["exact-match", "execution-accuracy", "text-to-sql"] {
        let bytes = builtin(id).unwrap_or_default();
        let rounds = (0..3).map(|_| seconds(|| host.load(bytes).map(drop))).collect::<Result<Vec<_>, _>>()?;
        times.insert(id.into(), json!(median(rounds) * 1e3));
    }
    Ok(Value::Object(times))
}

/// Two text columns in, one score out; beside the same function without a sandbox.
fn columns(plugin: &luthier_plugin_host::Plugin) -> Result<Value, luthier_plugin_host::Error> {
    let text = |row: usize, salt: usize| -> String {
        (0..TEXT_BYTES).map(|i| char::from(b'a' + ((row * 7 + i * salt) % 26) as u8)).collect()
    };
    let predictions: Vec<String> = (0..ROWS).map(|row| text(row, 3)).collect();
    let references: Vec<String> = (0..ROWS).map(|row| text(row, 5)).collect();
    let column = |values: &[String]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let rows = RecordBatch::try_from_iter([("prediction", column(&predictions)), ("reference", column(&references))]);
    let rows = rows.map_err(|error| luthier_plugin_host::Error::Runtime { detail: error.to_string() })?;
    let mut metric = plugin.open_metric(&json!({}), Context::default(), &BTreeMap::new())?;
    let n_bytes = (2 * TEXT_BYTES * ROWS) as f64;
    let (mut guest, mut native) = (Vec::new(), Vec::new());
    let mut sum = 0.0;
    for _ in 0..ROUNDS {
        guest.push(seconds(|| metric.score_rows(&rows).map(drop))?);
        let start = Instant::now();
        sum += predictions.iter().zip(&references).map(|(a, b)| luthier_columns::agreement(a, b)).sum::<f64>();
        native.push(start.elapsed().as_secs_f64());
    }
    let (guest, native) = (median(guest), median(native));
    Ok(json!({
        "rows": ROWS, "bytes_per_text": TEXT_BYTES,
        "guest_gb_per_s": n_bytes / guest / 1e9, "native_gb_per_s": n_bytes / native / 1e9,
        "guest_ns_per_row": guest / ROWS as f64 * 1e9, "ratio_to_native": guest / native,
        "fuel_per_row": metric.fuel_used() / (ROUNDS * ROWS) as u64, "mean": sum / (ROUNDS * ROWS) as f64,
    }))
}

/// Pairs of a gold and a predicted query, run and compared.
fn sql(host: &Host) -> Result<Value, Box<dyn std::error::Error>> {
    let directory = std::env::temp_dir().join(format!("luthier-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let path = directory.join("bench.sqlite");
    let rows: Vec<String> = (0..2_000).map(|i| format!("({i}, 'item {}', {}.5)", i % 97, i % 31)).collect();
    let script = format!(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL); INSERT INTO item VALUES {};",
        rows.join(",")
    );
    build_database(&script, &path)?;
    let queries: Vec<(String, String)> = (0..PAIRS)
        .map(|i| {
            let gold = format!(
                "SELECT name, count(*), sum(price) FROM item WHERE price > {} GROUP BY name ORDER BY name",
                i % 31
            );
            (gold.replace("price >", "item.price >"), gold)
        })
        .collect();
    let column = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("prediction", column(queries.iter().map(|(p, _)| p.as_str()).collect())),
        ("reference", column(queries.iter().map(|(_, g)| g.as_str()).collect())),
        ("database", column(vec!["bench"; PAIRS])),
    ])?;
    let databases: BTreeMap<String, PathBuf> = [("bench".to_owned(), path.clone())].into();
    let plugin = host.load(builtin("execution-accuracy").unwrap_or_default())?;
    let mut metric = plugin.open_metric(&json!({}), Context::default(), &databases)?;
    let rounds = (0..3).map(|_| seconds(|| metric.score_rows(&batch).map(drop))).collect::<Result<Vec<_>, _>>()?;
    let pairs = PAIRS as f64 / median(rounds);
    Ok(
        json!({ "pairs": PAIRS, "pairs_per_s": pairs, "database": path, "first_gold": queries.first().map(|(_, gold)| gold) }),
    )
}

fn seconds<E>(work: impl FnOnce() -> Result<(), E>) -> Result<f64, E> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
