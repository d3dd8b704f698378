//! `kill -9` of the engine in mid-training: said plainly, resumable, and resumed to the same bytes.

use std::path::PathBuf;

use anyhow::{Context, Result};
use luthier_tests::{Project, signal, tiny_llama, wait_for};

const RECIPE: &str = "model = \"mine\"\ndata = \"pairs.jsonl\"\n[lora]\nr = 4\ndropout = 0.1\n\
    [train]\nmax_steps = 120\nbatch_size = 16\nlearning_rate = 5e-3\ncheckpoint_steps = 5\n";

fn project() -> Result<Project> {
    let project = Project::new()?;
    tiny_llama(&project.path().join("mine"), 9)?;
    let rows: String =
        (0..200).map(|n| format!("{{\"prompt\": \"number {n}\", \"completion\": \"the number {n}\"}}\n")).collect();
    project.write("pairs.jsonl", &rows)?;
    project.write("learn.toml", RECIPE)?;
    Ok(project)
}

fn adapter_bytes(project: &Project) -> Result<Vec<u8>> {
    Ok(std::fs::read(project.path().join(".luthier/adapters/learn/adapter_model.safetensors"))?)
}

/// The run's directory, once it has a checkpoint.
fn checkpointed(project: &Project) -> Option<PathBuf> {
    let runs = std::fs::read_dir(project.path().join(".luthier/runs")).ok()?;
    let holds_step = |dir: &PathBuf| {
        walk(dir).iter().any(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("step-")))
    };
    runs.flatten().map(|entry| entry.path()).find(holds_step)
}

fn walk(dir: &PathBuf) -> Vec<PathBuf> {
    let entries: Vec<PathBuf> =
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    let below: Vec<PathBuf> = entries.iter().filter(|path| path.is_dir()).flat_map(walk).collect();
    entries.into_iter().chain(below).collect()
}

#[test]
fn resume_after_kill_gives_the_bytes_of_an_uninterrupted_run() -> Result<()> {
    let straight = project()?;
    straight.json(&["finetune", "learn.toml", "--json"])?;

    let killed = project()?;
    let pid = killed.engine_pid()?;
    let child = killed.start(&["finetune", "learn.toml"])?;
    wait_for("a checkpoint", || checkpointed(&killed))?;
    signal("KILL", pid)?;
    let out = child.wait_with_output()?;
    assert_eq!(out.status.code(), Some(1));
    let said = String::from_utf8(out.stderr)?;
    assert!(said.contains("engine") && said.contains("resume"), "it says what happened and what helps: {said}");

    // The next request finds a new engine and the broken run.
    let runs = killed.json(&["runs", "--json"])?;
    let run = &runs["runs"][0];
    assert_eq!(run["status"], "broken", "{runs}");
    let id = run["run"].as_str().context("run id")?;
    let done = killed.json(&["resume", id, "--json"])?;
    assert_eq!(done["steps"].as_u64(), Some(120), "{done}");
    assert!(adapter_bytes(&straight)? == adapter_bytes(&killed)?, "the resumed adapter differs");
    Ok(())
}
