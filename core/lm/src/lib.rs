//! What can answer a prompt: local models (in the engine) and any OpenAI-compatible server
//! ([`openai`]) implement [`LanguageModel`]; synthesis and evaluation call it and know nothing else of
//! models.
//!
//! ```text
//! generate                 prompt                 → text
//! loglikelihood            context, continuation  → log p(continuation | context)
//! loglikelihood_rolling    document               → log p(document)
//! ```
//!
//! Must not know: candle.

mod error;
pub mod openai;
mod request;

use std::sync::atomic::AtomicBool;

pub use error::Error;
pub use openai::{OpenAi, OpenAiOptions, Secret};
pub use request::{Completion, FinishReason, GenerateRequest, Loglikelihood, LoglikelihoodRequest, Message, Prompt};

/// One outcome per request, each on its own.
pub type Outcomes<T> = Vec<Result<T, Error>>;

/// Something that answers prompts. A call as a whole fails only if no request can be answered: it was
/// interrupted, or the server refuses the key.
pub trait LanguageModel: Send {
    /// Continue each prompt. Requests in = results out, each on its own: one row that is too long
    /// fails alone. `progress(done, total)` is called now and then. Greedy text depends neither on
    /// the order nor on the number of requests.
    fn generate(
        &mut self,
        requests: &[GenerateRequest],
        progress: &mut dyn FnMut(usize, usize),
        cancel: &AtomicBool,
    ) -> Result<Outcomes<Completion>, Error>;

    /// Score continuations.
    fn loglikelihood(
        &mut self,
        requests: &[LoglikelihoodRequest],
        progress: &mut dyn FnMut(usize, usize),
        cancel: &AtomicBool,
    ) -> Result<Outcomes<Loglikelihood>, Error>;

    /// Score whole documents, of any length: every token is scored once, after as much of what comes
    /// before it as the model's window lets it see.
    fn loglikelihood_rolling(
        &mut self,
        documents: &[String],
        progress: &mut dyn FnMut(usize, usize),
        cancel: &AtomicBool,
    ) -> Result<Outcomes<Loglikelihood>, Error>;
}
