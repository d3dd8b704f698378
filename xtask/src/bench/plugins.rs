//! `cargo xtask bench plugins`: the figures of `benches/src/bin/plugins.rs`, beside Python's sqlite3.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::shell;

/// The same pairs, the same database, compared as multisets.
const PYTHON: &str = r#"
import collections, json, sqlite3, sys, time
path, pairs = sys.argv[1], int(sys.argv[2])
connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
def pair(i):
    gold = f"SELECT name, count(*), sum(price) FROM item WHERE price > {i % 31} GROUP BY name ORDER BY name"
    found = [connection.execute(sql).fetchall() for sql in (gold, gold.replace("price >", "item.price >"))]
    return collections.Counter(found[0]) == collections.Counter(found[1])
times = []
for _ in range(3):
    start = time.perf_counter()
    assert all(pair(i) for i in range(pairs))
    times.append(time.perf_counter() - start)
print(json.dumps({"pairs_per_s": pairs / sorted(times)[1], "sqlite": sqlite3.sqlite_version}))
"#;

pub(super) fn run(args: &[String]) -> Result<()> {
    let json_file = match args {
        [] => None,
        [flag, path] if flag == "--json" => Some(PathBuf::from(path)),
        _ => bail!("usage: cargo xtask bench plugins [--json FILE]"),
    };
    let build = ["build", "--quiet", "-p", "luthier-benches", "--bin", "plugins"];
    shell::run(shell::cargo().args(build))?;
    let text = shell::output(&mut Command::new(shell::binary("plugins")))?;
    let mut report: Value = serde_json::from_str(&text).context("the bench prints no JSON")?;
    let path = report.pointer("/sql/database").and_then(Value::as_str).unwrap_or_default().to_owned();
    let pairs = report.pointer("/sql/pairs").map(Value::to_string).unwrap_or_default();
    let python = shell::output(Command::new("python3").args(["-c", PYTHON, &path, &pairs]))?;
    let python: Value = serde_json::from_str(&python)?;
    if let (Some(sql), Some(theirs)) = (report.get_mut("sql").and_then(Value::as_object_mut), python.get("pairs_per_s"))
    {
        let ours = sql.get("pairs_per_s").and_then(Value::as_f64).unwrap_or(f64::NAN);
        sql.insert("python_pairs_per_s".into(), theirs.clone());
        sql.insert("ratio_to_python".into(), json!(ours / theirs.as_f64().unwrap_or(f64::NAN)));
    }
    let text = serde_json::to_string_pretty(&report)?;
    shell::say(&text);
    if let Some(path) = json_file {
        std::fs::write(&path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
