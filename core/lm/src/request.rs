//! What is asked of a model, and what it answers.

use luthier_protocol::spec::GenerationSpec;

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

/// What is continued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// Text as the tokenizer sees it: rendered, special tokens spelled out.
    Text(String),
    /// Turns that end with the one to be answered; the model's chat template renders them, wherever
    /// the model is.
    Chat(Vec<Message>),
}

/// One prompt to be continued.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateRequest {
    /// What is continued.
    pub prompt: Prompt,
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
    /// Tokens of the prompt; 0 where a server does not say.
    pub n_prompt_tokens: usize,
    /// Tokens generated; 0 where a server does not say.
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

impl Prompt {
    /// The text, or the last turn's.
    pub fn last(&self) -> &str {
        match self {
            Prompt::Text(text) => text,
            Prompt::Chat(turns) => turns.last().map_or("", |turn| &turn.content),
        }
    }
}

impl From<String> for Prompt {
    fn from(text: String) -> Self {
        Prompt::Text(text)
    }
}
