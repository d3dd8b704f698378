//! The one path from a row to a prompt, and from a completion to an answer.
//!
//! Both traits live here because data calls them; a task template plugin implements both, and
//! [`crate::format`] gives the default for datasets that have no template.

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Error;

/// Role of the message that carries a conversation's tools: the first, its content the JSON list
/// that chat templates know as `tools`. Never shown as a turn.
pub const TOOLS_ROLE: &str = "tools";

/// One chat message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user`, `assistant` or `tool`; [`TOOLS_ROLE`] for the list of tools.
    pub role: String,
    /// Text.
    #[serde(default)]
    pub content: String,
    /// What else the message holds for its chat template: `tool_calls`, `name`,
    /// `reasoning_content`; `content` itself where it is not a text (null beside tool calls).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

impl Message {
    /// A message of text alone.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Message { role: role.into(), content: content.into(), extra: Map::new() }
    }

    /// Says nothing: neither text nor a tool call.
    pub fn is_empty(&self) -> bool {
        self.content.trim().is_empty() && !self.calls_tools()
    }

    /// Calls tools.
    pub fn calls_tools(&self) -> bool {
        self.extra.get("tool_calls").and_then(Value::as_array).is_some_and(|calls| !calls.is_empty())
    }
}

/// What one row teaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrainingRow {
    /// Raw text, all of it learned; no chat template renders it.
    Text(String),
    /// A conversation.
    Turns {
        /// The turns before the answer.
        prompt: Vec<Message>,
        /// The answer: one assistant turn, or several with the tools' results between them.
        answer: Vec<Message>,
    },
}

impl TrainingRow {
    /// A prompt and a text that answers it.
    pub fn answered(prompt: Vec<Message>, target: impl Into<String>) -> Self {
        TrainingRow::Turns { prompt, answer: vec![Message::new("assistant", target)] }
    }

    /// What is to be learned, as text for people.
    pub fn answer_text(&self) -> String {
        match self {
            TrainingRow::Text(text) => text.clone(),
            TrainingRow::Turns { answer, .. } => answer.iter().map(|turn| turn.content.as_str()).collect(),
        }
    }

    /// The last turn that is answered, as text for people.
    pub fn prompt_text(&self) -> &str {
        match self {
            TrainingRow::Text(_) => "",
            TrainingRow::Turns { prompt, .. } => prompt.last().map_or("", |turn| turn.content.as_str()),
        }
    }
}

/// Turns rows into the messages that a model is shown. Rows in = conversations out. Each
/// conversation ends with the turn that the model is to answer (never with its answer).
pub trait PromptRenderer: Send {
    /// `shots` are example rows (prompt and target known), shown before the question; may be empty.
    fn render(&mut self, rows: &RecordBatch, shots: &RecordBatch) -> Result<Vec<Vec<Message>>, Error>;

    /// The text that a model should answer to each row: what training learns.
    fn targets(&mut self, rows: &RecordBatch) -> Result<Vec<String>, Error>;

    /// What each row teaches: its conversation and its target as an assistant turn, unless the
    /// renderer knows better (raw text, answers that call tools).
    fn training_rows(&mut self, rows: &RecordBatch) -> Result<Vec<TrainingRow>, Error> {
        let prompts = self.render(rows, &rows.slice(0, 0))?;
        let targets = self.targets(rows)?;
        if prompts.len() != targets.len() {
            return Err(Error::Renderer {
                what: "prompt renderer".into(),
                finding: format!("{} conversations for {} targets", prompts.len(), targets.len()),
                source: None,
            });
        }
        Ok(prompts.into_iter().zip(targets).map(|(prompt, target)| TrainingRow::answered(prompt, target)).collect())
    }

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
