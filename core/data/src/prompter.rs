//! The one path from messages to the ids that a model is shown: chat template, then tokenizer.
//!
//! Training, `ask` and evaluation all come through [`Prompter::render`] and [`Prompter::encode`];
//! [`crate::example`] adds only the answer. Must not know: rows, columns, task templates.
//!
//! ```no_run
//! # use luthier_data::{Message, Prompter};
//! let prompter = Prompter::from_dir("models/pico".as_ref())?;
//! let messages = [Message { role: "user".into(), content: "How many orders are open?".into() }];
//! let prompt_ids = prompter.encode(&prompter.render(&messages)?)?;
//! # Ok::<(), luthier_data::Error>(())
//! ```

use std::collections::BTreeSet;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::{ChatTemplate, Error, Message, Result, Tokenizer};

/// A tokenizer and the chat template that belongs to it.
#[derive(Debug, Clone)]
pub struct Prompter {
    /// The model's tokenizer.
    pub tokenizer: Tokenizer,
    /// The model's chat template, or the plain default.
    pub template: ChatTemplate,
}

/// What a template writes around an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerFrame {
    /// Whitespace between the prompt and the answer (`" "` after `Assistant:`).
    pub lead: String,
    /// What ends the turn, up to and including its first special token; whitespace after it cut off.
    pub end: String,
    /// The turn's end has no special token: EOS has to follow, or generation would never stop.
    pub needs_eos: bool,
}

impl Prompter {
    /// Both from a model directory.
    ///
    /// # Errors
    /// As [`Tokenizer::from_dir`] and [`ChatTemplate::from_dir`].
    pub fn from_dir(dir: &Path) -> Result<Self> {
        let tokenizer = Tokenizer::from_dir(dir)?;
        let template = ChatTemplate::from_dir(dir, &tokenizer)?;
        Ok(Prompter { tokenizer, template })
    }

    /// The prompt's text: what [`Prompter::encode`] takes, special tokens spelled out.
    ///
    /// # Errors
    /// As [`ChatTemplate::render`].
    pub fn render(&self, messages: &[Message]) -> Result<String> {
        self.template.render(messages, true)
    }

    /// Ids of a rendered prompt. A chat template writes its own BOS, so nothing is added to its
    /// text; the plain default gets what `tokenizer.json` adds in front (never what it adds
    /// behind), unless the text already begins with BOS.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode(&self, rendered: &str) -> Result<Vec<u32>> {
        let bare = self.tokenizer.encode(rendered, false)?;
        let begins_with_bos = self.tokenizer.bos_token().is_some_and(|bos| rendered.starts_with(bos));
        if !self.template.is_plain() || begins_with_bos {
            return Ok(bare);
        }
        let with_special = self.tokenizer.encode(rendered, true)?;
        Ok(match find(&with_special, &bare) {
            Some(start) => with_special[..start + bare.len()].to_vec(),
            None => bare,
        })
    }

    /// What the template writes before and after `answer` as the next turn.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] if the conversation rendered with the answer does not begin with the
    /// rendered prompt, or does not contain the answer: training on such a text would show the
    /// model another prompt than generation does.
    pub fn answer_frame(&self, messages: &[Message], rendered: &str, answer: &str) -> Result<AnswerFrame> {
        let mut conversation = messages.to_vec();
        conversation.push(Message { role: "assistant".into(), content: answer.to_string() });
        let full = self.template.render(&conversation, false)?;
        let wrong = |finding: &str| {
            let template = self.template.name().to_string();
            Error::ChatTemplate { template, finding: finding.to_string() }
        };
        let turn = full.strip_prefix(rendered).ok_or_else(|| {
            wrong(
                "the conversation rendered with its answer must begin with the rendered prompt, and does not; \
                 what is trained would differ from what is generated",
            )
        })?;
        let trimmed = answer.trim();
        let start = turn.find(trimmed).ok_or_else(|| wrong("the rendered answer turn does not contain the answer"))?;
        // What is more than whitespace (an empty `<think>` block) is left out: the answer follows
        // the prompt in training exactly as it will in generation.
        let before = &turn[..start];
        let lead = if before.trim().is_empty() && !answer.starts_with(before) { before } else { "" };
        Ok(self.frame(lead, &turn[start + trimmed.len()..]))
    }

    fn frame(&self, lead: &str, after: &str) -> AnswerFrame {
        let texts = self.tokenizer.special_texts();
        // `special_texts` is longest first, so that of two at one place the longer wins.
        let first = texts.iter().filter_map(|text| Some((after.find(text.as_str())?, text.len())));
        let (end, needs_eos) = match first.min_by_key(|(start, _)| *start) {
            Some((start, len)) => (&after[..start + len], false),
            None => (after.trim_end(), true),
        };
        AnswerFrame { lead: lead.to_string(), end: end.to_string(), needs_eos }
    }

    /// Ids that end generation of an answer, ascending: the tokenizer's and the template's end of
    /// turn (a base model's files name only EOS; its template may end turns with another token).
    pub fn stop_ids(&self) -> Vec<u32> {
        let mut ids: BTreeSet<u32> = self.tokenizer.stop_ids().iter().copied().collect();
        ids.extend(self.end_of_turn_id().or(self.tokenizer.eos_id()));
        ids.into_iter().collect()
    }

    /// The special token that ends an answer, if the template writes one.
    fn end_of_turn_id(&self) -> Option<u32> {
        let messages = [Message { role: "user".into(), content: "question".into() }];
        let rendered = self.render(&messages).ok()?;
        let frame = self.answer_frame(&messages, &rendered, "answer").ok()?;
        let ids = self.tokenizer.encode(&frame.end, false).ok()?;
        ids.into_iter().rev().find(|id| self.tokenizer.is_special(*id))
    }

    /// Texts that end generation of an answer besides [`Prompter::stop_ids`]: the plain default's
    /// next turn, which a base model otherwise goes on to write.
    pub fn stop_strings(&self) -> Vec<String> {
        if self.template.is_plain() { vec!["\nUser:".to_string()] } else { Vec::new() }
    }

    /// `sha256:…` of template and tokenizer.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.template.fingerprint());
        hash.update(b"\0");
        hash.update(self.tokenizer.fingerprint());
        format!("sha256:{:x}", hash.finalize())
    }
}

fn find(haystack: &[u32], needle: &[u32]) -> Option<usize> {
    if needle.is_empty() {
        return None;
    }
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests;
