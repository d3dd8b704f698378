//! What can answer a prompt. Local models and (later) HTTP providers implement [`LanguageModel`];
//! synthesis and evaluation call it and know nothing else of models.
//!
//! Must not know: candle.

use std::sync::atomic::AtomicBool;

use luthier_protocol::spec::GenerationSpec;

/// One prompt to be continued.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateRequest {
    /// Text as the tokenizer sees it: rendered, special tokens spelled out.
    pub prompt: String,
    /// How to generate.
    pub generation: GenerationSpec,
}

/// Why generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// An end token or a stop string.
    Stop,
    /// `max_new_tokens`, or the model's context is full.
    Length,
}

/// One continuation.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// The new text alone, without the stop string or end token.
    pub text: String,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Tokens of the prompt.
    pub n_prompt_tokens: usize,
    /// Tokens generated.
    pub n_new_tokens: usize,
}

/// Log-likelihood of a continuation given a context.
#[derive(Debug, Clone, PartialEq)]
pub struct LoglikelihoodRequest {
    /// What comes before; not scored.
    pub context: String,
    /// What is scored.
    pub continuation: String,
}

/// Answer to a [`LoglikelihoodRequest`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loglikelihood {
    /// Natural logarithm of the continuation's probability.
    pub loglikelihood: f64,
    /// Tokens scored.
    pub n_tokens: usize,
    /// Greedy decoding would have produced the continuation.
    pub is_greedy: bool,
}

/// Why a model could not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The prompt does not fit.
    #[error("the prompt has {n_tokens} tokens, the model's context holds {max_seq_len}")]
    TooLong {
        /// Tokens of the prompt.
        n_tokens: usize,
        /// The model's limit.
        max_seq_len: usize,
    },
    /// Somebody cancelled.
    #[error("generation was interrupted")]
    Interrupted,
    /// Anything else, in the model's words.
    #[error("the model failed: {source}")]
    Model {
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Something that answers prompts.
pub trait LanguageModel: Send {
    /// Continue each prompt. Requests in = results out, each on its own: one row that is too long
    /// fails alone. `progress(done, total)` is called now and then. Greedy text depends neither on
    /// the order nor on the number of requests.
    fn generate(
        &mut self,
        requests: &[GenerateRequest],
        progress: &mut dyn FnMut(usize, usize),
        cancel: &AtomicBool,
    ) -> Result<Vec<Result<Completion, Error>>, Error>;

    /// Score continuations.
    fn loglikelihood(
        &mut self,
        requests: &[LoglikelihoodRequest],
        cancel: &AtomicBool,
    ) -> Result<Vec<Loglikelihood>, Error>;
}
