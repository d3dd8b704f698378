//! An engine process, a client for it, and a tiny model to work on.

#![allow(dead_code, unreachable_pub, reason = "each test file is a crate that uses its own part")]

pub mod client;
pub mod model;
pub mod process;

pub use client::Client;
pub use process::EngineProcess;

use std::path::Path;

use luthier_protocol::Request;
use luthier_protocol::spec::FinetuneSpec;

/// A project with a tiny model in `model/` and twenty rows in `rows.jsonl`.
pub fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    model::write(&dir.path().join("model"));
    let row = |i: usize| format!("{{\"prompt\": \"say {i}\", \"completion\": \"{}\"}}\n", i % 3);
    std::fs::write(dir.path().join("rows.jsonl"), (0..20).map(row).collect::<String>()).unwrap();
    dir
}

/// A recipe on that project.
pub fn recipe(name: &str, max_steps: u64) -> FinetuneSpec {
    let mut spec = FinetuneSpec {
        name: Some(name.into()),
        model: "model".into(),
        data: "rows.jsonl".into(),
        split: "train".into(),
        ..FinetuneSpec::default()
    };
    spec.lora.r = 2;
    spec.train.max_steps = Some(max_steps);
    spec.train.batch_size = 4;
    spec.train.learning_rate = 1e-2;
    spec.train.checkpoint_steps = 8;
    spec
}

/// The adapter's weights.
pub fn weights(project: &Path, adapter: &str) -> Vec<u8> {
    std::fs::read(project.join(".luthier/adapters").join(adapter).join("adapter_model.safetensors")).unwrap()
}

/// Shorthand.
pub fn finetune(spec: FinetuneSpec) -> Request {
    Request::Finetune(spec)
}
