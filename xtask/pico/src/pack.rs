//! Documents as tokens: sequences back to back, labels where the loss looks.

use anyhow::{Result, anyhow};
use luthier_model::{IGNORE_INDEX, SequenceBatch};
use tokenizers::Tokenizer;

use super::MAX_POSITIONS;
use super::corpus::{self, Kind, Piece};

/// Token ids and labels of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) input_ids: Vec<u32>,
    pub(super) labels: Vec<i32>,
}

/// Encodes pieces one by one, exactly as a prompt and its completion are encoded apart.
///
/// # Errors
/// The tokenizer's own.
pub(super) fn encode(tokenizer: &Tokenizer, pieces: &[Piece]) -> Result<Tokens> {
    let mut tokens = Tokens { input_ids: Vec::new(), labels: Vec::new() };
    for piece in pieces {
        let encoding =
            tokenizer.encode_fast(piece.text.as_str(), false).map_err(|error| anyhow!("tokenizer: {error}"))?;
        tokens.input_ids.extend(encoding.get_ids());
        let label = |id: &u32| if piece.learned { *id as i32 } else { IGNORE_INDEX };
        tokens.labels.extend(encoding.get_ids().iter().map(label));
    }
    Ok(tokens)
}

/// Where the documents come from.
pub(super) type Source = fn(u64, u64) -> (Kind, Vec<Piece>);

/// The documents from `cursor` on that fit into `n_tokens`; `cursor` moves past them.
///
/// # Errors
/// The tokenizer's own.
pub(super) fn batch(
    tokenizer: &Tokenizer,
    source: Source,
    seed: u64,
    cursor: &mut u64,
    n_tokens: usize,
) -> Result<SequenceBatch> {
    let mut batch = SequenceBatch { input_ids: Vec::new(), labels: Vec::new(), offsets: vec![0] };
    loop {
        let tokens = encode(tokenizer, &source(seed, *cursor).1)?;
        if tokens.input_ids.len() > MAX_POSITIONS {
            *cursor += 1;
            continue;
        }
        if batch.input_ids.len() + tokens.input_ids.len() > n_tokens.max(MAX_POSITIONS) {
            return Ok(batch);
        }
        *cursor += 1;
        batch.input_ids.extend(tokens.input_ids);
        batch.labels.extend(tokens.labels);
        batch.offsets.push(batch.input_ids.len() as u32);
    }
}

/// Opens tokenizer.json of a directory.
///
/// # Errors
/// A missing or invalid file.
pub(super) fn tokenizer(directory: &std::path::Path) -> Result<Tokenizer> {
    let path = directory.join("tokenizer.json");
    Tokenizer::from_file(&path).map_err(|error| anyhow!("cannot read {}: {error}", path.display()))
}

/// Held-out documents of one kind, as a batch.
///
/// # Errors
/// The tokenizer's own.
pub(super) fn held_out(tokenizer: &Tokenizer, seed: u64, n_tokens: usize) -> Result<SequenceBatch> {
    batch(tokenizer, corpus::held_out, seed, &mut 0, n_tokens)
}
