//! Servers that speak OpenAI's interface: asked, evaluated, and asked for rows; with what goes wrong on the way.

#![allow(clippy::disallowed_methods, reason = "files of a test need no atomic writer")]

mod common;
#[path = "../../lm/tests/support/server.rs"]
mod server;

use std::sync::Arc;
use std::time::Duration;

use common::process::command;
use common::{Client, EngineProcess, project};
use luthier_protocol::response::{Evaluation, Synthesized};
use luthier_protocol::{FailureKind, Request, Response};
use serde_json::{Value, json};
use server::{Reply, Server, chat, ok};

const KEY: &str = "sk-not-to-be-seen";

fn synthesize(client: &mut Client, spec: Value) -> Synthesized {
    match client.call(Request::Synthesize(serde_json::from_value(spec).unwrap())) {
        Ok(Response::Synthesized(found)) => found,
        other => panic!("not synthesized: {other:?}"),
    }
}

fn evaluate(client: &mut Client, spec: Value) -> Evaluation {
    match client.call(Request::Evaluate(serde_json::from_value(spec).unwrap())) {
        Ok(Response::Evaluated(found)) => found,
        other => panic!("not evaluated: {other:?}"),
    }
}

/// Riddles of a server, numbered by request; `{}` in the prompt's count is honored.
fn riddles(server: &Server, rows: u32) -> Value {
    json!({
        "name": "riddles", "template": "custom", "model": "openai:teacher", "base_url": server.base_url,
        "provider": { "pause_s": 0.01, "concurrency": 2, "timeout_s": 2.0, "input_price": 1.0, "output_price": 2.0 },
        "rows": rows, "per_request": 4, "topics": ["sea", "sky"], "near_duplicates": 0.0,
        "config": { "instruction": "Make a riddle.", "input_name": "news", "output_name": "riddle" },
    })
}

/// The number in "Write N different examples", and a text that depends on the whole request.
fn wanted(body: &str) -> (usize, u64) {
    let digits: String = body.split("Write ").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
    let hash = body.bytes().fold(7u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    (digits.parse().unwrap_or(1), hash)
}

fn rows_of(body: &str) -> String {
    let (n, hash) = wanted(body);
    let rows: Vec<Value> =
        (0..n).map(|i| json!({ "news": format!("news {hash} {i}"), "riddle": format!("r {i}") })).collect();
    chat(&Value::Array(rows).to_string())
}

#[test]
fn rows_are_asked_for_and_every_one_is_accounted_for() {
    let n = std::sync::atomic::AtomicUsize::new(0);
    let answer = move |body: &str| match n.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => chat(
            "Here you are:\n```json\n[{\"news\": \"a\", \"riddle\": \"b\"}, {\"news\": \"c\"}, {\"news\": \"a\", \"riddle\": \"x\"}]\n```",
        ),
        1 => chat("I would rather not."),
        2 => chat("[{\"news\": \"d\", \"riddle\": \"e\"}, {\"news\": \"cut"),
        _ => rows_of(body),
    };
    let server = Server::start(vec![
        Reply::Http(429, Vec::new(), "busy".into()),
        Reply::Close,
        ok("<html>"),
        Reply::Make(Arc::new(answer)),
    ]);
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let found = synthesize(&mut client, riddles(&server, 12));
    let dataset = found.dataset.clone().unwrap();
    let accounting = &dataset.accounting;
    assert_eq!((dataset.n_rows, accounting.kept), (12, 12));
    let sum = |counts: &std::collections::BTreeMap<String, u64>| counts.values().sum::<u64>();
    assert_eq!(accounting.requested, accounting.kept + sum(&accounting.rejected) + sum(&accounting.failed));
    for reason in ["missing-field", "duplicate", "no-json", "cut"] {
        assert_eq!(accounting.rejected.get(reason), Some(&1), "{reason} in {accounting:?}");
    }
    assert_eq!(found.prompt_tokens, 11 * found.requests);
    let cost = (found.prompt_tokens as f64 + 2.0 * found.completion_tokens as f64) / 1e6;
    assert!((found.cost.unwrap() - cost).abs() < 1e-12);
    assert_eq!(found.topics.iter().map(|(.., kept)| kept).sum::<u64>(), 12);

    // The same again is taken from the project: nothing is asked.
    let n_seen = server.seen().len();
    let again = synthesize(&mut client, riddles(&server, 12));
    assert_eq!((again.dataset.unwrap().fingerprint, again.requests), (dataset.fingerprint, 0));
    assert_eq!(server.seen().len(), n_seen);
}

#[test]
fn a_killed_engine_asks_nothing_twice() {
    let slow = |body: &str| {
        std::thread::sleep(Duration::from_millis(40));
        rows_of(body)
    };
    let server = Server::start(vec![Reply::Make(Arc::new(slow))]);
    let project = project();
    let mut engine = EngineProcess::start();
    let (spec, socket) = (riddles(&server, 60), engine.socket.clone());
    let path = project.path().to_path_buf();
    let asking = std::thread::spawn({
        let spec = spec.clone();
        move || {
            let mut client = Client::connect(&socket, &path);
            let spec = serde_json::from_value(spec).unwrap();
            // The engine dies under it.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.call(Request::Synthesize(spec))));
        }
    });
    while server.seen().len() < 7 {
        std::thread::sleep(Duration::from_millis(5));
    }
    engine.kill();
    let _ = asking.join();
    let n_before = server.seen().len();

    let engine = EngineProcess::start();
    let mut client = engine.client(project.path());
    let found = synthesize(&mut client, spec.clone());
    assert_eq!(found.dataset.unwrap().n_rows, 60);
    assert!(found.resumed_requests >= 4, "{}", found.resumed_requests);
    let n_after = server.seen().len() - n_before;
    assert_eq!(n_after as u64 + found.resumed_requests, found.requests);
    assert_eq!(found.prompt_tokens, 11 * found.requests, "tokens of the first run count once");
    let journals = std::fs::read_dir(project.path().join(".luthier/cache")).unwrap();
    assert!(!journals.flatten().any(|entry| entry.file_name().to_string_lossy().ends_with("journal.jsonl")));
}

#[test]
fn a_preview_asks_nothing() {
    let server = Server::start(vec![ok(chat("x"))]);
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let mut spec = riddles(&server, 3);
    spec["preview"] = json!(true);
    let found = synthesize(&mut client, spec);
    assert!(found.dataset.is_none() && found.preview[0][0].1.contains("Make a riddle."));
    assert!(server.seen().is_empty());
}

#[test]
fn a_refused_key_is_an_error_without_the_key() {
    let refusal = format!(r#"{{"error":{{"message":"wrong key {KEY}"}}}}"#);
    let server = Server::start(vec![Reply::Http(401, Vec::new(), refusal)]);
    let runtime = tempfile::Builder::new().prefix("lut").tempdir().unwrap();
    let child = command(runtime.path()).env("OPENAI_API_KEY", KEY).env("LUTHIER_IDLE_S", "60").spawn().unwrap();
    let (mut child, socket) = (child, runtime.path().join("run/engine.sock"));
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let project = project();
    let mut client = Client::connect(&socket, project.path());
    let spec = serde_json::from_value(riddles(&server, 3)).unwrap();
    let failure = client.call(Request::Synthesize(spec)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Model, "{failure:?}");
    let shown = format!("{failure:?}{:?}", client.events);
    assert!(shown.contains("401") && !shown.contains(KEY), "{shown}");
    let sent = server.seen().remove(0);
    assert!(sent.headers.contains(&("authorization".into(), format!("Bearer {KEY}"))));
    for file in walk(project.path()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "{file:?}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        if entry.path().is_dir() { files.extend(walk(&entry.path())) } else { files.push(entry.path()) }
    }
    files
}

#[test]
fn a_server_and_a_local_model_are_scored_side_by_side() {
    // Every other answer is right.
    let answer = |body: &str| {
        let body: Value = serde_json::from_str(body).unwrap();
        if body.get("echo").is_some() {
            return r#"{"choices":[{"text":"x","logprobs":null}]}"#.to_owned();
        }
        let content = body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().to_owned();
        let number: usize = content.trim_start_matches("say ").parse().unwrap();
        chat(&if number.is_multiple_of(2) { (number % 3).to_string() } else { "wrong".to_owned() })
    };
    let server = Server::start(vec![Reply::Make(Arc::new(answer))]);
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let found = evaluate(
        &mut client,
        json!({
            "models": [{ "model": "openai:teacher", "name": "teacher" }, "model"], "base_url": server.base_url,
            "data": "rows.jsonl", "split": "train", "generation": { "max_new_tokens": 4 },
            "metrics": ["exact-match", "bleu", "chrf", "rouge", "levenshtein", { "metric": "f1", "name": "squad" }],
        }),
    );
    let teacher = |metric: &str| found.rows.iter().find(|row| row.metric == metric && row.model == "teacher").unwrap();
    let right = teacher("exact-match").mean.unwrap();
    assert!(right > 0.3 && right < 0.7, "{right}");
    assert_eq!(teacher("squad.exact").mean, Some(right));
    assert_eq!(teacher("rouge.rougeL").mean, Some(right));
    assert_eq!((teacher("bleu").aggregation.as_str(), teacher("chrf").aggregation.as_str()), ("corpus", "corpus"));
    assert!(teacher("bleu").signature.weights.starts_with("teacher at http://127.0.0.1"));
    let rate = teacher("levenshtein.character-error-rate");
    assert_eq!((rate.aggregation.as_str(), rate.higher_is_better), ("ratio", false));
    let tests: std::collections::BTreeSet<&str> = found.comparisons.iter().map(|found| found.test.as_str()).collect();
    assert_eq!(tests.into_iter().collect::<Vec<_>>(), ["mcnemar", "randomization(10000)"]);

    // The server gives no log-probabilities, and the metric that needs them says so.
    let spec = json!({
        "model": "openai:teacher", "base_url": server.base_url, "data": "rows.jsonl", "split": "train",
        "metrics": ["bits-per-byte"],
    });
    let failure = client.call(Request::Evaluate(serde_json::from_value(spec).unwrap())).unwrap_err();
    assert!(failure.message.contains("log-probabilities"), "{}", failure.message);
}

#[test]
fn likelihoods_of_a_local_model_give_perplexities_and_choices() {
    let (engine, project) = (EngineProcess::start(), project());
    let rows: String = (0..12)
        .map(|i| {
            let choices = json!(["0", "1", "2"]);
            format!(
                "{}\n",
                json!({ "prompt": format!("say {i}"), "completion": (i % 3).to_string(), "choices": choices })
            )
        })
        .collect();
    std::fs::write(project.path().join("choices.jsonl"), rows).unwrap();
    let mut client = engine.client(project.path());
    let found = evaluate(
        &mut client,
        json!({
            "model": "model", "data": "choices.jsonl", "split": "all",
            "metrics": ["perplexity", "bits-per-byte", "multiple-choice"],
        }),
    );
    let value = |metric: &str| found.rows.iter().find(|row| row.metric == metric).unwrap().mean.unwrap();
    // The choices are as long as each other: both ways to choose agree.
    assert_eq!(value("multiple-choice.acc"), value("multiple-choice.acc_norm"));
    let (byte, bits) = (value("perplexity.byte-perplexity"), value("bits-per-byte"));
    assert!((byte.log2() - bits).abs() < 1e-9, "{byte} {bits}");
    assert!(value("perplexity.perplexity") > 1.0);
    let row = found.rows.iter().find(|row| row.metric == "bits-per-byte").unwrap();
    assert_eq!((row.aggregation.as_str(), row.n, row.coverage), ("ratio", 12, 1.0));
    assert!(row.low.unwrap() <= bits && bits <= row.high.unwrap());
}

#[test]
fn several_samples_of_a_prompt_are_one_cluster() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let spec = |samples: u32, temperature: f64| {
        json!({
            "model": "model", "data": "rows.jsonl", "split": "train", "samples": samples,
            "generation": { "max_new_tokens": 2, "temperature": temperature }, "metrics": ["exact-match"],
        })
    };
    let found = evaluate(&mut client, spec(3, 1.0));
    let row = &found.rows[0];
    assert_eq!(row.interval, "bootstrap(1000, clustered)");
    assert_eq!(row.n % 3, 0);
    assert!(row.signature.generation.ends_with("samples 3"));
    let spec = serde_json::from_value(spec(3, 0.0)).unwrap();
    let failure = client.call(Request::Evaluate(spec)).unwrap_err();
    assert!(failure.message.contains("temperature"), "{}", failure.message);
}
