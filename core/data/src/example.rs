//! Rows as token ids and labels.
//!
//! ```text
//! input_ids = encode(template(prompt, add_generation_prompt)) ++ completion
//! completion = tokens of: lead + target + end of turn            (see `Prompter::answer_frame`)
//! labels[i]  = input_ids[i] where the loss looks (`LossOn`), else IGNORE_INDEX
//! ```
//!
//! The prompt's ids are those that generation is given, always. Raw text has no prompt: all of it
//! is learned, with what the tokenizer puts in front and EOS behind.
//!
//! Rows are tokenized in parallel; what comes out does not depend on the number of threads.

mod built;
mod conversation;
mod preference;
mod tokens;

use std::sync::atomic::{AtomicBool, Ordering};

use luthier_protocol::spec::{LossOn, OnTooLong};
use rayon::prelude::*;

pub use built::{Built, reason};
pub use preference::{BuiltLabeled, BuiltPreferences, LabeledExample, PreferenceExample};

use crate::lint::{self, Facts};
use crate::{Error, Message, Prompter, Result, TrainingRow};

/// Label of a token that the loss does not see (Hugging Face's value).
pub const IGNORE_INDEX: i32 = -100;

/// Rows tokenized between two looks at the cancel token.
const ROWS_PER_CHUNK: usize = 512;

/// One sequence to train on. `labels[i]` is `input_ids[i]` or [`IGNORE_INDEX`]; models shift inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Token ids, prompt then completion.
    pub input_ids: Vec<u32>,
    /// As many labels.
    pub labels: Vec<i32>,
}

impl Example {
    /// Tokens that the loss sees. The first token of a sequence is never predicted.
    pub fn n_targets(&self) -> usize {
        self.labels.iter().skip(1).filter(|label| **label != IGNORE_INDEX).count()
    }

    fn truncate(&mut self, n_tokens: usize) {
        self.input_ids.truncate(n_tokens);
        self.labels.truncate(n_tokens);
    }
}

/// How examples are made.
#[derive(Debug, Clone)]
pub struct ExampleBuilder {
    /// The model's tokenizer and chat template.
    pub prompter: Prompter,
    /// Longest example, in tokens.
    pub max_seq_len: usize,
    /// Which tokens the loss sees.
    pub loss_on: LossOn,
    /// What becomes of longer examples.
    pub on_too_long: OnTooLong,
}

/// One row's example and what the lint wants to know of how it came to be.
#[derive(Debug, Clone)]
struct Made {
    example: Example,
    is_unstable: bool,
}

impl ExampleBuilder {
    /// The example of a prompt and its answer, whatever its length.
    ///
    /// # Errors
    /// As [`ExampleBuilder::build_row`].
    pub fn build(&self, messages: &[Message], target: &str) -> Result<Example> {
        self.build_row(&TrainingRow::answered(messages.to_vec(), target))
    }

    /// The example of one row, whatever its length.
    ///
    /// # Errors
    /// As [`Prompter::render`] and [`Prompter::encode`].
    pub fn build_row(&self, row: &TrainingRow) -> Result<Example> {
        self.make(row).map(|made| made.example)
    }

    fn make(&self, row: &TrainingRow) -> Result<Made> {
        match row {
            TrainingRow::Text(text) => {
                Ok(Made { example: tokens::raw_text(&self.prompter, text)?, is_unstable: false })
            }
            TrainingRow::Turns { prompt, answer } => self.make_turns(prompt, answer),
        }
    }

    fn make_turns(&self, prompt: &[Message], answer: &[Message]) -> Result<Made> {
        let text = conversation::training_text(&self.prompter, prompt, answer, self.loss_on)?;
        let is_unstable = matches!(&text, conversation::TrainingText::Split(split) if split.is_unstable);
        Ok(Made { example: tokens::example(&self.prompter, &text)?, is_unstable })
    }

    /// Examples of all rows with `on_too_long` applied, and what the lint says about them
    /// ([`Built::findings`]); the caller decides which findings may pass ([`lint::gate`]).
    /// `progress` is told the rows done so far.
    ///
    /// # Errors
    /// [`Error::TooLong`] naming the first row that is too long, if `on_too_long` is `error`;
    /// [`Error::InRow`] with what [`ExampleBuilder::build_row`] gives; [`Error::Interrupted`].
    pub fn build_rows(
        &self,
        rows: &[TrainingRow],
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Built> {
        let made = self.make_all(rows, |row| self.make(row), cancel, progress)?;
        let mut built = Built::new(rows.len());
        let mut facts = Facts::default();
        for (row, made) in made.into_iter().enumerate() {
            facts.see(row, made.is_unstable);
            let fitted = self.fit(row, made.example)?;
            built.keep(row, fitted, &mut facts);
        }
        built.report(self.max_seq_len);
        built.findings = lint::lint(&built.examples, &built.rows, rows, &facts, &self.prompter);
        Ok(built)
    }

    /// [`ExampleBuilder::build_rows`], with every error of the lint refused.
    ///
    /// # Errors
    /// [`Error::Lint`] if examples would train nothing or the wrong thing, or none is left; as
    /// [`ExampleBuilder::build_rows`].
    pub fn build_all(&self, conversations: &[Vec<Message>], targets: &[String]) -> Result<Built> {
        if conversations.len() != targets.len() {
            return Err(Error::Renderer {
                what: "prompt renderer".into(),
                finding: format!("{} conversations for {} targets", conversations.len(), targets.len()),
                source: None,
            });
        }
        let rows: Vec<TrainingRow> = conversations
            .iter()
            .zip(targets)
            .map(|(messages, target)| TrainingRow::answered(messages.clone(), target))
            .collect();
        let mut built = self.build_rows(&rows, &AtomicBool::new(false), &mut |_| {})?;
        built.findings = lint::gate(built.findings, &[])?;
        Ok(built)
    }

    /// `make` of every item, in their order, on all threads; the first row's error wins.
    fn make_all<T: Sync, M: Send>(
        &self,
        items: &[T],
        make: impl Fn(&T) -> Result<M> + Sync,
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<M>> {
        let mut all = Vec::with_capacity(items.len());
        for chunk in items.chunks(ROWS_PER_CHUNK) {
            if cancel.load(Ordering::SeqCst) {
                return Err(Error::Interrupted);
            }
            let made: Vec<Result<M>> = chunk.par_iter().map(&make).collect();
            for result in made {
                let row = all.len() as u64 + 1;
                all.push(result.map_err(|error| Error::InRow { row, source: Box::new(error) })?);
            }
            progress(all.len() as u64);
        }
        Ok(all)
    }

    fn fit(&self, row: usize, mut example: Example) -> Result<Fitted> {
        let n_tokens = example.input_ids.len();
        if n_tokens <= self.max_seq_len {
            return Ok(Fitted::Whole(example));
        }
        match self.on_too_long {
            OnTooLong::Error => Err(Error::TooLong { row: row as u64 + 1, n_tokens, max_seq_len: self.max_seq_len }),
            OnTooLong::Drop => Ok(Fitted::Rejected(reason::TOO_LONG)),
            OnTooLong::Truncate => {
                example.truncate(self.max_seq_len);
                Ok(if example.n_targets() == 0 {
                    Fitted::Rejected(reason::PROMPT_TOO_LONG)
                } else {
                    Fitted::Cut(example)
                })
            }
        }
    }
}

enum Fitted {
    Whole(Example),
    Cut(Example),
    Rejected(&'static str),
}

#[cfg(test)]
mod tests;
