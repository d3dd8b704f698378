//! Tokens per second of training steps and of generation, for a decoder of pico's shape.
//!
//! ```sh
//! cargo run -p luthier-benches --bin step_speed
//! ```
#![allow(clippy::print_stdout, reason = "prints its measurements")]

use luthier_model::rng::CounterRng;
use luthier_model::*;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

const CONFIG: &str = r#"{
    "model_type": "llama", "vocab_size": 2048, "hidden_size": 256, "intermediate_size": 688,
    "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4,
    "max_position_embeddings": 1024, "tie_word_embeddings": true
}"#;
const N_SEQUENCES: usize = 16;
const LENGTH: usize = 200;
const N_STEPS: usize = 8;

fn main() -> Result<()> {
    let model = Model::init(ModelConfig::from_json(CONFIG)?, 1);
    let n_parameters = model.n_parameters();
    println!("{n_parameters} parameters, {} threads", rayon::current_num_threads());
    let full = TrainableModel::Full { model: model.clone() };
    step("full", &full, 6 * n_parameters)?;
    let config = AdapterConfig { r: 16, ..AdapterConfig::default() };
    let adapter = Adapter::init(&model, &config, 2)?;
    let base = model.clone();
    step("LoRA r=16", &TrainableModel::Adapter { base, adapter }, 4 * n_parameters)?;
    for n in [1, 32] {
        generation(&model, n)?;
    }
    Ok(())
}

fn ids(n: usize, seed: u64) -> Vec<u32> {
    let rng = CounterRng::new(seed, 0);
    (0..n as u64).map(|i| rng.below_at(i, 2048) as u32).collect()
}

/// Best of several steps; FLOPs are those of the weights alone, without attention scores.
fn step(name: &str, trainable: &TrainableModel, flops_per_token: u64) -> Result<()> {
    let sequences: Vec<Vec<u32>> = (0..N_SEQUENCES).map(|i| ids(LENGTH, i as u64)).collect();
    let labels: Vec<Vec<i32>> = sequences.iter().map(|ids| ids.iter().map(|&id| id as i32).collect()).collect();
    let pairs = sequences.iter().zip(&labels).map(|(ids, labels)| (&ids[..], &labels[..]));
    let batch = SequenceBatch::from_sequences(pairs);
    let mut gradients: Vec<_> =
        (0..trainable.parameters().len()).map(|i| vec![0.0; trainable.values(i).len()]).collect();
    let cancel = AtomicBool::new(false);
    let mut best = f64::INFINITY;
    for _ in 0..N_STEPS {
        let start = Instant::now();
        trainable.accumulate_gradients(&batch, 1e-3, None, &mut gradients, &cancel)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    let n_tokens = batch.n_tokens() as f64;
    let gflops = n_tokens * flops_per_token as f64 / best / 1e9;
    println!("{name}: {:.0} ms, {:.0} tokens/s, {gflops:.0} GFLOP/s", best * 1e3, n_tokens / best);
    Ok(())
}

fn generation(model: &Model, n: usize) -> Result<()> {
    let options = GenerateOptions { max_new_tokens: 64, ..GenerateOptions::default() };
    let inputs: Vec<_> =
        (0..n as u64).map(|seed| GenerateInput { prompt_ids: ids(300, seed), options: options.clone() }).collect();
    let cancel = AtomicBool::new(false);
    let start = Instant::now();
    let answers = generate(model, None, &inputs, &mut |_, _| Control::Continue, &cancel)?;
    let seconds = start.elapsed().as_secs_f64();
    let n_new: usize = answers.iter().map(|answer| answer.ids.len()).sum();
    let rate = n_new as f64 / seconds;
    println!("generate {n} x (300 + 64): {seconds:.2} s, {rate:.0} new tokens/s");
    Ok(())
}
