//! Held-out perplexity of what is learned, by kind, and exact greedy answers on held-out schemas.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use luthier_model::{Control, GenerateInput, GenerateOptions, Model, SequenceBatch, TrainableModel, generate};
use tokenizers::Tokenizer;

use super::corpus::{self, Kind};
use super::recipe::{Recipe, end_id};
use super::{MAX_POSITIONS, pack};

/// Held-out documents that the model card's perplexity is measured on.
const CARD_TOKENS: usize = 60_000;
/// Last questions answered greedily.
const ANSWERED: usize = 50;
/// The same during training, where time is training time.
const QUICKLY_ANSWERED: usize = 16;

/// What the model card states.
pub(super) struct Measured {
    /// exp(mean NLL) over learned tokens of held-out documents of all kinds.
    pub(super) perplexity: f64,
    /// The same, by kind.
    pub(super) by_kind: Vec<(Kind, f64)>,
    /// Share of last questions about ordinary held-out schemas answered with exactly the gold SQL.
    pub(super) exact: f64,
    /// The same about houses.
    pub(super) exact_house: f64,
    /// Questions behind each share.
    pub(super) n: usize,
}

/// Measures a model directory and prints it.
///
/// # Errors
/// Unreadable weights or tokenizer.
#[allow(clippy::print_stdout, reason = "the subcommand's output")]
pub(super) fn report(recipe: &Recipe, directory: &Path) -> Result<()> {
    let measured = measure(recipe, directory)?;
    println!("held-out perplexity {:.4}", measured.perplexity);
    for (kind, perplexity) in &measured.by_kind {
        println!("  {kind:?} {perplexity:.4}");
    }
    println!(
        "exact answers: ordinary schemas {:.3}, houses {:.3} (n = {} each)",
        measured.exact, measured.exact_house, measured.n
    );
    Ok(())
}

/// See [`Measured`].
///
/// # Errors
/// Unreadable weights or tokenizer.
pub(super) fn measure(recipe: &Recipe, directory: &Path) -> Result<Measured> {
    let tokenizer = pack::tokenizer(directory)?;
    let model = Model::load(directory)?;
    let trainable = TrainableModel::Full { model: model.clone() };
    let perplexity = loss(&trainable, &pack::held_out(&tokenizer, recipe.seed, CARD_TOKENS)?)?.exp();
    let mut by_kind = Vec::new();
    for kind in [Kind::Ordinary, Kind::House, Kind::Python, Kind::Plain] {
        by_kind.push((kind, loss(&trainable, &of_kind(&tokenizer, recipe.seed, kind, CARD_TOKENS / 4)?)?.exp()));
    }
    let exact = exact(&model, &tokenizer, recipe.seed, Kind::Ordinary, ANSWERED)?;
    let exact_house = self::exact(&model, &tokenizer, recipe.seed, Kind::House, ANSWERED)?;
    Ok(Measured { perplexity, by_kind, exact, exact_house, n: ANSWERED })
}

/// One line during training.
///
/// # Errors
/// The tokenizer's or the model's.
pub(super) fn quick(trainable: &TrainableModel, tokenizer: &Tokenizer, seed: u64, n_tokens: usize) -> Result<String> {
    let mut line = String::from("held-out");
    for kind in [Kind::Ordinary, Kind::House, Kind::Python] {
        let perplexity = loss(trainable, &of_kind(tokenizer, seed, kind, n_tokens / 3)?)?.exp();
        write!(line, " {kind:?} {perplexity:.3}")?;
    }
    if let TrainableModel::Full { model } = trainable {
        for kind in [Kind::Ordinary, Kind::House] {
            match exact(model, tokenizer, seed, kind, QUICKLY_ANSWERED) {
                Ok(share) => write!(line, " exact {kind:?} {share:.2}")?,
                Err(error) => write!(line, " exact {kind:?}: {error}")?,
            }
        }
    }
    Ok(line)
}

/// Mean NLL over the labels, measured a few thousand tokens at a time.
fn loss(trainable: &TrainableModel, batch: &SequenceBatch) -> Result<f64> {
    let (mut nll, mut n) = (0.0, 0);
    for piece in pieces(batch, 4096) {
        let part = trainable.loss(&piece, &AtomicBool::new(false))?;
        nll += part.nll_sum;
        n += part.n_targets;
    }
    Ok(nll / n.max(1) as f64)
}

fn pieces(batch: &SequenceBatch, n_tokens: usize) -> Vec<SequenceBatch> {
    let mut parts: Vec<SequenceBatch> = Vec::new();
    for bounds in batch.offsets.windows(2) {
        let (start, end) = (bounds[0] as usize, bounds[1] as usize);
        if parts.last().is_none_or(|part| part.input_ids.len() + end - start > n_tokens) {
            parts.push(SequenceBatch { input_ids: Vec::new(), labels: Vec::new(), offsets: vec![0] });
        }
        if let Some(part) = parts.last_mut() {
            part.input_ids.extend(&batch.input_ids[start..end]);
            part.labels.extend(&batch.labels[start..end]);
            part.offsets.push(part.input_ids.len() as u32);
        }
    }
    parts
}

fn of_kind(tokenizer: &Tokenizer, seed: u64, wanted: Kind, n_tokens: usize) -> Result<SequenceBatch> {
    let mut batch = SequenceBatch { input_ids: Vec::new(), labels: Vec::new(), offsets: vec![0] };
    for index in 0.. {
        let (kind, document) = corpus::held_out(seed, index);
        if kind != wanted {
            continue;
        }
        let tokens = pack::encode(tokenizer, &document)?;
        if tokens.input_ids.len() > MAX_POSITIONS {
            continue;
        }
        if batch.input_ids.len() + tokens.input_ids.len() > n_tokens {
            break;
        }
        batch.input_ids.extend(tokens.input_ids);
        batch.labels.extend(tokens.labels);
        batch.offsets.push(batch.input_ids.len() as u32);
    }
    Ok(batch)
}

/// Greedy answers to the last question of held-out documents, compared with the gold text.
fn exact(model: &Model, tokenizer: &Tokenizer, seed: u64, wanted: Kind, n: usize) -> Result<f64> {
    let (mut inputs, mut golds) = (Vec::new(), Vec::new());
    for index in 0.. {
        let (kind, document) = corpus::held_out(seed, index);
        let Some((last, prompt)) = document.split_last().filter(|_| kind == wanted && inputs.len() < n) else {
            if inputs.len() == n {
                break;
            }
            continue;
        };
        let prompt_ids = pack::encode(tokenizer, prompt)?.input_ids;
        let gold = pack::encode(tokenizer, std::slice::from_ref(last))?.input_ids;
        if prompt_ids.len() + gold.len() < MAX_POSITIONS {
            let options = GenerateOptions {
                max_new_tokens: gold.len(),
                temperature: 0.0,
                top_k: 0,
                top_p: 1.0,
                seed: 0,
                stop_token_ids: vec![end_id()],
            };
            inputs.push(GenerateInput { prompt_ids, options });
            golds.push(gold);
        }
    }
    let generated = generate(model, None, &inputs, &mut |_, _| Control::Continue, &AtomicBool::new(false))?;
    let right = generated.iter().zip(&golds).filter(|(answer, gold)| answer.ids[..] == gold[..gold.len() - 1]).count();
    Ok(right as f64 / n as f64)
}
