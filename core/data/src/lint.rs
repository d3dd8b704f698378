use crate::{Example, Result, Tokenizer};

/// Hard gate before training. Warnings out; what would train nothing or the wrong thing is an error.
pub fn lint(examples: &[Example], rows: &[usize], tokenizer: &Tokenizer) -> Result<Vec<String>> {
    let _ = (examples, rows, tokenizer);
    unimplemented!()
}
