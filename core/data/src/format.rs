//! The default [`PromptRenderer`] and [`AnswerExtractor`], for datasets without a task template.
//!
//! | rows | turns |
//! |---|---|
//! | prompt, completion | user: prompt; assistant: completion |
//! | instruction, input, output | user: instruction, blank line, input (if there is any); assistant: output |
//! | messages | as they are, up to the last assistant turn, which is the target |
//!
//! Shots become earlier turns of the same conversation.

mod messages;

use arrow_array::RecordBatch;
use sha2::{Digest, Sha256};

use crate::dataset::cells;
use crate::{Answer, AnswerExtractor, Dataset, Error, Message, PromptRenderer, Result, Roles};

pub(crate) use messages::{Conversation, parse};

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
        if let Some(column) = &self.roles.messages {
            let parsed = self.conversations(rows, column)?;
            return Ok(parsed.into_iter().map(|conversation| conversation.context).collect());
        }
        let column = self.required("prompt", &self.roles.prompt, rows)?;
        let prompts = cells::text_column(&self.what, rows, column)?;
        let inputs = match &self.roles.input {
            Some(column) => cells::text_column(&self.what, rows, column)?,
            None => vec![String::new(); prompts.len()],
        };
        Ok(prompts
            .into_iter()
            .zip(inputs)
            .map(|(prompt, input)| vec![turn("user", user_text(prompt, &input))])
            .collect())
    }

    fn conversations(&self, rows: &RecordBatch, column: &str) -> Result<Vec<Conversation>> {
        let texts = cells::text_column(&self.what, rows, column)?;
        let parse_row = |(index, text): (usize, &String)| {
            parse(text).map_err(|fault| Error::Cell {
                what: self.what.clone(),
                row: index as u64 + 1,
                column: column.to_string(),
                expected: fault.expected,
                found: fault.found,
            })
        };
        texts.iter().enumerate().map(parse_row).collect()
    }

    fn required<'a>(&self, role: &str, column: &'a Option<String>, rows: &RecordBatch) -> Result<&'a String> {
        column.as_ref().ok_or_else(|| Error::Roles {
            what: self.what.clone(),
            finding: format!("the role `{role}` has no column"),
            columns: crate::roles::column_names(rows),
        })
    }
}

impl PromptRenderer for DefaultRenderer {
    fn render(&mut self, rows: &RecordBatch, shots: &RecordBatch) -> Result<Vec<Vec<Message>>> {
        let mut earlier = Vec::new();
        if shots.num_rows() > 0 {
            for (context, target) in self.contexts(shots)?.into_iter().zip(self.targets(shots)?) {
                earlier.extend(context.into_iter().filter(|message| message.role != "system"));
                earlier.push(turn("assistant", target));
            }
        }
        let with_shots = |context: Vec<Message>| {
            // A system turn stays in front of everything.
            let (mut conversation, question): (Vec<_>, Vec<_>) =
                context.into_iter().partition(|message| message.role == "system");
            conversation.extend(earlier.iter().cloned());
            conversation.extend(question);
            conversation
        };
        let contexts = self.contexts(rows)?;
        Ok(if earlier.is_empty() { contexts } else { contexts.into_iter().map(with_shots).collect() })
    }

    fn targets(&mut self, rows: &RecordBatch) -> Result<Vec<String>> {
        if let Some(column) = &self.roles.messages {
            let parsed = self.conversations(rows, column)?.into_iter().enumerate();
            let target = |(index, conversation): (usize, Conversation)| {
                conversation.target.ok_or_else(|| Error::Cell {
                    what: self.what.clone(),
                    row: index as u64 + 1,
                    column: column.clone(),
                    expected: "an assistant turn to learn".into(),
                    found: "none".into(),
                })
            };
            return parsed.map(target).collect();
        }
        let column = self.required("completion", &self.roles.completion, rows)?;
        cells::text_column(&self.what, rows, column)
    }

    /// Of the way of rendering alone: columns of other names with the same texts make the same
    /// prompts, so an adapter trained on `question` answers rows with `prompt`.
    fn fingerprint(&self) -> String {
        format!("sha256:{:x}", Sha256::digest("luthier-default-renderer-1"))
    }
}

fn turn(role: &str, content: String) -> Message {
    Message { role: role.to_string(), content }
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
