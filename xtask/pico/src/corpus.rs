//! The pre-training text, one document per (seed, index): conversations about invented schemas in
//! exactly the form of the template's prompt, short Python functions, plain instructions.

#[cfg(test)]
mod tests;

use luthier_text_to_sql::prompt::conversation;
use luthier_text_to_sql::{Grammar, Rng};

use super::invent::{self, World};
use super::{plain, snippets};

/// A piece of a document and whether the loss looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) learned: bool,
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Questions about an ordinary schema.
    Ordinary,
    /// Questions about a house, whose words show only in earlier turns.
    House,
    /// A Python function.
    Python,
    /// An instruction and its answer.
    Plain,
}

/// Random streams: training documents and held-out documents never meet.
const TRAIN_STREAM: u64 = 1 << 40;
const HELD_OUT_STREAM: u64 = 1 << 41;

/// Percentages of [`Kind`]s, in order.
const MIXTURE: &[u32] = &[58, 29, 9, 4];

/// Training document `index` of `seed`.
pub(super) fn document(seed: u64, index: u64) -> (Kind, Vec<Piece>) {
    draw(&mut Rng::new(seed, TRAIN_STREAM + index))
}

/// Held-out document `index`: the same distribution, other schemas.
pub(super) fn held_out(seed: u64, index: u64) -> (Kind, Vec<Piece>) {
    draw(&mut Rng::new(seed, HELD_OUT_STREAM + index))
}

fn draw(rng: &mut Rng) -> (Kind, Vec<Piece>) {
    let kind = [Kind::Ordinary, Kind::House, Kind::Python, Kind::Plain][rng.weighted(MIXTURE)];
    let pieces = match kind {
        Kind::Ordinary => {
            let n_turns = [1, 2, 3, 4, 5][rng.weighted(&[22, 26, 24, 16, 12])];
            questions(&invent::ordinary(rng), rng, n_turns, 0)
        }
        Kind::House => {
            let n_turns = 4 + rng.below(5);
            // What only the house knows cannot be answered at the first turn; learning it would be learning noise.
            questions(&invent::house(rng), rng, n_turns, 1)
        }
        Kind::Python => snippets::document(rng),
        Kind::Plain => plain::document(rng),
    };
    (kind, pieces)
}

/// A conversation over one schema; answers before turn `learned_from` are not learned.
fn questions(world: &World, rng: &mut Rng, n_turns: usize, learned_from: usize) -> Vec<Piece> {
    let grammar = Grammar::new(&world.schema, &world.words);
    let mut pairs = Vec::new();
    for _ in 0..3 * n_turns {
        match grammar.pair(rng) {
            Some(pair) if pairs.len() < n_turns && !pairs.contains(&pair) => pairs.push(pair),
            _ => {}
        }
    }
    let Some((last, shots)) = pairs.split_last() else { return plain::document(rng) };
    let shots: Vec<(&str, &str)> = shots.iter().map(|pair| (pair.question.as_str(), pair.sql.as_str())).collect();
    let messages = conversation(&world.schema.compact(), &shots, &last.question);
    let mut pieces = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        match message.role.as_str() {
            "user" => pieces.extend(user(&message.content)),
            _ => pieces.push(assistant(&message.content, index / 2 >= learned_from)),
        }
    }
    pieces.push(assistant(&last.sql, shots.len() >= learned_from));
    pieces
}

/// A user turn up to the point where the assistant speaks.
pub(super) fn user(content: &str) -> [Piece; 1] {
    [Piece { text: format!("<|user|>{content}<|assistant|>"), learned: false }]
}

/// An assistant turn with its end.
pub(super) fn assistant(content: &str, learned: bool) -> Piece {
    Piece { text: format!("{content}<|end|>"), learned }
}

/// The document as one text.
pub(super) fn text(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| piece.text.as_str()).collect()
}
