//! Planned memory beside that of real runs. Memory is the process's, so that every case runs in a
//! process of its own.

use luthier_model::*;
use std::sync::atomic::AtomicBool;

/// Largest relative difference between plan and run.
const TOLERANCE: f64 = 0.1;

/// Many narrow layers, a small vocabulary.
const DEEP: &str = r#"{
    "model_type": "llama", "vocab_size": 4096, "hidden_size": 256, "intermediate_size": 768,
    "num_hidden_layers": 12, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 8192, "tie_word_embeddings": true
}"#;
/// Few wide layers, a large vocabulary.
const WIDE: &str = r#"{
    "model_type": "llama", "vocab_size": 24000, "hidden_size": 768, "intermediate_size": 2048,
    "num_hidden_layers": 4, "num_attention_heads": 12, "num_key_value_heads": 12,
    "max_position_embeddings": 4096, "tie_word_embeddings": false
}"#;
/// A family with norms on heads.
const NORMED: &str = r#"{
    "model_type": "qwen3", "vocab_size": 8000, "hidden_size": 320, "intermediate_size": 960, "head_dim": 64,
    "num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 2,
    "max_position_embeddings": 4096, "tie_word_embeddings": true
}"#;
/// A plain feed-forward layer and a fused q, k, v.
const PLAIN: &str = r#"{
    "model_type": "gpt2", "vocab_size": 8000, "n_embd": 384, "n_layer": 8, "n_head": 6, "n_positions": 1024
}"#;

/// Everything that differs between cases.
struct Case {
    config: &'static str,
    lengths: Vec<usize>,
    /// `None`: all weights.
    adapter: Option<AdapterConfig>,
    nf4: bool,
    gradient_checkpointing: bool,
}

fn lora(config: &'static str, lengths: &[usize]) -> Case {
    let adapter = Some(AdapterConfig::default());
    Case { config, lengths: lengths.to_vec(), adapter, nf4: false, gradient_checkpointing: false }
}

fn with(config: &'static str, adapter: AdapterConfig) -> Case {
    Case { adapter: Some(adapter), ..lora(config, &[160; 6]) }
}

/// A value of `/proc/self/status`, in bytes.
fn status_bytes(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with(key)).expect("a known key");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
}

/// Two steps of a model of random weights, as a run takes them.
fn check(case: &Case) {
    let config = ModelConfig::from_json(case.config).expect("a configuration");
    let idle = status_bytes("VmRSS");
    let ids: Vec<u32> = (0..8192).map(|i| (i * 7919 % config.vocab_size) as u32).collect();
    let labels: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    let batch = SequenceBatch::from_sequences(case.lengths.iter().map(|&n| (&ids[..n], &labels[..n])));
    let shape = TrainingShape {
        adapter: case.adapter.as_ref(),
        nf4: case.nf4,
        gradient_checkpointing: case.gradient_checkpointing,
        optimizer_bytes: 8.0,
    };
    let plan = TrainingPlanner::new(&config, &shape).expect("a plan").plan(BatchShape::from(&batch));

    let mut base = Model::init(config, 1);
    if case.nf4 {
        base = base.quantize_nf4(true).expect("finite weights");
    }
    base.set_gradient_checkpointing(case.gradient_checkpointing);
    let loaded = base.clone();
    let mut trainable = match &case.adapter {
        Some(config) => TrainableModel::Adapter { adapter: Adapter::init(&base, config, 2).expect("an adapter"), base },
        None => TrainableModel::Full { model: base },
    };
    let sizes: Vec<usize> = (0..trainable.parameters().len()).map(|i| trainable.values(i).len()).collect();
    assert_eq!(plan.n_trainable, sizes.iter().sum::<usize>() as u64);
    let mut gradients: Vec<Vec<f32>> = sizes.iter().map(|&n| vec![0.0; n]).collect();
    let moments: Vec<Vec<f32>> = sizes.iter().map(|&n| vec![1.0; 2 * n]).collect();
    for _ in 0..2 {
        let cancel = AtomicBool::new(false);
        trainable.values_mut(0)[0] += 1e-6;
        trainable.accumulate_gradients(&batch, 1e-3, None, &mut gradients, &cancel).expect("a step");
    }
    let used = status_bytes("VmHWM") - idle;
    let planned = plan.peak_bytes();
    eprintln!("planned {} MiB, used {} MiB: {:.3}", planned >> 20, used >> 20, planned as f64 / used as f64);
    assert!((planned as f64 / used as f64 - 1.0).abs() <= TOLERANCE, "used {used}, planned {planned}: {plan:?}");
    assert!(moments.iter().flatten().all(|&x| x == 1.0) && loaded.n_parameters() > 0);
}

/// The cases by name.
fn cases() -> Vec<(&'static str, Case)> {
    let default = AdapterConfig::default;
    vec![
        ("deep", lora(DEEP, &[700, 200, 124])),
        ("wide", lora(WIDE, &[192; 3])),
        ("packed", lora(DEEP, &[64; 20])),
        ("long", lora(DEEP, &[2500])),
        ("long, checkpointing", Case { gradient_checkpointing: true, ..lora(DEEP, &[2500]) }),
        ("packed, checkpointing", Case { gradient_checkpointing: true, ..lora(NORMED, &[100; 24]) }),
        ("all weights", Case { adapter: None, ..lora(DEEP, &[256; 4]) }),
        ("norms on heads, rank 32", with(NORMED, AdapterConfig { r: 32, ..default() })),
        ("plain", with(PLAIN, default())),
        ("dropout", with(NORMED, AdapterConfig { dropout: 0.1, ..default() })),
        ("DoRA", with(NORMED, AdapterConfig { use_dora: true, ..default() })),
        ("IA3", with(NORMED, AdapterConfig { kind: AdapterKind::Ia3, target_modules: Vec::new(), ..default() })),
    ]
}

/// Set for the process of one case.
const CASE: &str = "LUTHIER_TEST_MEMORY_CASE";

#[test]
fn runs_take_the_memory_that_was_planned() {
    let cases = cases();
    if let Ok(name) = std::env::var(CASE) {
        return check(&cases.iter().find(|case| case.0 == name).expect("a case").1);
    }
    let mut wrong = Vec::new();
    for (name, _) in &cases {
        let mut child = std::process::Command::new(std::env::current_exe().expect("this test"));
        child.env(CASE, name).args(["--exact", "runs_take_the_memory_that_was_planned", "--nocapture"]);
        let output = child.output().expect("a process");
        let text = String::from_utf8_lossy(&output.stderr);
        let line = text.lines().find(|line| line.starts_with("planned")).unwrap_or(&text);
        eprintln!("{name}: {line}");
        if !output.status.success() {
            wrong.push(format!("{name}: {line}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
