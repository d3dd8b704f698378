//! Why a model could not answer.

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
    /// Anything else of a local model, in its words.
    #[error("the model failed: {source}")]
    Model {
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A server refuses every request: the key, the model or the address is wrong.
    #[error("{server} refuses requests for model {model} with status {status}: {message}")]
    Refused {
        /// Its address, without user and query.
        server: String,
        /// The model that was asked for.
        model: String,
        /// HTTP status.
        status: u16,
        /// The server's words, cut; the key is blotted out.
        message: String,
    },
    /// A server refuses this one request.
    #[error("the server refuses the request with status {status}: {message}")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// The server's words, cut; the key is blotted out.
        message: String,
    },
    /// No good answer after all attempts.
    #[error("no answer from {server} in {attempts} attempts; the last: {last}")]
    Unavailable {
        /// Its address, without user and query.
        server: String,
        /// How often it was asked.
        attempts: u32,
        /// What came of the last attempt.
        last: String,
    },
    /// The server answers, but not with what was asked for.
    #[error("the server's answer has no {missing}: {found}")]
    Malformed {
        /// What is missing.
        missing: &'static str,
        /// The beginning of what came instead.
        found: String,
    },
    /// The server does not do this.
    #[error("the server does not give {what}{}", hint_of(hint))]
    Unsupported {
        /// What it does not do.
        what: &'static str,
        /// Which servers do.
        hint: &'static str,
    },
    /// The setting cannot be used.
    #[error("{what} is {found:?}, expected {expected}")]
    Setting {
        /// Which one.
        what: &'static str,
        /// Its value.
        found: String,
        /// What would do.
        expected: &'static str,
    },
}

impl Error {
    /// No other request would fare better.
    pub fn is_general(&self) -> bool {
        matches!(self, Error::Interrupted | Error::Refused { .. } | Error::Unsupported { .. } | Error::Setting { .. })
    }

    /// A short code for a row that has no answer.
    pub fn code(&self) -> &'static str {
        match self {
            Error::TooLong { .. } => "too-long",
            Error::Interrupted => "interrupted",
            Error::Refused { .. } | Error::Rejected { .. } => "refused",
            Error::Unavailable { .. } => "unavailable",
            Error::Malformed { .. } => "malformed-answer",
            Error::Unsupported { .. } => "unsupported",
            Error::Model { .. } | Error::Setting { .. } => "model-error",
        }
    }
}

fn hint_of(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!(": {hint}") }
}
