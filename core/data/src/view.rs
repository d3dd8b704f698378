//! An example as people look at it: token by token, with the loss mask.

use luthier_protocol::response::ShownToken;

use crate::{Example, IGNORE_INDEX, Tokenizer};

/// One entry per token, in order. `target` is what the loss sees: never the first token, which
/// nothing predicts.
pub fn shown_tokens(example: &Example, tokenizer: &Tokenizer) -> Vec<ShownToken> {
    let shown = |(index, (id, label)): (usize, (&u32, &i32))| ShownToken {
        id: *id,
        text: tokenizer.token_text(*id),
        target: index > 0 && *label != IGNORE_INDEX,
        special: tokenizer.is_special(*id),
    };
    example.input_ids.iter().zip(&example.labels).enumerate().map(shown).collect()
}

#[cfg(test)]
mod tests;
