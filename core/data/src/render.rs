//! The one path from a row to a prompt, and from a completion to an answer.
//!
//! Both traits live here because data calls them; a task template plugin implements both, and
//! [`crate::format`] gives the default for datasets that have no template.

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};

use crate::Error;

/// One chat message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// Text.
    pub content: String,
}

/// Turns rows into the messages that a model is shown. Rows in = conversations out. Each
/// conversation ends with the turn that the model is to answer (never with its answer).
pub trait PromptRenderer: Send {
    /// `shots` are example rows (prompt and target known), shown before the question; may be empty.
    fn render(&mut self, rows: &RecordBatch, shots: &RecordBatch) -> Result<Vec<Vec<Message>>, Error>;

    /// The text that a model should answer to each row: what training learns.
    fn targets(&mut self, rows: &RecordBatch) -> Result<Vec<String>, Error>;

    /// Hash of everything that shapes prompts: stored in adapters, compared before use.
    fn fingerprint(&self) -> String;
}

/// One answer taken out of a completion, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The answer, as metrics see it.
    Found(String),
    /// Why the completion holds none.
    Missing(String),
}

/// Takes the answer out of each completion. Completions in = answers out.
pub trait AnswerExtractor: Send {
    /// See the trait.
    fn extract(&mut self, completions: &[String]) -> Result<Vec<Answer>, Error>;
}
