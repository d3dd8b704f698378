use luthier_protocol::response::Accounting;
use luthier_protocol::spec::OnTooLong;

use crate::{Message, Prompter, Result};

/// Label of a token that the loss does not see.
pub const IGNORE_INDEX: i32 = -100;

/// One sequence to train on; `labels[i]` is `input_ids[i]` or [`IGNORE_INDEX`] (shift inside the model, as in HF).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Token ids.
    pub input_ids: Vec<u32>,
    /// Same length.
    pub labels: Vec<i32>,
}

/// Makes examples.
#[derive(Debug, Clone)]
pub struct ExampleBuilder {
    /// Tokenizer and template.
    pub prompter: Prompter,
    /// Longest example.
    pub max_seq_len: usize,
    /// Loss on the prompt too.
    pub train_on_prompt: bool,
    /// What happens to longer ones.
    pub on_too_long: OnTooLong,
}

/// Examples of many rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// Examples that are trained on.
    pub examples: Vec<Example>,
    /// Row index (from 0) of each example.
    pub rows: Vec<usize>,
    /// requested = kept + rejected + failed.
    pub accounting: Accounting,
    /// For people.
    pub warnings: Vec<String>,
}

impl ExampleBuilder {
    /// One row; no limit applied.
    pub fn build(&self, messages: &[Message], target: &str) -> Result<Example> {
        let _ = (messages, target);
        unimplemented!()
    }
    /// All rows, limits applied, linted.
    pub fn build_all(&self, conversations: &[Vec<Message>], targets: &[String]) -> Result<Built> {
        let _ = (conversations, targets);
        unimplemented!()
    }
}
