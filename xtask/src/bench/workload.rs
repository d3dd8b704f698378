//! What is measured: shapes, batches and prompts, written as a file that both sides read.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::shell;

/// One workload, and the ways in which the other side may arrange it.
pub(super) struct Workload {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) dir: PathBuf,
    /// Ours; theirs differs in the layout.
    pub(super) spec: Value,
    /// Layouts of the other side, each compared with ours.
    pub(super) layouts: Vec<Layout>,
    pub(super) n_rounds: usize,
}

/// One arrangement of the other side.
pub(super) struct Layout {
    pub(super) name: &'static str,
    pub(super) spec: Value,
    /// Least ratio of speeds that is aimed at.
    pub(super) target: f64,
}

/// Examples of an epoch of uneven lengths that go into one step.
const UNEVEN_BATCH: usize = 8;
/// Row length that examples are packed into, as trainers do.
const PACK_LENGTH: usize = 1024;

pub(super) fn named(name: &str, work: &Path) -> Result<Workload> {
    let dir = work.join(name);
    std::fs::create_dir_all(&dir)?;
    let mut workload = match name {
        "a" => even("a: training, 32M Llama shape, 4 x 256, LoRA r 8, f32", llama_32m(), 4, 256, 8),
        "b" => even("b: training, 135M SmolLM2 shape, 2 x 512, LoRA r 8, f32", smollm2_135m(), 2, 512, 4),
        "c" => uneven()?,
        "d" => generation()?,
        other => bail!("unknown workload {other}: there are a, b, c and d"),
    };
    name.clone_into(&mut workload.name);
    let model_dir = dir.join("model");
    workload.spec["model_dir"] = json!(model_dir);
    for layout in &mut workload.layouts {
        layout.spec["model_dir"] = json!(model_dir);
    }
    workload.dir = dir;
    Ok(workload)
}

/// 31.5M parameters.
fn llama_32m() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 8192, "hidden_size": 512,
        "intermediate_size": 1536, "num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 8,
        "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true,
        "hidden_act": "silu", "initializer_range": 0.02, "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "float32"
    })
}

/// 134.5M parameters (HuggingFaceTB/SmolLM2-135M's `config.json`).
fn smollm2_135m() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 49152, "hidden_size": 576,
        "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
        "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 100_000.0, "tie_word_embeddings": true,
        "hidden_act": "silu", "initializer_range": 0.041_666_666, "bos_token_id": 0, "eos_token_id": 0,
        "torch_dtype": "float32"
    })
}

fn training(config: &Value, batches: &[Vec<(usize, usize)>], layout: &str) -> Value {
    json!({
        "kind": "train", "config": config, "r": 8, "alpha": 16.0, "learning_rate": 1e-4, "layout": layout,
        "batches": batches,
    })
}

fn workload(title: &str, spec: Value, layouts: Vec<Layout>, n_rounds: usize) -> Workload {
    Workload { name: String::new(), title: title.to_owned(), dir: PathBuf::new(), spec, layouts, n_rounds }
}

fn even(title: &str, config: Value, n_sequences: usize, length: usize, n_rounds: usize) -> Workload {
    let batch = (0..n_sequences).map(|i| (i, length)).collect();
    let spec = training(&config, &[batch], "padded");
    let theirs = Layout { name: "as it comes", spec: spec.clone(), target: 1.2 };
    workload(title, spec, vec![theirs], n_rounds)
}

/// Lengths of the committed histogram, in a fixed shuffled order.
fn lengths() -> Result<Vec<usize>> {
    let path = shell::root().join("benches/data/lengths.json");
    let histogram: Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
    let mut lengths = Vec::new();
    for bin in histogram["bins"].as_array().context("lengths.json has no bins")? {
        let number = |key: &str| bin[key].as_u64().map(|n| n as usize).with_context(|| format!("a bin without {key}"));
        let (from, to, count) = (number("from")?, number("to")?, number("count")?);
        lengths.extend((0..count).map(|i| from + (to - from) * (2 * i + 1) / (2 * count)));
    }
    // Multiplication by a number that is prime to the length visits every place once.
    let n = lengths.len();
    let stride = (n * 5 / 8..).find(|&stride| gcd(stride, n) == 1).unwrap_or(1);
    Ok((0..n).map(|i| lengths[i * stride % n]).collect())
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn uneven() -> Result<Workload> {
    let examples: Vec<(usize, usize)> = lengths()?.into_iter().enumerate().collect();
    let batches =
        |examples: &[(usize, usize)]| -> Vec<_> { examples.chunks(UNEVEN_BATCH).map(<[_]>::to_vec).collect() };
    let random = batches(&examples);
    let mut sorted = examples.clone();
    sorted.sort_by_key(|&(_, length)| length);
    let config = llama_32m();
    let layouts = vec![
        Layout { name: "padded", spec: training(&config, &random, "padded"), target: 3.0 },
        Layout { name: "grouped by length", spec: training(&config, &batches(&sorted), "padded"), target: 1.2 },
        Layout { name: "packed", spec: training(&config, &rows(&examples), "packed"), target: 1.2 },
    ];
    let title = "c: training on uneven lengths, 32M shape, 32 examples in batches of 8, LoRA r 8, f32";
    Ok(workload(title, training(&config, &random, "packed"), layouts, 3))
}

/// First fit, longest first, into rows of [`PACK_LENGTH`].
fn rows(examples: &[(usize, usize)]) -> Vec<Vec<(usize, usize)>> {
    let mut sorted = examples.to_vec();
    sorted.sort_by_key(|&(i, length)| (usize::MAX - length, i));
    let mut rows: Vec<Vec<(usize, usize)>> = Vec::new();
    for example in sorted {
        let used = |row: &Vec<(usize, usize)>| row.iter().map(|&(_, length)| length).sum::<usize>();
        match rows.iter_mut().find(|row| used(row) + example.1 <= PACK_LENGTH) {
            Some(row) => row.push(example),
            None => rows.push(vec![example]),
        }
    }
    rows
}

fn generation() -> Result<Workload> {
    // The histogram twice.
    let lengths = lengths()?;
    let prompts: Vec<_> = lengths.iter().chain(&lengths).map(|&length| length.min(512)).enumerate().collect();
    let spec = json!({
        "kind": "generate", "config": llama_32m(), "prompts": prompts, "max_new_tokens": 64, "generate_batch": 16,
    });
    let theirs = Layout { name: "generate, batches of 16 sorted by length", spec: spec.clone(), target: 3.0 };
    Ok(workload(
        "d: greedy generation, 32M shape, 64 prompts of uneven length, 64 new tokens each",
        spec,
        vec![theirs],
        3,
    ))
}

/// One sequence of `length` tokens through a small model; the directory and our spec.
pub(super) fn long(length: usize, work: &Path) -> Result<(PathBuf, Value)> {
    let dir = work.join("growth");
    std::fs::create_dir_all(&dir)?;
    let mut config = llama_32m();
    for (key, value) in
        [("hidden_size", 256), ("intermediate_size", 768), ("num_hidden_layers", 2), ("num_attention_heads", 4)]
    {
        config[key] = json!(value);
    }
    config["num_key_value_heads"] = json!(2);
    config["max_position_embeddings"] = json!(65_536);
    let mut spec = training(&config, &[vec![(0, length)]], "packed");
    spec["model_dir"] = json!(dir.join("model"));
    Ok((dir, spec))
}
