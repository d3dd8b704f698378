//! Plugins from a file to a project: audited, compiled in a process of their own, replayed, locked.

#![allow(clippy::disallowed_methods, reason = "files of a test need no atomic writer")]

mod common;

use std::path::Path;

use common::{Client, EngineProcess, project};
use luthier_plugin_build::sections;
use luthier_plugin_host::package;
use luthier_protocol::plugin::{PluginReport, PluginRequest};
use luthier_protocol::{Failure, FailureKind, Request, Response};

/// A metric of the id `hostile`, which behaves unless its configuration says otherwise.
const COMPONENT: &[u8] = include_bytes!("../../../tests/guests/hostile/hostile.wasm");
const GOLDEN: &str =
    r#"{"rows":[{"prediction":"a"},{"prediction":"b"}],"expect":[{"score":1},{"score":1}],"aggregate":{"score":1}}"#;

fn plugin(client: &mut Client, request: PluginRequest) -> Result<PluginReport, Failure> {
    match client.call(Request::Plugin(request)) {
        Ok(Response::Plugin(report)) => Ok(report),
        Ok(other) => panic!("no report: {other:?}"),
        Err(failure) => Err(failure),
    }
}

fn install(client: &mut Client, source: &str) -> Result<PluginReport, Failure> {
    plugin(client, PluginRequest::Install { source: source.to_owned() })
}

fn listed(client: &mut Client) -> Vec<String> {
    match client.call(Request::Plugins) {
        Ok(Response::Plugins { plugins }) => plugins.into_iter().map(|plugin| plugin.id).collect(),
        other => panic!("{other:?}"),
    }
}

fn write(project: &Path, name: &str, golden: &str) {
    let about = r#"{"license":"MIT"}"#;
    let packed = sections::package(COMPONENT, about, Some(golden), Some("# Hostile")).unwrap();
    std::fs::write(project.join(name), packed).unwrap();
}

#[test]
fn a_plugin_is_installed_locked_and_removed() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    write(project.path(), "metric.wasm", GOLDEN);
    let report = install(&mut client, "metric.wasm").unwrap();
    let names: Vec<_> = report.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names, ["fetched", "imports", "signature", "compiled", "golden cases"]);
    assert!(report.checks[1].detail.contains("luthier:plugin/sql@0.1.0"), "{:?}", report.checks[1]);
    assert!(report.checks[4].detail.starts_with("1 hold, twice"), "{:?}", report.checks[4]);
    let lock = std::fs::read_to_string(project.path().join("plugins.lock")).unwrap();
    let digest = report.plugin.unwrap().digest;
    assert!(lock.contains(&digest) && lock.contains("source = \"metric.wasm\""), "{lock}");
    assert!(listed(&mut client).contains(&"hostile".to_owned()));

    // Tested by its id, with rows of a file.
    std::fs::write(project.path().join("rows.jsonl"), "{\"prediction\":\"x\"}\n{\"prediction\":\"y\"}\n").unwrap();
    let test = PluginRequest::Test {
        plugin: "hostile".into(),
        data: Some("rows.jsonl".into()),
        limit: None,
        config: serde_json::Map::new(),
        adversarial: true,
    };
    let report = plugin(&mut client, test).unwrap();
    assert!(report.checks.iter().all(|check| check.passed), "{:#?}", report.checks);
    let table = report.table.unwrap();
    assert_eq!((table.columns, table.n_rows), (["prediction", "score", "error"].map(str::to_owned).to_vec(), 2));
    assert_eq!(table.rows[0], ["x", "1", ""]);

    // A file that is not the locked one is not run.
    let file = project.path().join(".luthier/plugins").join(format!("{}.wasm", &digest[7..]));
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let failure = plugin(&mut client, PluginRequest::Inspect { plugin: "hostile".into() }).unwrap_err();
    assert!(failure.message.contains("plugins.lock says sha256:"), "{failure:?}");

    plugin(&mut client, PluginRequest::Remove { plugin: "hostile".into() }).unwrap();
    assert!(!listed(&mut client).contains(&"hostile".to_owned()));
    let failure = plugin(&mut client, PluginRequest::Remove { plugin: "hostile".into() }).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
}

#[test]
fn what_does_not_hold_is_not_installed() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    write(project.path(), "wrong.wasm", &GOLDEN.replace("{\"score\":1},", "{\"score\":0},"));
    let failure = install(&mut client, "wrong.wasm").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Plugin);
    assert!(failure.message.contains("row 0: score is 1, expected 0"), "{}", failure.message);
    for (name, bytes, finding) in [
        ("script.wasm", b"#!/bin/sh".to_vec(), "not a valid WebAssembly component"),
        ("module.wasm", b"\0asm\x01\0\0\0".to_vec(), "this is a core WebAssembly module"),
        ("cut.wasm", COMPONENT[..COMPONENT.len() / 2].to_vec(), "not a valid WebAssembly component"),
    ] {
        std::fs::write(project.path().join(name), bytes).unwrap();
        let failure = install(&mut client, name).unwrap_err();
        assert!(failure.message.starts_with(finding), "{}", failure.message);
    }
    assert_eq!(install(&mut client, "missing.wasm").unwrap_err().kind, FailureKind::NotFound);
    assert!(!project.path().join("plugins.lock").exists());
}

#[test]
fn a_project_that_trusts_keys_takes_nothing_else() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    write(project.path(), "plain.wasm", GOLDEN);
    let key = package::new_key().unwrap();
    let signed = package::sign(&std::fs::read(project.path().join("plain.wasm")).unwrap(), &key).unwrap();
    std::fs::write(project.path().join("signed.wasm"), &signed).unwrap();
    let report = plugin(&mut client, PluginRequest::Inspect { plugin: "signed.wasm".into() }).unwrap();
    let signer = report.facts.iter().find(|(name, _)| name == "signed by").unwrap().1.clone();
    assert_eq!(signer.len(), 64);

    std::fs::write(project.path().join("trusted-keys.txt"), format!("{} somebody\n", "0".repeat(64))).unwrap();
    let failure = install(&mut client, "plain.wasm").unwrap_err();
    assert!(failure.message.contains("is not signed, and this project's trusted-keys.txt asks"), "{}", failure.message);
    let failure = install(&mut client, "signed.wasm").unwrap_err();
    assert!(failure.message.contains(&format!("signed by {signer}")), "{}", failure.message);
    std::fs::write(project.path().join("trusted-keys.txt"), format!("{signer} us\n")).unwrap();
    install(&mut client, "signed.wasm").unwrap();
    let lock = std::fs::read_to_string(project.path().join("plugins.lock")).unwrap();
    assert!(lock.contains(&format!("signed_by = \"{signer}\"")), "{lock}");

    let mut changed = signed;
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    std::fs::write(project.path().join("changed.wasm"), changed).unwrap();
    let failure = install(&mut client, "changed.wasm").unwrap_err();
    assert!(failure.message.contains("the signature is not that of these bytes"), "{}", failure.message);
}

#[test]
fn new_makes_a_folder_for_every_language() {
    let (engine, project) = (EngineProcess::start(), project());
    let mut client = engine.client(project.path());
    let mut new = |name: &str, kind: &str, lang: &str| {
        plugin(&mut client, PluginRequest::New { name: name.into(), kind: kind.into(), lang: lang.into() })
    };
    for (lang, file) in [("rust", "src/lib.rs"), ("c", "plugin.c"), ("python", "plugin.py"), ("js", "plugin.js")] {
        new(&format!("metric-{lang}"), "metric", lang).unwrap();
        let folder = project.path().join(format!("metric-{lang}"));
        let source = std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(source.contains(&format!("metric-{lang}")) && !source.contains("{{name}}"), "{source}");
        assert!(folder.join("golden.jsonl").exists());
    }
    new("task", "template", "rust").unwrap();
    assert!(project.path().join("task/luthier-plugin/wit/plugin.wit").exists());
    assert_eq!(new("task", "template", "rust").unwrap_err().kind, FailureKind::AlreadyExists);
    assert!(new("other", "template", "c").unwrap_err().message.contains("templates are written in Rust"));
    assert!(new("../escape", "metric", "rust").is_err());
}
