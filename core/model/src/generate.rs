//! Text generation: a key-value cache per sequence, many sequences per forward pass.
//!
//! Batching is continuous: whenever an answer ends, the next prompt takes its place, and a forward
//! pass carries prompt pieces and single new tokens alike. A prompt that starts like one that is
//! already in the cache copies that part. None of this changes any answer (see
//! [`infer`](crate::infer)); a sampled token depends on the input's seed and its own step alone.

mod sample;
mod schedule;
#[cfg(test)]
mod tests;

use crate::{Adapter, Error, Model, Result};
pub(crate) use sample::argmax;
use schedule::Scheduler;
use std::sync::atomic::AtomicBool;

/// How to choose tokens and when to stop.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// Most tokens to generate.
    pub max_new_tokens: usize,
    /// Divides the logits; 0 is greedy (the first of the most likely tokens).
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

/// Continues all prompts; the answers are in the order of `inputs`.
///
/// `on_token(input index, new ids so far)` is called after each token that is kept; it may end that
/// answer. Context length is not enforced: as in transformers, a model is asked beyond
/// `max_seq_len` if the caller wants that.
///
/// # Errors
/// An option out of range, an empty prompt, an id outside the vocabulary; `Interrupted` if `cancel`
/// is set, which is polled between blocks.
pub fn generate(
    model: &Model,
    adapter: Option<&Adapter>,
    inputs: &[GenerateInput],
    on_token: &mut dyn FnMut(usize, &[u32]) -> Control,
    cancel: &AtomicBool,
) -> Result<Vec<Generated>> {
    for (i, input) in inputs.iter().enumerate() {
        validate(i, input, model.config().vocab_size)?;
    }
    let mut scheduler = Scheduler::new(model, adapter, inputs);
    while scheduler.step(on_token, cancel)? {}
    Ok(scheduler.into_answers())
}

fn validate(index: usize, input: &GenerateInput, vocab_size: usize) -> Result<()> {
    let options = &input.options;
    let invalid = |what: &str, expected: String, found: String| {
        let what = format!("{what} of input {index}");
        Err(Error::InvalidGeneration { what, expected, found })
    };
    if input.prompt_ids.is_empty() {
        return invalid("prompt", "at least one token".to_owned(), "empty".to_owned());
    }
    if let Some(id) = input.prompt_ids.iter().find(|&&id| id as usize >= vocab_size) {
        return invalid("token id", format!("below the vocabulary's size {vocab_size}"), id.to_string());
    }
    if !(options.temperature.is_finite() && options.temperature >= 0.0) {
        let expected = "0 or a positive number".to_owned();
        return invalid("temperature", expected, options.temperature.to_string());
    }
    if !(options.top_p > 0.0 && options.top_p <= 1.0) {
        return invalid("top_p", "in (0, 1]".to_owned(), options.top_p.to_string());
    }
    Ok(())
}
