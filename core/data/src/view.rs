use luthier_protocol::response::ShownToken;

use crate::{Example, Tokenizer};

/// The example, token by token.
pub fn shown_tokens(example: &Example, tokenizer: &Tokenizer) -> Vec<ShownToken> {
    let _ = (example, tokenizer);
    unimplemented!()
}
