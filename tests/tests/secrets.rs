//! A token in the environment appears in no file, log or output of a whole job.

use std::path::Path;

use anyhow::Result;
use luthier_tests::hub_server::{HubServer, Mishap};
use luthier_tests::{Project, tiny_llama};

const TOKEN: &str = "hf_TESTtokenTESTtokenTESTtoken42";

/// Every file below `dir` that holds the token.
fn files_with_token(dir: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            files_with_token(&path, found);
        } else if kind.is_file() && std::fs::read(&path).is_ok_and(|bytes| contains(&bytes, TOKEN.as_bytes())) {
            found.push(path.display().to_string());
        }
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn no_file_and_no_output_holds_the_token() -> Result<()> {
    let mut project = Project::new()?;
    for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY", "LUTHIER_TOKEN"] {
        project = project.env(name, TOKEN);
    }
    tiny_llama(&project.path().join("mine"), 3)?;
    let rows: String = (0..30).map(|n| format!("{{\"prompt\": \"p{n}\", \"completion\": \"c{n}\"}}\n")).collect();
    project.write("pairs.jsonl", &rows)?;
    project.write("learn.toml", "model = \"mine\"\ndata = \"pairs.jsonl\"\n[train]\nmax_steps = 2\n")?;
    project.write("bad.toml", "model = \"absent\"\ndata = \"pairs.jsonl\"\n")?;
    for (args, succeeds) in [
        (&["device"][..], true),
        (&["finetune", "learn.toml"], true),
        (&["finetune", "bad.toml"], false),
        (&["ask", "learn", "--prompt", "p1"], true),
        (&["runs"], true),
        (&["models"], true),
        (&["leaderboard", "--json"], true),
    ] {
        let out = project.run(args)?;
        assert_eq!(out.status.success(), succeeds, "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        assert!(!contains(&out.stdout, TOKEN.as_bytes()), "{args:?} prints the token");
        assert!(!contains(&out.stderr, TOKEN.as_bytes()), "{args:?} prints the token on standard error");
    }
    let mut found = Vec::new();
    files_with_token(project.path(), &mut found);
    files_with_token(project.runtime(), &mut found);
    assert!(found.is_empty(), "the token lies in {found:?}");
    // The scan itself finds a token where there is one.
    project.write("canary.txt", TOKEN)?;
    files_with_token(project.path(), &mut found);
    assert_eq!(found.len(), 1);
    Ok(())
}

/// The hub and nobody else gets the token; what the hub says of it is not repeated.
#[test]
fn the_token_goes_to_the_hub_alone() -> Result<()> {
    let server = HubServer::start()?;
    let project = Project::new()?.env("HF_ENDPOINT", &server.endpoint()).env("HF_TOKEN", TOKEN);
    let home = project.path().join("hf").display().to_string();
    let project = project.env("HF_HOME", &home);
    tiny_llama(&project.path().join("mine"), 3)?;
    server.commit_dir("models/org/private", &project.path().join("mine"))?;
    server.repository("models/org/private", |repo| repo.token = Some(TOKEN.into()));
    project.stdout(&["load", "org/private"])?;
    let sent = server.authorizations();
    assert!(sent.iter().any(|(line, value)| line.contains("/api/models/") && value.ends_with(TOKEN)), "{sent:?}");
    assert!(!sent.iter().any(|(line, _)| line.contains("/cdn/")), "another host got the token: {sent:?}");

    // A server that repeats what it got, in a header and in a body.
    server.repository("models/org/private", |repo| repo.token = Some("another".into()));
    for mishap in [None, Some(Mishap::Body(format!("{{\"error\": \"bad token {TOKEN}\"}}")))] {
        server.commit("models/org/private", "main", Default::default());
        if let Some(mishap) = mishap {
            server.mishap("/api/", mishap, 9);
        }
        let out = project.run(&["load", "org/private"])?;
        assert!(!out.status.success());
        for text in [&out.stdout, &out.stderr] {
            assert!(!contains(text, TOKEN.as_bytes()), "{}", String::from_utf8_lossy(text));
        }
    }
    let mut found = Vec::new();
    files_with_token(project.path(), &mut found);
    files_with_token(project.runtime(), &mut found);
    assert!(found.is_empty(), "the token lies in {found:?}");
    Ok(())
}
