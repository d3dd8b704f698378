//! Models of the hub: downloaded once, pinned, resumed; a hub that misbehaves gets a plain error.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use luthier_tests::hub_server::{HubServer, Mishap};
use luthier_tests::{Project, tiny_llama};

struct Place {
    server: HubServer,
    project: Project,
}

impl Place {
    /// A hub with a tiny model, and a project that uses it.
    fn new() -> Result<Place> {
        let server = HubServer::start()?;
        let project = Project::new()?.env("HF_ENDPOINT", &server.endpoint());
        let cache = project.path().join("hf");
        let project = project.env("HF_HOME", &cache.display().to_string());
        server.commit("models/org/tiny", "main", model_files(1)?);
        Ok(Place { server, project })
    }

    fn blobs(&self) -> PathBuf {
        self.project.path().join("hf/hub/models--org--tiny/blobs")
    }

    /// Forget every download.
    fn forget(&self) {
        let _ = std::fs::remove_dir_all(self.project.path().join("hf"));
    }
}

fn model_files(seed: u64) -> Result<BTreeMap<String, Vec<u8>>> {
    let dir = tempfile::tempdir()?;
    tiny_llama(dir.path(), seed)?;
    let mut files = BTreeMap::new();
    for name in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        files.insert(name.to_owned(), std::fs::read(dir.path().join(name))?);
    }
    for name in ["README.md", "pytorch_model.bin", "onnx/model.onnx", "consolidated.safetensors"] {
        files.insert(name.to_owned(), b"not needed".to_vec());
    }
    Ok(files)
}

#[test]
fn a_model_is_downloaded_once_and_pinned_to_its_commit() -> Result<()> {
    let Place { server, project } = Place::new()?;
    let first = server.look("models/org/tiny").context("repository")?.revisions["main"].sha.clone();
    let info = project.json(&["load", "org/tiny", "--json"])?;
    assert!(info["source"].as_str().context("source")?.contains(&first[..12]), "{info}");
    let requests = server.requests();
    for unneeded in ["README", ".bin", "onnx", "consolidated"] {
        assert!(!requests.iter().any(|line| line.contains(unneeded)), "{requests:?}");
    }

    let rows: String = (0..20).map(|n| format!("{{\"prompt\": \"p{n}\", \"completion\": \"c{n}\"}}\n")).collect();
    project.write("pairs.jsonl", &rows)?;
    project.write("learn.toml", "model = \"org/tiny\"\ndata = \"pairs.jsonl\"\n[train]\nmax_steps = 2\n")?;
    let run = project.json(&["finetune", "learn.toml", "--json"])?;
    assert!(server.requests().is_empty(), "what is in the cache is not asked for again");
    let dir = project.path().join(run["adapter_dir"].as_str().context("adapter_dir")?);
    let origin: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(dir.join("luthier.json"))?)?;
    assert_eq!(origin["base_model"], format!("org/tiny@{first}"));

    // The branch moves on; the adapter stays with its base, and `load` sees the new commit.
    let before = project.stdout(&["ask", "learn", "--prompt", "p1", "--max-new-tokens", "6"])?;
    let second = server.commit("models/org/tiny", "main", model_files(2)?);
    let info = project.json(&["load", "org/tiny", "--json"])?;
    assert!(info["source"].as_str().context("source")?.contains(&second[..12]), "{info}");
    assert_eq!(project.stdout(&["ask", "learn", "--prompt", "p1", "--max-new-tokens", "6"])?, before);
    let pinned = project.json(&["load", &format!("org/tiny@{first}"), "as", "old", "--json"])?;
    assert!(pinned["source"].as_str().context("source")?.contains(&first[..12]), "{pinned}");
    assert_ne!(pinned["fingerprint"], info["fingerprint"]);
    Ok(())
}

#[test]
fn an_adapter_of_the_hub_brings_its_base_along() -> Result<()> {
    let Place { server, project } = Place::new()?;
    let rows: String = (0..20).map(|n| format!("{{\"prompt\": \"p{n}\", \"completion\": \"c{n}\"}}\n")).collect();
    project.write("pairs.jsonl", &rows)?;
    project.write("learn.toml", "model = \"org/tiny\"\ndata = \"pairs.jsonl\"\n[train]\nmax_steps = 2\n")?;
    let run = project.json(&["finetune", "learn.toml", "--json"])?;
    let dir = project.path().join(run["adapter_dir"].as_str().context("adapter_dir")?);
    let ask = |model: &str| project.stdout(&["ask", model, "--prompt", "p1", "--max-new-tokens", "6"]);
    server.commit_dir("models/me/learned", &dir)?;
    assert_eq!(ask("me/learned")?, ask("learn")?);
    Ok(())
}

#[test]
fn without_a_network_the_cache_is_enough_or_the_error_says_what_is_missing() -> Result<()> {
    let place = Place::new()?;
    place.project.stdout(&["load", "org/tiny"])?;
    let home = place.project.path().join("hf").display().to_string();
    for variable in ["HF_HUB_OFFLINE", "LUTHIER_OFFLINE"] {
        let offline =
            Project::new()?.env(variable, "1").env("HF_HOME", &home).env("HF_ENDPOINT", &place.server.endpoint());
        place.server.requests();
        offline.stdout(&["load", "org/tiny"])?;
        let (_, stderr) = offline.failure(&["load", "org/other"])?;
        assert!(stderr.contains(variable) && stderr.contains("org/other"), "{stderr}");
        assert!(place.server.requests().is_empty(), "{variable} forbids the network");
    }
    // A hub that is down: the cached commit, with a warning.
    place.server.mishap("", Mishap::Status(503), usize::MAX);
    let out = place.project.run(&["load", "org/tiny"])?;
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && stderr.contains("503") && stderr.contains("cached"), "{stderr}");
    let nobody = Project::new()?.env("HF_ENDPOINT", "http://127.0.0.1:9").env("HF_HOME", "/nonexistent/hf");
    let (_, stderr) = nobody.failure(&["load", "org/tiny"])?;
    assert!(stderr.contains("127.0.0.1:9") && stderr.contains("reached"), "{stderr}");
    Ok(())
}

#[test]
fn a_transfer_goes_on_where_it_broke_off() -> Result<()> {
    let place = Place::new()?;
    place.server.mishap("GET /cdn/", Mishap::CutAfter(70_000), 2);
    place.project.stdout(&["load", "org/tiny"])?;
    let gets = place.server.requests().into_iter().filter(|line| line.starts_with("GET /cdn/")).count();
    assert_eq!(gets, 3, "two cuts, then the rest");

    // Whatever was left by somebody else's broken transfer is verified in the end.
    for mishap in [Mishap::IgnoreRange, Mishap::WrongRange] {
        place.forget();
        place.server.mishap("GET /cdn/", Mishap::CutAfter(50_000), 1);
        place.server.mishap("GET /cdn/", mishap.clone(), 2);
        place.project.stdout(&["load", "org/tiny"]).with_context(|| format!("{mishap:?}"))?;
        place.server.behave();
    }

    // A transfer that ends for good is kept, and the next request takes it up.
    place.forget();
    place.server.mishap("GET /cdn/", Mishap::CutAfter(30_000), 1);
    place.server.mishap("GET /cdn/", Mishap::Status(500), 5);
    let (_, stderr) = place.project.failure(&["load", "org/tiny"])?;
    assert!(stderr.contains("30000 of") && stderr.contains("goes on"), "{stderr}");
    place.server.behave();
    place.project.stdout(&["load", "org/tiny"])?;
    Ok(())
}

#[test]
fn a_hub_that_misbehaves_gets_a_plain_error_and_nothing_wrong_is_kept() -> Result<()> {
    let place = Place::new()?;
    let header = |name, value: &str| Mishap::Header(name, value.to_owned());
    let cases: Vec<(&str, Mishap, &[&str])> = vec![
        ("GET /api/models", Mishap::Status(404), &["org/tiny", "no such model", "private"]),
        ("GET /api/models", Mishap::Status(401), &["does not accept", "HF_TOKEN"]),
        ("GET /api/models", Mishap::Status(403), &["does not allow"]),
        ("GET /api/models", Mishap::Status(429), &["429", "again"]),
        ("GET /api/models", Mishap::Status(500), &["500", "later"]),
        ("GET /api/models", Mishap::Body("{".into()), &["revision", "JSON"]),
        ("GET /api/models", Mishap::Body("[]".into()), &["revision"]),
        ("GET /api/models", Mishap::Body(r#"{"sha": "../../x", "siblings": []}"#.into()), &["commit", "../../x"]),
        ("HEAD ", Mishap::Status(404), &["config.json"]),
        ("HEAD ", header("ETag", "\"../../../x\""), &["ETag"]),
        ("HEAD ", header("X-Repo-Commit", "1111111111111111111111111111111111111111"), &["commit"]),
        ("HEAD /org/tiny/resolve", header("Location", "file:///etc/passwd"), &["redirect", "file:///etc/passwd"]),
        ("GET /cdn/", Mishap::WrongBytes, &["model.safetensors", "damaged", "sha256"]),
        ("GET /cdn/", Mishap::TooLong(9), &["model.safetensors", "length"]),
        ("/resolve/", header("X-Linked-Size", "12"), &["damaged", "length", "12 bytes"]),
        ("GET /org/tiny/resolve", Mishap::WrongBytes, &["damaged", "git hash"]),
        ("GET /org/tiny/resolve", Mishap::Status(403), &["does not allow"]),
    ];
    for (pattern, mishap, expected) in cases {
        place.forget();
        place.server.mishap(pattern, mishap.clone(), usize::MAX);
        let (code, stderr) = place.project.failure(&["load", "org/tiny"])?;
        place.server.behave();
        for part in expected {
            assert!(stderr.contains(part), "{pattern} {mishap:?}: no {part:?} in\n{stderr}");
        }
        assert!(code == 1 && !stderr.contains("panicked"), "{stderr}");
        let link = place.project.path().join("hf/hub/models--org--tiny/snapshots");
        let damaged = walk(&link).into_iter().find(|path| path.ends_with("model.safetensors"));
        assert_eq!(damaged, None, "{pattern} {mishap:?}");
    }
    place.project.stdout(&["load", "org/tiny"])?;
    assert!(!walk(&place.blobs()).iter().any(|path| path.to_string_lossy().ends_with(".incomplete")));
    Ok(())
}

fn walk(dir: &std::path::Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.flat_map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { vec![entry.path()] }).collect()
}

#[test]
fn gated_private_and_missing_repositories_are_told_apart() -> Result<()> {
    let Place { server, project } = Place::new()?;
    server.repository("models/org/tiny", |repo| repo.is_gated = true);
    let (_, stderr) = project.failure(&["load", "org/tiny"])?;
    assert!(stderr.contains("gated") && stderr.contains("/org/tiny") && stderr.contains("access"), "{stderr}");
    let (_, stderr) = project.failure(&["load", "org/absent"])?;
    assert!(stderr.contains("no such model"), "{stderr}");
    server.repository("models/org/tiny", |repo| repo.is_gated = false);
    let (_, stderr) = project.failure(&["load", "org/tiny@v9"])?;
    assert!(stderr.contains("no revision \"v9\""), "{stderr}");
    server.commit(
        "models/org/old",
        "main",
        BTreeMap::from([("config.json".to_owned(), b"{}".to_vec()), ("pytorch_model.bin".to_owned(), vec![0; 10])]),
    );
    let (_, stderr) = project.failure(&["load", "org/old"])?;
    assert!(stderr.contains("pytorch_model.bin") && stderr.contains("safetensors"), "{stderr}");
    Ok(())
}

#[test]
fn shards_lie_beside_their_index() -> Result<()> {
    let Place { server, project } = Place::new()?;
    let mut files = model_files(1)?;
    let weights = files.remove("model.safetensors").context("weights")?;
    files.insert("model-00001-of-00001.safetensors".into(), weights);
    let index = |file: &str| format!("{{\"weight_map\": {{\"model.norm.weight\": \"{file}\"}}}}").into_bytes();
    for bad in ["../../../../../../etc/passwd", "/etc/passwd", "sub/model.safetensors", "absent.safetensors"] {
        files.insert("model.safetensors.index.json".into(), index(bad));
        server.commit("models/org/sharded", "main", files.clone());
        let (_, stderr) = project.failure(&["load", "org/sharded"])?;
        assert!(stderr.contains(bad) && stderr.contains("index"), "{stderr}");
    }
    files.insert("model.safetensors.index.json".into(), index("model-00001-of-00001.safetensors"));
    server.commit("models/org/sharded", "main", files);
    project.stdout(&["load", "org/sharded"])?;
    Ok(())
}

/// A token is needed to push, and what is pushed can be pulled by somebody else.
#[test]
fn adapters_models_and_datasets_go_up_and_come_down() -> Result<()> {
    let server = HubServer::start()?;
    let mine = Project::new()?.env("HF_ENDPOINT", &server.endpoint()).env("HF_TOKEN", "hf_mine");
    let home = mine.path().join("hf").display().to_string();
    let mine = mine.env("HF_HOME", &home);
    tiny_llama(&mine.path().join("base"), 3)?;
    let rows: String = (0..40).map(|n| format!("{{\"prompt\": \"say {n}\", \"completion\": \"{n} ok\"}}\n")).collect();
    mine.write("pairs.jsonl", &rows)?;
    mine.write("pairs.toml", "path = \"pairs.jsonl\"\n")?;
    mine.json(&["dataset", "pairs.toml", "--json"])?;
    let base = mine.json(&["push", "./base", "to", "me/base", "--json"])?;
    let repository = server.look("models/me/base").context("me/base")?;
    assert_eq!(repository.revisions["main"].sha, base["commit"].as_str().context("commit")?);
    assert_eq!(
        repository.revisions["main"].files["model.safetensors"],
        std::fs::read(mine.path().join("base/model.safetensors"))?
    );
    assert!(base["n_sent_bytes"].as_u64() > Some(10_000), "{base}");
    // The same again: nothing is sent twice.
    let again = mine.json(&["push", "./base", "to", "me/base", "--json"])?;
    assert_eq!(again["n_sent_bytes"], 0);

    mine.write("learn.toml", "model = \"me/base\"\ndata = \"pairs\"\n[train]\nmax_steps = 6\nlearning_rate = 1e-2\n")?;
    mine.json(&["finetune", "learn.toml", "--json"])?;
    mine.json(&["push", "learn", "to", "me/learned", "--public", "--json"])?;
    let config =
        &server.look("models/me/learned").context("me/learned")?.revisions["main"].files["adapter_config.json"];
    let config: serde_json::Value = serde_json::from_slice(config)?;
    assert_eq!(config["base_model_name_or_path"], "me/base", "not a directory of this machine");
    assert_eq!(config["revision"], again["commit"]);
    mine.json(&["push", "pairs", "to", "me/pairs", "--dataset", "--json"])?;
    let ask =
        |project: &Project, model: &str| project.stdout(&["ask", model, "--prompt", "say 3", "--max-new-tokens", "8"]);
    let wanted = ask(&mine, "learn")?;

    let theirs = Project::new()?.env("HF_ENDPOINT", &server.endpoint());
    let home = theirs.path().join("hf").display().to_string();
    let theirs = theirs.env("HF_HOME", &home);
    let pulled = theirs.json(&["pull", "me/learned", "as", "got", "--json"])?;
    assert_eq!(pulled["kind"], "adapter", "{pulled}");
    assert_eq!(ask(&theirs, "got")?, wanted);
    assert_eq!(theirs.json(&["adapters", "--json"])?["adapters"][0]["name"], "got");
    let pulled = theirs.json(&["pull", "me/base", "--json"])?;
    assert_eq!((&pulled["kind"], &pulled["name"]), (&"model".into(), &"base".into()));
    let pulled = theirs.json(&["pull", "me/pairs", "--dataset", "--json"])?;
    assert_eq!((pulled["n_rows"].as_u64(), &pulled["name"]), (Some(40), &"pairs".into()), "{pulled}");
    let (_, stderr) = theirs.failure(&["push", "got", "to", "me/x"])?;
    assert!(stderr.contains("without a token") && stderr.contains("HF_TOKEN"), "{stderr}");
    let (_, stderr) = theirs.failure(&["pull", "me/learned", "as", "got"])?;
    assert!(stderr.contains("got") && stderr.contains("exists"), "{stderr}");

    // A hub that fails in the middle: no commit, and the next try works.
    for (pattern, status) in [("PUT /lfs/", 403), ("POST /api/models/me/next/commit", 500), ("/preupload/", 401)] {
        server.mishap(pattern, Mishap::Status(status), usize::MAX);
        tiny_llama(&mine.path().join("next"), u64::from(status))?;
        let (_, stderr) = mine.failure(&["push", "./next", "to", "me/next"])?;
        assert!(!stderr.contains("panicked") && !stderr.contains("hf_mine"), "{stderr}");
        server.behave();
        let files = server.look("models/me/next").map(|repo| repo.revisions["main"].files.len());
        assert!(matches!(files, None | Some(0)), "{pattern}: {files:?}");
    }
    mine.json(&["push", "./next", "to", "me/next", "--json"])?;
    Ok(())
}
