//! Writes the model directory: bf16 weights, configuration, tokenizer, model card.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use luthier_model::{Model, ModelConfig, SaveDtype, TrainableModel};
use luthier_train::adamw::{AdamW, AdamWConfig};
use serde_json::json;

use super::evaluate::{self, Measured};
use super::recipe::{Recipe, end_id};
use super::state::{self, Progress};
use super::write_json;

/// All of it, weights included; the repository carries it.
const MAX_BYTES: u64 = 8_000_000;

/// Exports the training state in `out` to `to`.
///
/// # Errors
/// A missing state, a full disk, or a directory over the size limit.
#[allow(clippy::print_stdout, reason = "the subcommand's output")]
pub(super) fn export(recipe: &Recipe, out: &Path, to: &Path) -> Result<()> {
    let config = ModelConfig::from_json(&recipe.config_json().to_string())?;
    let mut trainable = TrainableModel::Full { model: Model::init(config, recipe.seed) };
    let shapes: Vec<usize> = trainable.parameters().iter().map(|parameter| parameter.shape.iter().product()).collect();
    let mut optimizer = AdamW::new(
        AdamWConfig { betas: recipe.train.betas, epsilon: 1e-8, weight_decay: recipe.train.weight_decay },
        shapes,
    );
    let progress = state::load(out, &mut trainable, &mut optimizer)?
        .with_context(|| format!("{} holds no training state", out.display()))?;
    let TrainableModel::Full { model } = trainable else { unreachable!("made as Full above") };
    std::fs::create_dir_all(to)?;
    model.save(to, SaveDtype::Bf16)?;
    write_json(&to.join("config.json"), &recipe.config_json())?;
    let generation = json!({"eos_token_id": end_id(), "pad_token_id": 0, "do_sample": false, "max_new_tokens": 128});
    write_json(&to.join("generation_config.json"), &generation)?;
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        let text = std::fs::read(out.join(name)).with_context(|| format!("cannot read {name}"))?;
        luthier_data::atomic::write(&to.join(name), &text)?;
    }
    // Measured on what is written, not on what was trained: bf16 rounds.
    let measured = evaluate::measure(recipe, to)?;
    let card = card(recipe, &progress, &measured, model.n_parameters())?;
    luthier_data::atomic::write(&to.join("README.md"), card.as_bytes())?;
    let n_bytes: u64 =
        std::fs::read_dir(to)?.filter_map(|entry| entry.ok()?.metadata().ok()).map(|file| file.len()).sum();
    println!("{}: {n_bytes} bytes, held-out perplexity {:.4}", to.display(), measured.perplexity);
    ensure!(n_bytes <= MAX_BYTES, "{} has {n_bytes} bytes, at most {MAX_BYTES} are allowed", to.display());
    Ok(())
}

fn card(recipe: &Recipe, progress: &Progress, measured: &Measured, n_parameters: u64) -> Result<String> {
    let mut text = format!(
        "# pico\n\nThe built-in model: a Llama-family decoder of {:.2} million parameters ({} blocks of width {}), trained from\n\
         scratch by this project's engine on text that `cargo xtask pico` generates. Nothing was downloaded.\n\n",
        n_parameters as f64 / 1e6,
        recipe.model.n_layers,
        recipe.model.hidden_size
    );
    writeln!(
        text,
        "| | |\n|---|---|\n| held-out perplexity (learned tokens) | {:.4} |\n| training tokens | {:.1} million in {} steps |\n| training time | {:.0} minutes on one CPU core |",
        measured.perplexity,
        progress.n_tokens as f64 / 1e6,
        progress.step,
        progress.seconds / 60.0
    )?;
    for (kind, perplexity) in &measured.by_kind {
        writeln!(text, "| held-out perplexity, {} | {perplexity:.4} |", kind_words(*kind))?;
    }
    writeln!(text, "| exact greedy answers, unseen schemas | {:.1} % of {} |", 100.0 * measured.exact, measured.n)?;
    writeln!(
        text,
        "| exact greedy answers, unseen houses, from earlier turns | {:.1} % of {} |",
        100.0 * measured.exact_house,
        measured.n
    )?;
    writeln!(
        text,
        "\nText: questions and SQL over invented schemas (two thirds of them readable, one third *houses* whose codes, units\n\
         and words only earlier turns give away), short Python functions, plain instructions. The names and business words of\n\
         the curated task `shop` occur nowhere in it.\n\n\
         `recipe.toml` is the recipe: `cargo xtask pico train --out DIR` follows it from nothing, and `cargo xtask pico eval\n\
         --model DIR/export` measures what came out. How near a second run of the committed recipe came: docs/performance.md.\n\n\
         Training starts from random weights with two attention circuits laid in that copying needs (`xtask/pico/src/start.rs`);\n\
         all weights are trained.\n\n\
         It answers in one style of SQLite SQL, knows nothing of the world, and is made for tests, workshops and for being\n\
         fine-tuned. Licence: MIT OR Apache-2.0."
    )?;
    Ok(text)
}

fn kind_words(kind: super::corpus::Kind) -> &'static str {
    use super::corpus::Kind;
    match kind {
        Kind::Ordinary => "readable schemas",
        Kind::House => "houses",
        Kind::Python => "Python functions",
        Kind::Plain => "plain instructions",
    }
}
