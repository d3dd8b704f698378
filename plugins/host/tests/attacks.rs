//! One attack per line of docs/plugins-security.md, one guest or one test for each, with the exact
//! error; after each, the next call works, and no thread is left.
//!
//! The guests are the `.wat` files of `tests/guests/attacks/`: each is a core module that this test wraps
//! as a row metric. `UPDATE=1 cargo test -p luthier-plugin-host --test attacks` writes the table anew.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod table;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use luthier_plugin_host::{Context, Host, HostConfig, Limits, golden};
use serde_json::json;

use table::{Contained, LINES};

const FUEL: u64 = 50_000_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn limits() -> Limits {
    Limits {
        fuel_per_call: FUEL,
        fuel_per_row: 0,
        memory_bytes: 64 << 20,
        transfer_bytes: 16 << 20,
        ..Limits::default()
    }
}

fn host(limits: Limits) -> Host {
    Host::new(HostConfig { limits, ..HostConfig::default() }).unwrap()
}

/// The component around a guest's core module.
fn component(name: &str) -> Vec<u8> {
    let path = root().join("tests/guests/attacks").join(format!("{name}.wat"));
    let module = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let encoding = if name == "utf-16" { " string-encoding=utf16" } else { "" };
    let post = if module.contains("\"post-return\"") { r#" (post-return (core func $i "post-return"))"# } else { "" };
    let memory = r#"(memory (core memory $i "memory")) (realloc (core func $i "realloc"))"#;
    wrap(&format!(
        r#"{module}
        (core instance $i (instantiate $m))
        (func $describe (result string) (canon lift (core func $i "describe") {memory}{encoding}{post}))
        (func $score-row (param "prediction" string) (param "reference" string) (param "config" string)
            (result (result f64 (error $error))) (canon lift (core func $i "score-row") {memory}))
        (export "describe" (func $describe))
        (export "score-row" (func $score-row))"#
    ))
}

fn wrap(body: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(component
        (import "luthier:plugin/data@0.1.0" (instance $data
            (type $issue (record (field "pointer" string) (field "message" string)))
            (export "issue" (type $issue-e (eq $issue)))
            (type $row-issue (record (field "row" u32) (field "column" (option string)) (field "code" string) (field "message" string)))
            (export "row-issue" (type $row-issue-e (eq $row-issue)))
            (type $error (variant
                (case "invalid-config" (list $issue-e)) (case "schema-mismatch" string)
                (case "invalid-rows" (list $row-issue-e)) (case "unsupported" string) (case "internal" string)))
            (export "error" (type (eq $error)))))
        (alias export $data "error" (type $error))
        {body})"#
    ))
    .unwrap_or_else(|error| panic!("{error}"))
}

fn rows() -> RecordBatch {
    let column = |text: &str| Arc::new(StringArray::from(vec![text; 3])) as ArrayRef;
    RecordBatch::try_from_iter([("prediction", column("a")), ("reference", column("b"))]).unwrap()
}

/// Load, open, score three rows: the error of the first that fails, or what came of it.
fn run(host: &Host, bytes: &[u8]) -> String {
    let plugin = match host.load(bytes) {
        Ok(plugin) => plugin,
        Err(error) => return error.to_string(),
    };
    let scores = plugin
        .open_metric(&json!({}), Context::default(), &Default::default())
        .and_then(|mut metric| metric.score_rows(&rows()));
    match scores {
        Ok(scores) => format!("{}: {scores:?} ({})", plugin.id(), plugin.summary()),
        Err(error) => error.to_string(),
    }
}

/// Whether a text is the expected one, where `…` stands for any: a digest, or wasmtime's own words.
fn fits(found: &str, expected: &str) -> bool {
    let parts: Vec<&str> = expected.split('…').collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    let mut rest = found;
    if !found.starts_with(first) || (parts.len() == 1 && found != expected) || !found.ends_with(last) {
        return false;
    }
    parts.iter().all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// Threads of this process that run a guest. The compiler's pool, which starts with the first plugin and stays,
/// inherits the name: callers compare with the number after a first one.
fn guest_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks.flatten().map(name).filter(|name| name.trim() == "plugin").count()
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Threads and memory are the process's: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn every_attack_is_contained_and_the_host_works_on() {
    let _alone = alone();
    let host = host(limits());
    let good = component("good");
    run(&host, &good);
    // Somebody else's evaluation, which goes on through all of this.
    let other = host.load(&good).unwrap();
    let mut other = other.open_metric(&json!({}), Context::default(), &Default::default()).unwrap();
    let (before, threads) = (resident_bytes(), guest_threads());
    let mut failures = Vec::new();
    let mut n_alive = 0;
    for line in LINES {
        let (name, found, expected) = match &line.contained {
            Contained::Guest { guest, error } => (*guest, run(&host, &component(guest)), *error),
            Contained::Component { name, text, error } => (*name, run(&host, &wrap(&text())), *error),
            Contained::Bytes { name, bytes, error } => (*name, run(&host, &bytes(&good)), *error),
            Contained::Elsewhere { .. } => continue,
        };
        if !fits(&found, expected) {
            failures.push(format!("{name}\n    expected {expected}\n    found    {found}"));
        }
        let after = run(&host, &good);
        if !after.starts_with("attack: [Score(1.0), Score(1.0), Score(1.0)]") {
            failures.push(format!("after {name} the good plugin says {after}"));
        }
        if other.score_rows(&rows()).is_ok_and(|scores| scores.len() == 3) {
            n_alive += 1;
        } else {
            failures.push(format!("{name} ends another plugin's session"));
        }
        if guest_threads() != threads {
            failures.push(format!("{name} leaves a thread"));
        }
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(n_alive > 40, "{n_alive} attacks were made");
    // Freed memory may stay with the allocator; a leak of guests' memories would be gigabytes.
    assert!(grown < 256 << 20, "{grown} bytes more are resident");
}

#[test]
fn a_limit_of_fuel_is_exact() {
    let _alone = alone();
    let bytes = component("counted-loop");
    let used = {
        let plugin = host(limits()).load(&bytes).unwrap();
        let mut metric = plugin.open_metric(&json!({}), Context::default(), &Default::default()).unwrap();
        let before = metric.receipt().fuel;
        metric.score_rows(&rows().slice(0, 1)).unwrap();
        metric.receipt().fuel - before
    };
    assert!(used > 100_000, "{used}");
    // `open` scores an empty row and instantiates; give the score exactly what it takes.
    let score_with = |fuel: u64| {
        let plugin = host(Limits { fuel_per_call: fuel, ..limits() }).load(&bytes).unwrap();
        let mut metric = plugin.open_metric(&json!({}), Context::default(), &Default::default())?;
        metric.score_rows(&rows().slice(0, 1))
    };
    let (mut too_little, mut enough) = (used / 2, used * 2);
    while enough - too_little > 1 {
        let middle = too_little.midpoint(enough);
        if score_with(middle).is_ok() { enough = middle } else { too_little = middle }
    }
    let error = score_with(too_little).unwrap_err().to_string();
    assert!(error.contains("is out of fuel after") && error.ends_with(&format!("(limit {too_little})")), "{error}");
    assert_eq!(score_with(enough).unwrap().len(), 1);
}

#[test]
fn state_between_rows_is_found_by_its_golden_cases() {
    let _alone = alone();
    let host = host(limits());
    let plugin = host.load(&component("state-between-rows")).unwrap();
    // The opening probe is the first call, so these are the second to fourth.
    let case = json!({
        "rows": [{"prediction": "a", "reference": "b"}, {"prediction": "c", "reference": "d"}, {"prediction": "e", "reference": "f"}],
        "expect": [{"score": 1}, {"score": 0}, {"score": 1}],
    });
    let error = golden::replay(&plugin, &[case]).unwrap_err().to_string();
    assert_eq!(
        error,
        "plugin `attack`: golden case \"number 1\" does not hold: row 0 has another score when the rows come in another order"
    );
}

/// What an author needs to find a trap: the function, the row, an excerpt.
#[test]
fn a_trap_names_the_function_and_the_row() {
    let _alone = alone();
    let host = host(limits());
    let plugin = host.load(&component("trap-at-long-text")).unwrap();
    let mut metric = plugin.open_metric(&json!({}), Context::default(), &Default::default()).unwrap();
    let column = |texts: [&str; 2]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    let rows = RecordBatch::try_from_iter([
        ("prediction", column(["ok", "too \u{1b}[31mlong"])),
        ("reference", column(["a", "b"])),
    ]);
    assert_eq!(
        metric.score_rows(&rows.unwrap()).unwrap_err().to_string(),
        "plugin `attack`: score-row trapped: wasm trap: wasm `unreachable` instruction executed; in judge < score; \
         at row 1, prediction \"too long\", reference \"b\""
    );
}

/// Mutants of good components: flipped, cut, duplicated and moved bytes. Anything but a crash will do.
#[test]
fn mutants_are_refused_or_run_and_never_more() {
    let _alone = alone();
    let host = host(Limits { backstop_s: 5, ..limits() });
    let seconds: u64 = option_env!("LUTHIER_FUZZ_S").and_then(|text| text.parse().ok()).unwrap_or(4);
    let start = std::time::Instant::now();
    let mut random = luthier_plugin::Rng::new(1);
    run(&host, &component("good"));
    let threads = guest_threads();
    let corpus = ["good", "duplicate-keys", "loop-in-score", "trap"].map(component);
    let (mut refused, mut loaded) = (0u32, 0u32);
    while start.elapsed().as_secs() < seconds {
        let mut bytes = random.choose(&corpus).unwrap().clone();
        for _ in 0..=random.below(4) {
            mutate(&mut bytes, &mut random);
        }
        match host.load(&bytes) {
            Ok(_) => {
                loaded += 1;
                run(&host, &bytes);
            }
            Err(_) => refused += 1,
        }
    }
    assert!(run(&host, &corpus[0]).starts_with("attack: "));
    assert!(refused > 10 * loaded.min(10), "{refused} refused, {loaded} loaded");
    assert_eq!(guest_threads(), threads);
}

fn mutate(bytes: &mut Vec<u8>, random: &mut luthier_plugin::Rng) {
    let at = random.below(bytes.len());
    let length = random.below(64).min(bytes.len() - at);
    match random.below(6) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.below(256) as u8,
        2 => bytes.truncate(at.max(8)),
        3 => {
            let part = bytes[at..at + length].to_vec();
            bytes.splice(at..at, part);
        }
        4 => drop(bytes.drain(at..at + length)),
        _ => {
            let part = bytes[at..at + length].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, part);
        }
    }
    if bytes.len() < 8 {
        *bytes = b"\0asm\x0d\0\x01\0".to_vec();
    }
}

/// The document lists every line with its test, and every test that it names exists.
#[test]
fn the_document_is_this_table() {
    let mut text = String::from(
        "# What plugins are held to\n\nGenerated from `plugins/host/tests/table/mod.rs` by `UPDATE=1 cargo test -p luthier-plugin-host \
         --test attacks`; a test fails when\nit is not. Each line is an attack and how it ends; after each, the next plugin works.\n",
    );
    let mut group = "";
    for line in LINES {
        if line.group != group {
            group = line.group;
            text += &format!("\n## {group}\n\n| attack | ends in | test |\n|---|---|---|\n");
        }
        let (ends, test) = match &line.contained {
            Contained::Guest { guest, error } => (*error, format!("`tests/guests/attacks/{guest}.wat`")),
            Contained::Component { name, error, .. } | Contained::Bytes { name, error, .. } => {
                (*error, format!("`attacks.rs`: {name}"))
            }
            Contained::Elsewhere { file, test, ends } => {
                let source =
                    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
                assert!(source.contains(&format!("fn {test}(")), "{file} has no test {test}");
                (*ends, format!("`{file}`: `{test}`"))
            }
        };
        text += &format!("| {} | {} | {test} |\n", line.attack, ends.replace('|', "\\|"));
    }
    let path = root().join("docs/plugins-security.md");
    if std::env::var_os("UPDATE").is_some() {
        #[allow(clippy::disallowed_methods, reason = "a developer asked for the file")]
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == text,
        "docs/plugins-security.md is not up to date: UPDATE=1 cargo test -p luthier-plugin-host --test attacks"
    );
}
