//! Messages and the answer to learn, as token ids and labels.
//!
//! ```text
//! input_ids = encode(template(messages, add_generation_prompt)) ++ completion
//! completion = tokens of: lead + target + end of turn            (see `Prompter::answer_frame`)
//! labels[i]  = input_ids[i] in the completion, IGNORE_INDEX before it
//! ```
//!
//! The prompt's ids are those that generation is given, always. Of a chat row with several
//! assistant turns the last is trained on; earlier ones are context.

use luthier_protocol::response::Accounting;
use luthier_protocol::spec::OnTooLong;

use crate::{Error, Message, Prompter, Result, lint};

/// Label of a token that the loss does not see (Hugging Face's value).
pub const IGNORE_INDEX: i32 = -100;

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
}

/// How examples are made.
#[derive(Debug, Clone)]
pub struct ExampleBuilder {
    /// The model's tokenizer and chat template.
    pub prompter: Prompter,
    /// Longest example, in tokens.
    pub max_seq_len: usize,
    /// Loss on the prompt's tokens too.
    pub train_on_prompt: bool,
    /// What becomes of longer examples.
    pub on_too_long: OnTooLong,
}

/// Examples of many rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// What is trained on.
    pub examples: Vec<Example>,
    /// Index of each example's row, from 0, ascending.
    pub rows: Vec<usize>,
    /// requested = kept + rejected, by reason.
    pub accounting: Accounting,
    /// Examples that were cut, findings of the lint.
    pub warnings: Vec<String>,
}

/// Reasons in [`Built::accounting`].
pub mod reason {
    /// Left out by `on_too_long = "drop"`.
    pub const TOO_LONG: &str = "longer than max_seq_len";
    /// `on_too_long = "truncate"`, and nothing of the completion was left.
    pub const PROMPT_TOO_LONG: &str = "prompt fills max_seq_len";
}

impl ExampleBuilder {
    /// The example of one row, whatever its length.
    ///
    /// # Errors
    /// As [`Prompter::render`], [`Prompter::encode`] and [`Prompter::answer_frame`].
    pub fn build(&self, messages: &[Message], target: &str) -> Result<Example> {
        let rendered = self.prompter.render(messages)?;
        let prompt_ids = self.prompter.encode(&rendered)?;
        let completion_ids = self.completion_ids(messages, &rendered, &prompt_ids, target)?;
        let n_prompt = prompt_ids.len();
        let mut input_ids = prompt_ids;
        input_ids.extend(completion_ids);
        let seen = |index: usize| self.train_on_prompt || index >= n_prompt;
        let label = |(index, id): (usize, &u32)| if seen(index) { *id as i32 } else { IGNORE_INDEX };
        let labels = input_ids.iter().enumerate().map(label).collect();
        Ok(Example { input_ids, labels })
    }

    /// Ids of `lead + target + end`. Tokenized together with the prompt, as text is in
    /// pre-training, where that leaves the prompt's ids as they are; else on their own.
    fn completion_ids(
        &self,
        messages: &[Message],
        rendered: &str,
        prompt_ids: &[u32],
        target: &str,
    ) -> Result<Vec<u32>> {
        let frame = self.prompter.answer_frame(messages, rendered, target)?;
        let completion = format!("{}{target}{}", frame.lead, frame.end);
        let together = self.prompter.encode(&format!("{rendered}{completion}"))?;
        let mut ids = match together.strip_prefix(prompt_ids) {
            Some(ids) => ids.to_vec(),
            None => self.prompter.tokenizer.encode(&completion, false)?,
        };
        if frame.needs_eos {
            ids.extend(self.prompter.tokenizer.eos_id());
        }
        Ok(ids)
    }

    /// Examples of all rows, with `on_too_long` applied and the lint passed.
    ///
    /// # Errors
    /// [`Error::TooLong`] naming the first row that is too long, if `on_too_long` is `error`;
    /// [`Error::Lint`] if examples would train nothing or the wrong thing, or none is left; as
    /// [`ExampleBuilder::build`].
    pub fn build_all(&self, conversations: &[Vec<Message>], targets: &[String]) -> Result<Built> {
        if conversations.len() != targets.len() {
            return Err(Error::Renderer {
                what: "prompt renderer".into(),
                finding: format!("{} conversations for {} targets", conversations.len(), targets.len()),
                source: None,
            });
        }
        let mut built = Built {
            examples: Vec::with_capacity(targets.len()),
            rows: Vec::with_capacity(targets.len()),
            accounting: Accounting { requested: targets.len() as u64, ..Accounting::default() },
            warnings: Vec::new(),
        };
        let mut n_cut = 0;
        for (row, (messages, target)) in conversations.iter().zip(targets).enumerate() {
            let example = self.build(messages, target)?;
            match self.fit(row, example)? {
                Fitted::Whole(example) => built.keep(row, example),
                Fitted::Cut(example) => {
                    n_cut += 1;
                    built.keep(row, example);
                }
                Fitted::Rejected(reason) => *built.accounting.rejected.entry(reason.into()).or_default() += 1,
            }
        }
        built.accounting.kept = built.examples.len() as u64;
        built.report(n_cut, self.max_seq_len);
        built.warnings.extend(lint(&built.examples, &built.rows, &self.prompter)?);
        Ok(built)
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
                example.input_ids.truncate(self.max_seq_len);
                example.labels.truncate(self.max_seq_len);
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

impl Built {
    fn keep(&mut self, row: usize, example: Example) {
        self.rows.push(row);
        self.examples.push(example);
    }

    fn report(&mut self, n_cut: u64, max_seq_len: usize) {
        let requested = self.accounting.requested;
        for (reason, n) in &self.accounting.rejected {
            self.warnings.push(format!("{n} of {requested} examples were left out: {reason} = {max_seq_len}"));
        }
        if n_cut > 0 {
            self.warnings.push(format!("{n_cut} of {requested} examples were cut to max_seq_len = {max_seq_len}"));
        }
    }
}

#[cfg(test)]
mod tests;
