//! The default [`PromptRenderer`] and [`AnswerExtractor`], for datasets without a task template.
//!
//! | rows | turns |
//! |---|---|
//! | prompt, completion | user: prompt; assistant: completion |
//! | instruction, input, output | user: instruction, blank line, input (if there is any); assistant: output |
//! | messages, conversations | as they are, up to the last assistant turn, which is the target |
//! | prompt, chosen, rejected | user: prompt; assistant: chosen |
//! | text | none: the text itself is learned, by no chat template |
//!
//! Cells of prompt, completion, chosen and rejected may also be lists of messages. A column of the
//! system's words becomes a first turn where a row has none. Shots become earlier turns of the same
//! conversation.

mod messages;
mod turns;

use arrow_array::RecordBatch;
use sha2::{Digest, Sha256};

use crate::dataset::cells;
use crate::roles::RowKind;
use crate::{Answer, AnswerExtractor, Dataset, Error, Message, PromptRenderer, Result, Roles, TrainingRow};

pub(crate) use messages::{Conversation, parse, parse_list, take_apart, turns_if_list};
pub(crate) use turns::{answer_turns, shared_prompt};

/// The renderer for a dataset that no template renders.
pub fn renderer_for(dataset: &Dataset) -> Box<dyn PromptRenderer> {
    Box::new(DefaultRenderer::new(&dataset.name, dataset.roles.clone()))
}

/// Renders rows by their roles alone.
#[derive(Debug, Clone)]
pub struct DefaultRenderer {
    what: String,
    roles: Roles,
}

impl DefaultRenderer {
    /// `what` names the dataset in errors.
    pub fn new(what: &str, roles: Roles) -> Self {
        DefaultRenderer { what: what.to_string(), roles }
    }

    /// What comes before each answer.
    fn contexts(&self, rows: &RecordBatch) -> Result<Vec<Vec<Message>>> {
        let contexts = match self.roles.kind() {
            RowKind::Text => vec![Vec::new(); rows.num_rows()],
            RowKind::Chat => {
                let parsed = self.conversations(rows, self.column("messages", &self.roles.messages, rows)?)?;
                parsed.into_iter().map(|conversation| conversation.context).collect()
            }
            RowKind::Preference if self.roles.prompt.is_none() => {
                let chosen = self.texts("chosen", &self.roles.chosen, rows)?;
                let rejected = self.texts("rejected", &self.roles.rejected, rows)?;
                chosen.iter().zip(&rejected).map(|(chosen, rejected)| shared_prompt(chosen, rejected)).collect()
            }
            RowKind::Pair | RowKind::Preference | RowKind::Labeled => self.prompts(rows)?,
        };
        self.framed(contexts, rows)
    }

    /// The prompt's column, with the further input behind it, or the turns that it lists.
    fn prompts(&self, rows: &RecordBatch) -> Result<Vec<Vec<Message>>> {
        let prompts = self.texts("prompt", &self.roles.prompt, rows)?;
        let inputs = match &self.roles.input {
            Some(column) => cells::text_column(&self.what, rows, column)?,
            None => vec![String::new(); prompts.len()],
        };
        let turns = |(prompt, input): (String, String)| match turns_if_list(&prompt) {
            Some(turns) => turns,
            None => vec![Message::new("user", user_text(prompt, &input))],
        };
        Ok(prompts.into_iter().zip(inputs).map(turns).collect())
    }

    /// Tools and the system's words in front, for rows whose columns have them.
    fn framed(&self, mut contexts: Vec<Vec<Message>>, rows: &RecordBatch) -> Result<Vec<Vec<Message>>> {
        for (column, role) in [(&self.roles.system, "system"), (&self.roles.tools, crate::render::TOOLS_ROLE)] {
            let Some(column) = column else { continue };
            for (context, text) in contexts.iter_mut().zip(cells::text_column(&self.what, rows, column)?) {
                let is_given = context.iter().any(|message| message.role == role);
                if !text.trim().is_empty() && !is_given && !context.is_empty() {
                    context.insert(0, Message::new(role, text));
                }
            }
        }
        Ok(contexts)
    }

    fn conversations(&self, rows: &RecordBatch, column: &str) -> Result<Vec<Conversation>> {
        let texts = cells::text_column(&self.what, rows, column)?;
        let parse_row = |(index, text): (usize, &String)| {
            parse(text).map_err(|fault| self.cell(index, column, &fault.expected, &fault.found))
        };
        texts.iter().enumerate().map(parse_row).collect()
    }

    /// The turns to learn, row by row.
    fn answers(&self, rows: &RecordBatch) -> Result<Vec<Vec<Message>>> {
        let (role, column) = match self.roles.kind() {
            RowKind::Chat => {
                let column = self.column("messages", &self.roles.messages, rows)?;
                let parsed = self.conversations(rows, column)?.into_iter().enumerate();
                let answer = |(index, conversation): (usize, Conversation)| {
                    conversation
                        .answer
                        .map(|answer| vec![answer])
                        .ok_or_else(|| self.cell(index, column, "an assistant turn to learn", "none"))
                };
                return parsed.map(answer).collect();
            }
            RowKind::Preference => ("chosen", &self.roles.chosen),
            RowKind::Text => ("text", &self.roles.text),
            RowKind::Pair | RowKind::Labeled => ("completion", &self.roles.completion),
        };
        let texts = self.texts(role, column, rows)?;
        let contexts = self.contexts(rows)?;
        Ok(texts.iter().zip(&contexts).map(|(text, context)| answer_turns(text, context)).collect())
    }

    fn texts(&self, role: &str, column: &Option<String>, rows: &RecordBatch) -> Result<Vec<String>> {
        cells::text_column(&self.what, rows, self.column(role, column, rows)?)
    }

    fn column<'a>(&self, role: &str, column: &'a Option<String>, rows: &RecordBatch) -> Result<&'a String> {
        column.as_ref().ok_or_else(|| Error::Roles {
            what: self.what.clone(),
            finding: format!("the role `{role}` has no column"),
            columns: crate::roles::column_names(rows),
        })
    }

    fn cell(&self, index: usize, column: &str, expected: &str, found: &str) -> Error {
        Error::Cell {
            what: self.what.clone(),
            row: index as u64 + 1,
            column: column.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }
}

impl PromptRenderer for DefaultRenderer {
    fn render(&mut self, rows: &RecordBatch, shots: &RecordBatch) -> Result<Vec<Vec<Message>>> {
        let is_frame = |message: &Message| message.role == "system" || message.role == crate::render::TOOLS_ROLE;
        let mut earlier = Vec::new();
        if shots.num_rows() > 0 {
            for (context, answer) in self.contexts(shots)?.into_iter().zip(self.answers(shots)?) {
                earlier.extend(context.into_iter().filter(|message| !is_frame(message)));
                earlier.extend(answer);
            }
        }
        let with_shots = |context: Vec<Message>| {
            // Tools and a system turn stay in front of everything.
            let (mut conversation, question): (Vec<_>, Vec<_>) = context.into_iter().partition(is_frame);
            conversation.extend(earlier.iter().cloned());
            conversation.extend(question);
            conversation
        };
        let contexts = self.contexts(rows)?;
        Ok(if earlier.is_empty() { contexts } else { contexts.into_iter().map(with_shots).collect() })
    }

    fn targets(&mut self, rows: &RecordBatch) -> Result<Vec<String>> {
        let text = |turns: Vec<Message>| turns.into_iter().rev().find(|turn| turn.role == "assistant");
        Ok(self
            .answers(rows)?
            .into_iter()
            .map(|turns| text(turns).map_or(String::new(), |turn| turn.content))
            .collect())
    }

    fn training_rows(&mut self, rows: &RecordBatch) -> Result<Vec<TrainingRow>> {
        if self.roles.kind() == RowKind::Text {
            let texts = self.texts("text", &self.roles.text, rows)?;
            return Ok(texts.into_iter().map(TrainingRow::Text).collect());
        }
        let rows = self.contexts(rows)?.into_iter().zip(self.answers(rows)?);
        Ok(rows.map(|(prompt, answer)| TrainingRow::Turns { prompt, answer }).collect())
    }

    /// Of the way of rendering alone: columns of other names with the same texts make the same
    /// prompts, so an adapter trained on `question` answers rows with `prompt`.
    fn fingerprint(&self) -> String {
        format!("sha256:{:x}", Sha256::digest("luthier-default-renderer-1"))
    }
}

fn user_text(prompt: String, input: &str) -> String {
    if input.trim().is_empty() { prompt } else { format!("{prompt}\n\n{input}") }
}

/// The default extractor: the whole completion without the whitespace around it.
#[derive(Debug, Clone, Copy, Default)]
pub struct TrimExtractor;

impl AnswerExtractor for TrimExtractor {
    fn extract(&mut self, completions: &[String]) -> Result<Vec<Answer>> {
        let answer = |completion: &String| match completion.trim() {
            "" => Answer::Missing("the completion is empty".into()),
            text => Answer::Found(text.to_string()),
        };
        Ok(completions.iter().map(answer).collect())
    }
}

#[cfg(test)]
mod tests;
