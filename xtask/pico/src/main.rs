//! pico, the built-in model: generated text, a tokenizer, pre-training from scratch by this engine.
//!
//! ```text
//! cargo xtask pico sample [N]            print generated documents
//! cargo xtask pico tokenizer --out DIR   learn the tokenizer
//! cargo xtask pico train --out DIR [--minutes M]   train (resumes; `touch DIR/finish` cools down and ends)
//! cargo xtask pico eval --model DIR      held-out perplexity and exact answers
//! cargo xtask pico export --out DIR [--to DIR]     bf16 weights and model card
//! ```
//!
//! Everything is a function of the recipe (`core/engine/assets/pico/recipe.toml`): no text is
//! downloaded, documents are drawn from (seed, index) while training reads them.

mod corpus;
mod evaluate;
mod export;
mod invent;
mod lexicon;
mod pack;
mod plain;
mod recipe;
mod snippets;
mod start;
mod state;
mod tokenizer;
mod train;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// pico's context: the four-example prompt with room to spare.
const MAX_POSITIONS: usize = 1024;
/// Where the committed model lives, relative to the workspace.
const ASSETS: &str = "core/engine/assets/pico";
/// Documents that the tokenizer is learned from.
const TOKENIZER_DOCUMENTS: u64 = 24_000;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let options = Options::parse(&args)?;
    match options.command.as_str() {
        "sample" => sample(options.count.unwrap_or(8)),
        "tokenizer" => learn_tokenizer(&options.out()?),
        "train" => train::train(&options.recipe()?, &options.out()?, options.minutes),
        "eval" => evaluate::report(&options.recipe()?, options.model.as_deref().unwrap_or(&assets())),
        "export" => export::export(&options.recipe()?, &options.out()?, options.to.as_deref().unwrap_or(&assets())),
        other => bail!("unknown pico command `{other}`; there are sample, tokenizer, train, eval, export"),
    }
}

#[derive(Debug, Default)]
struct Options {
    command: String,
    count: Option<u64>,
    out: Option<PathBuf>,
    to: Option<PathBuf>,
    model: Option<PathBuf>,
    recipe: Option<PathBuf>,
    minutes: Option<f64>,
}

impl Options {
    fn parse(args: &[String]) -> Result<Options> {
        let mut options = Options { command: args.first().cloned().unwrap_or_default(), ..Options::default() };
        let mut rest = args.iter().skip(1);
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().with_context(|| format!("`{argument}` needs a value"));
            match argument.as_str() {
                "--out" => options.out = Some(value()?.into()),
                "--to" => options.to = Some(value()?.into()),
                "--model" => options.model = Some(value()?.into()),
                "--recipe" => options.recipe = Some(value()?.into()),
                "--minutes" => options.minutes = Some(value()?.parse().context("--minutes")?),
                count => options.count = Some(count.parse().with_context(|| format!("unknown argument `{count}`"))?),
            }
        }
        Ok(options)
    }

    fn out(&self) -> Result<PathBuf> {
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from("target/pico"));
        std::fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
        Ok(out)
    }

    fn recipe(&self) -> Result<recipe::Recipe> {
        recipe::Recipe::read(&self.recipe.clone().unwrap_or_else(|| assets().join("recipe.toml")))
    }
}

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(ASSETS)
}

#[allow(clippy::print_stdout, reason = "the subcommand's output")]
fn sample(n: u64) -> Result<()> {
    for index in 0..n {
        let (kind, pieces) = corpus::document(1, index);
        println!("--- {kind:?}\n{}", corpus::text(&pieces));
    }
    Ok(())
}

fn learn_tokenizer(out: &Path) -> Result<()> {
    let seed = recipe::TOKENIZER_SEED;
    let texts = (0..TOKENIZER_DOCUMENTS).map(move |index| {
        let text = corpus::text(&corpus::document(seed, index).1);
        tokenizer::SPECIAL.iter().fold(text, |text, token| text.replace(token, "\n"))
    });
    tokenizer::train(texts, out)
}

fn write_json(path: &Path, value: &serde_json::Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    luthier_data::atomic::write(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}
