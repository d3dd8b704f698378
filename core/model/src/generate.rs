//! Text generation with a key-value cache and continuous batching.
use crate::{Error, LoraAdapter, Model, Result};
use std::sync::atomic::AtomicBool;

/// How to choose tokens and when to stop.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// Most tokens to generate.
    pub max_new_tokens: usize,
    /// 0 is greedy.
    pub temperature: f64,
    /// Keep the k most likely tokens; 0 keeps all.
    pub top_k: usize,
    /// Keep the smallest set of tokens with this much probability; 1 keeps all.
    pub top_p: f64,
    /// Seed of the draws.
    pub seed: u64,
    /// Ids that end the text.
    pub stop_token_ids: Vec<u32>,
}

impl Default for GenerateOptions {
    /// Greedy, up to 256 tokens, no stop token.
    fn default() -> Self {
        GenerateOptions {
            max_new_tokens: 256,
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            seed: 0,
            stop_token_ids: Vec::new(),
        }
    }
}

/// One prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateInput {
    /// The prompt's tokens, at least one.
    pub prompt_ids: Vec<u32>,
    /// Options of this input.
    pub options: GenerateOptions,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// New tokens, without the stop token.
    pub ids: Vec<u32>,
    /// Why it ended.
    pub finish_reason: FinishReason,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// A stop token, or the closure's decision.
    Stop,
    /// `max_new_tokens`.
    Length,
}

/// What the closure decides after each token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// End this answer (a stop string was found).
    Stop,
}

/// Continues all prompts; `on_token(input index, new ids so far)` is called after each token.
pub fn generate(
    _model: &Model,
    _adapter: Option<&LoraAdapter>,
    _inputs: &[GenerateInput],
    _on_token: &mut dyn FnMut(usize, &[u32]) -> Control,
    _cancel: &AtomicBool,
) -> Result<Vec<Generated>> {
    Err(Error::Interrupted)
}
