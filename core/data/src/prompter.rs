//! The one path from messages to the ids that a model is shown: chat template, then tokenizer.
//!
//! Training, `ask` and evaluation all come through [`Prompter::render`] and [`Prompter::encode`];
//! [`crate::example`] adds only the answer. Must not know: rows, columns, task templates.
//!
//! ```no_run
//! # use luthier_data::{Message, Prompter};
//! let prompter = Prompter::from_dir("models/pico".as_ref())?;
//! let messages = [Message::new("user", "How many orders are open?")];
//! let prompt_ids = prompter.encode(&prompter.render(&messages)?)?;
//! # Ok::<(), luthier_data::Error>(())
//! ```

use std::collections::BTreeSet;
use std::ops::Range;
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

    /// [`Prompter::encode`], with the bytes of `rendered` that each id is of; special tokens put in
    /// front are of none (`0..0`).
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_with_offsets(&self, rendered: &str) -> Result<Vec<(u32, Range<usize>)>> {
        let bare = self.tokenizer.encode_with_offsets(rendered, false)?;
        let n_before = self.encode(rendered)?.len().saturating_sub(bare.len());
        if n_before == 0 {
            return Ok(bare);
        }
        let with_special = self.encode(rendered)?;
        let before = with_special.into_iter().take(n_before).map(|id| (id, 0..0));
        Ok(before.chain(bare).collect())
    }

    /// Ids of a prompt and of what follows it. The prompt's are those of [`Prompter::encode`]; the
    /// rest is tokenized together with it, as text is in pre-training, where that leaves the
    /// prompt's ids as they are, else on its own.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_continued(&self, rendered: &str, continuation: &str) -> Result<(Vec<u32>, Vec<u32>)> {
        let prompt_ids = self.encode(rendered)?;
        let together = self.encode(&format!("{rendered}{continuation}"))?;
        let ids = match together.strip_prefix(prompt_ids.as_slice()) {
            Some(ids) => ids.to_vec(),
            None => self.encode_inner(continuation)?,
        };
        Ok((prompt_ids, ids))
    }

    /// Ids of text that stands inside other text: without the word mark or blank that some
    /// tokenizers put in front of everything they are given.
    fn encode_inner(&self, text: &str) -> Result<Vec<u32>> {
        const ANCHOR: &str = "\n";
        let anchor = self.tokenizer.encode(ANCHOR, false)?;
        let anchored = self.tokenizer.encode(&format!("{ANCHOR}{text}"), false)?;
        match anchored.strip_prefix(anchor.as_slice()) {
            Some(ids) if !anchor.is_empty() => Ok(ids.to_vec()),
            _ => self.tokenizer.encode(text, false),
        }
    }

    /// What the template writes before and after `answer` as the next turn.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] if the conversation rendered with the answer does not begin with the
    /// rendered prompt, or does not contain the answer: training on such a text would show the
    /// model another prompt than generation does.
    pub fn answer_frame(&self, messages: &[Message], rendered: &str, answer: &str) -> Result<AnswerFrame> {
        let mut conversation = messages.to_vec();
        conversation.push(Message::new("assistant", answer));
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
        let (end, needs_eos) = self.end_of_turn(&turn[start + trimmed.len()..]);
        Ok(AnswerFrame { lead: lead.to_string(), end: end.to_string(), needs_eos })
    }

    /// The part of what a template writes after an answer that the answer's author must learn: up
    /// to and including the first special token and those right behind it (Cohere ends a response
    /// and then a turn). Without one, all but the whitespace at the end, and EOS has to follow.
    pub(crate) fn end_of_turn<'a>(&self, after: &'a str) -> (&'a str, bool) {
        let Some(special) = self.first_special(after) else { return (after.trim_end(), true) };
        let mut end = special.end;
        while let Some(next) =
            self.tokenizer.special_texts().iter().find(|text| after[end..].starts_with(text.as_str()))
            && self.tokenizer.bos_token() != Some(next.as_str())
        {
            end += next.len();
        }
        (&after[..end], false)
    }

    /// Where the first special token is spelled out.
    pub(crate) fn first_special(&self, text: &str) -> Option<Range<usize>> {
        // `special_texts` is longest first, so that of two at one place the longer wins.
        let texts = self.tokenizer.special_texts().iter();
        let found = texts.filter_map(|special| text.find(special.as_str()).map(|start| start..start + special.len()));
        found.min_by_key(|special| special.start)
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
        let messages = [Message::new("user", "question")];
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
