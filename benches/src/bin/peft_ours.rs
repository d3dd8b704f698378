//! Our side of `cargo xtask bench peft`: one workload, timed on request.
//!
//! Question: how long does a training step (or greedy generation) take here, on the weights, tokens
//! and precision that `benches/python/peer.py` uses there? Cost model: a step of LoRA multiplies every
//! frozen weight twice per token (forward, gradient of the input): `4 * parameters` FLOPs.
//!
//! ```sh
//! cargo run -p luthier-benches --bin peft_ours -- WORKLOAD.json
//! ```
//!
//! Requests arrive as JSON lines on standard input, one answer each on standard output. With
//! `--write-model` the workload's random weights are written instead.
#![allow(clippy::print_stdout, reason = "answers on standard output")]

use luthier_model::*;
use luthier_train::adamw::{AdamW, AdamWConfig};
use luthier_train::gradients;
use serde_json::{Value, json};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

type Outcome<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let path = args.first().ok_or("usage: peft_ours WORKLOAD.json [--write-model]")?;
    let workload: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let model_dir = PathBuf::from(workload["model_dir"].as_str().unwrap_or_default());
    if args.iter().any(|arg| arg == "--write-model") {
        let config = ModelConfig::from_json(&workload["config"].to_string())?;
        return Ok(Model::init(config, 1).save(&model_dir, SaveDtype::F32)?);
    }
    let idle = status_kib("VmRSS");
    let mut session = Session::open(&workload, &model_dir)?;
    println!("{}", json!({"idle_rss_kib": idle, "version": env!("CARGO_PKG_VERSION")}));
    for line in std::io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let answer = match request["do"].as_str() {
            Some("round") => session.round()?,
            Some("profile") => profiled(&mut session)?,
            Some("memory") => json!({"peak_rss_kib": status_kib("VmHWM")}),
            _ => break,
        };
        println!("{answer}");
    }
    Ok(())
}

/// A round with what each op took of it.
fn profiled(session: &mut Session) -> Outcome<Value> {
    profile::start();
    session.round()?;
    let profile = profile::finish().ok_or("nothing was recorded")?;
    let ops = profile.ops.iter();
    let ops = ops.map(|op| json!({"name": op.name, "calls": op.calls, "seconds": op.seconds, "flops": op.flops}));
    Ok(json!({"seconds": profile.seconds, "ops": ops.collect::<Vec<_>>()}))
}

/// A line of `/proc/self/status`, 0 where there is none.
fn status_kib(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// The ids that the other side computes: a multiplicative hash of sequence and position.
fn token_ids(sequence: u64, length: u64, vocab_size: u64) -> Vec<u32> {
    let hash = |i: u64| (sequence * 7919 + i * 104_729 + 12_345).wrapping_mul(2_654_435_761) as u32;
    (0..length).map(|i| (u64::from(hash(i) >> 8) % vocab_size) as u32).collect()
}

/// `[sequence, length]` pairs as token ids.
fn sequences(pairs: &Value, vocab_size: u64) -> Vec<Vec<u32>> {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let pairs = pairs.as_array().into_iter().flatten();
    pairs.map(|pair| token_ids(number(&pair[0]), number(&pair[1]), vocab_size)).collect()
}

enum Session {
    Training(Box<Training>),
    Generation { model: Model, inputs: Vec<GenerateInput> },
}

struct Training {
    trainable: TrainableModel,
    batches: Vec<SequenceBatch>,
    gradients: Vec<Vec<f32>>,
    optimizer: AdamW,
    learning_rate: f64,
}

impl Session {
    fn open(workload: &Value, model_dir: &Path) -> Outcome<Session> {
        let model = Model::load(model_dir)?;
        let vocab_size = model.config().vocab_size as u64;
        if workload["kind"] == "generate" {
            let max_new_tokens = workload["max_new_tokens"].as_u64().unwrap_or(0) as usize;
            let options = GenerateOptions { max_new_tokens, ..GenerateOptions::default() };
            let prompts = sequences(&workload["prompts"], vocab_size);
            let inputs = prompts.into_iter().map(|prompt_ids| GenerateInput { prompt_ids, options: options.clone() });
            return Ok(Session::Generation { model, inputs: inputs.collect() });
        }
        let r = workload["r"].as_u64().unwrap_or(8) as usize;
        let alpha = workload["alpha"].as_f64().unwrap_or(16.0);
        let config = AdapterConfig { r, alpha, ..AdapterConfig::default() };
        let adapter = Adapter::init(&model, &config, 2)?;
        let trainable = TrainableModel::Adapter { base: model, adapter };
        let batches = workload["batches"].as_array().into_iter().flatten();
        let batches = batches.map(|batch| packed(&sequences(batch, vocab_size))).collect();
        let lengths: Vec<usize> = (0..trainable.parameters().len()).map(|i| trainable.values(i).len()).collect();
        let optimizer = AdamWConfig { betas: (0.9, 0.999), epsilon: 1e-8, weight_decay: 0.01 };
        Ok(Session::Training(Box::new(Training {
            gradients: lengths.iter().map(|&n| vec![0.0; n]).collect(),
            optimizer: AdamW::new(optimizer, lengths),
            learning_rate: workload["learning_rate"].as_f64().unwrap_or(1e-4),
            trainable,
            batches,
        })))
    }

    fn round(&mut self) -> Outcome<Value> {
        match self {
            Session::Training(training) => training.round(),
            Session::Generation { model, inputs } => generation(model, inputs),
        }
    }
}

fn packed(sequences: &[Vec<u32>]) -> SequenceBatch {
    let labels: Vec<Vec<i32>> = sequences.iter().map(|ids| ids.iter().map(|&id| id as i32).collect()).collect();
    SequenceBatch::from_sequences(sequences.iter().zip(&labels).map(|(ids, labels)| (&ids[..], &labels[..])))
}

impl Training {
    /// One optimizer step per batch.
    fn round(&mut self) -> Outcome<Value> {
        let start = Instant::now();
        let mut losses = Vec::new();
        for batch in std::mem::take(&mut self.batches) {
            losses.push(self.step(&batch)?);
            self.batches.push(batch);
        }
        let n_tokens: usize = self.batches.iter().map(SequenceBatch::n_tokens).sum();
        Ok(json!({"seconds": start.elapsed().as_secs_f64(), "n_tokens": n_tokens, "losses": losses}))
    }

    fn step(&mut self, batch: &SequenceBatch) -> Outcome<f64> {
        let _span = profile::span("training loop, rest", || 0.0);
        gradients::zero(&mut self.gradients);
        let scale = 1.0 / batch.n_targets() as f32;
        let cancel = AtomicBool::new(false);
        let loss = self.trainable.accumulate_gradients(batch, scale, None, &mut self.gradients, &cancel)?;
        let norms: Vec<f64> = self.gradients.iter().map(|gradient| gradients::squared_norm(gradient)).collect();
        let clipping = gradients::clipping_factor(gradients::global_norm(&norms), 1.0);
        let _span = profile::span("optimizer", || 0.0);
        self.optimizer.begin_step();
        for (i, gradient) in self.gradients.iter().enumerate() {
            self.optimizer.update(i, self.trainable.values_mut(i), gradient, clipping, self.learning_rate, true);
        }
        Ok(loss.nll_sum / loss.n_targets as f64)
    }
}

fn generation(model: &Model, inputs: &[GenerateInput]) -> Outcome<Value> {
    let start = Instant::now();
    let cancel = AtomicBool::new(false);
    let answers = generate(model, None, inputs, &mut |_, _| Control::Continue, &cancel)?;
    let seconds = start.elapsed().as_secs_f64();
    let n_tokens: usize = answers.iter().map(|answer| answer.ids.len()).sum();
    let first_ids: Vec<u32> = answers.iter().filter_map(|answer| answer.ids.first().copied()).collect();
    Ok(json!({"seconds": seconds, "n_tokens": n_tokens, "losses": [], "first_ids": first_ids}))
}
