//! Pairs of sequences with one prompt, and sequences with a verdict.

use std::sync::atomic::AtomicBool;

use luthier_protocol::response::{Accounting, Finding};

use super::{Example, ExampleBuilder, Fitted, IGNORE_INDEX, Made, reason};
use crate::lint::{self, Facts};
use crate::preference::{LabeledRow, PreferenceRow};
use crate::{Message, Result, TrainingRow};

/// A prompt with its better and its worse answer, each as a whole sequence. Both begin with the
/// same `n_prompt` ids, none of which has a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreferenceExample {
    /// Prompt and better answer.
    pub chosen: Example,
    /// Prompt and worse answer.
    pub rejected: Example,
    /// Length of the prompt, in tokens.
    pub n_prompt: usize,
}

/// A sequence whose answer is wanted or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabeledExample {
    /// Prompt and answer.
    pub example: Example,
    /// Length of the prompt, in tokens.
    pub n_prompt: usize,
    /// Is the answer wanted.
    pub label: bool,
}

/// Pairs of many rows; the fields are those of [`super::Built`].
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "as Built's")]
pub struct BuiltPreferences {
    pub examples: Vec<PreferenceExample>,
    pub rows: Vec<usize>,
    pub accounting: Accounting,
    pub warnings: Vec<String>,
    pub findings: Vec<Finding>,
}

/// Labeled sequences of many rows; the fields are those of [`super::Built`].
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "as Built's")]
pub struct BuiltLabeled {
    pub examples: Vec<LabeledExample>,
    pub rows: Vec<usize>,
    pub accounting: Accounting,
    pub warnings: Vec<String>,
    pub findings: Vec<Finding>,
}

impl ExampleBuilder {
    /// Pairs, with `on_too_long` applied to the longer of the two. The loss looks at the answers
    /// alone, whatever `loss_on` says.
    ///
    /// # Errors
    /// As [`ExampleBuilder::build_rows`].
    pub fn build_preferences(
        &self,
        rows: &[PreferenceRow],
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(u64),
    ) -> Result<BuiltPreferences> {
        let builder = self.for_answers();
        let make = |row: &PreferenceRow| {
            let chosen = builder.make_turns(&row.prompt, &row.chosen)?;
            Ok((chosen, builder.make_turns(&row.prompt, &row.rejected)?))
        };
        let made = self.make_all(rows, make, cancel, progress)?;
        let mut kept = Kept::default();
        for (row, (chosen, rejected)) in made.into_iter().enumerate() {
            kept.facts.see(row, chosen.is_unstable || rejected.is_unstable);
            let pair = [self.fit(row, chosen.example)?, self.fit(row, rejected.example)?];
            if let Some([chosen, rejected]) = kept.take(row, pair) {
                let n_prompt = n_shared_prompt(&chosen, &rejected);
                kept.rows.push(row);
                kept.examples.push(PreferenceExample { chosen, rejected, n_prompt });
            }
        }
        let looked_at: Vec<Example> =
            kept.examples.iter().flat_map(|pair| [pair.chosen.clone(), pair.rejected.clone()]).collect();
        let row_of: Vec<usize> = kept.rows.iter().flat_map(|row| [*row, *row]).collect();
        let texts: Vec<TrainingRow> = rows.iter().map(|row| turns(&row.prompt, &row.chosen)).collect();
        let mut findings = lint::lint(&looked_at, &row_of, &texts, &kept.facts, &self.prompter);
        findings.extend(lint::identical_answers(rows));
        let (accounting, warnings) = kept.account(rows.len(), self.max_seq_len);
        Ok(BuiltPreferences { examples: kept.examples, rows: kept.rows, accounting, warnings, findings })
    }

    /// Labeled sequences, with `on_too_long` applied.
    ///
    /// # Errors
    /// As [`ExampleBuilder::build_rows`].
    pub fn build_labeled(
        &self,
        rows: &[LabeledRow],
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(u64),
    ) -> Result<BuiltLabeled> {
        let builder = self.for_answers();
        let make = |row: &LabeledRow| builder.make_turns(&row.prompt, &row.completion);
        let made: Vec<Made> = self.make_all(rows, make, cancel, progress)?;
        let mut kept = Kept::default();
        for (index, (made, row)) in made.into_iter().zip(rows).enumerate() {
            kept.facts.see(index, made.is_unstable);
            let fitted = self.fit(index, made.example)?;
            if let Some([example]) = kept.take(index, [fitted]) {
                let n_prompt = example.labels.iter().take_while(|label| **label == IGNORE_INDEX).count();
                kept.rows.push(index);
                kept.examples.push(LabeledExample { example, n_prompt, label: row.label });
            }
        }
        let looked_at: Vec<Example> = kept.examples.iter().map(|labeled| labeled.example.clone()).collect();
        let texts: Vec<TrainingRow> = rows.iter().map(|row| turns(&row.prompt, &row.completion)).collect();
        let findings = lint::lint(&looked_at, &kept.rows, &texts, &kept.facts, &self.prompter);
        let (accounting, warnings) = kept.account(rows.len(), self.max_seq_len);
        let row_of = kept.rows.iter().map(|index| rows[*index].row).collect();
        Ok(BuiltLabeled { examples: kept.examples, rows: row_of, accounting, warnings, findings })
    }

    fn for_answers(&self) -> ExampleBuilder {
        ExampleBuilder { loss_on: luthier_protocol::spec::LossOn::Completion, ..self.clone() }
    }
}

fn turns(prompt: &[Message], answer: &[Message]) -> TrainingRow {
    TrainingRow::Turns { prompt: prompt.to_vec(), answer: answer.to_vec() }
}

/// The prompt is what neither sequence has a label for.
fn n_shared_prompt(chosen: &Example, rejected: &Example) -> usize {
    let masked = |example: &Example| example.labels.iter().take_while(|label| **label == IGNORE_INDEX).count();
    masked(chosen).min(masked(rejected))
}

struct Kept<E> {
    examples: Vec<E>,
    rows: Vec<usize>,
    facts: Facts,
    accounting: Accounting,
}

impl<E> Default for Kept<E> {
    fn default() -> Self {
        Kept { examples: Vec::new(), rows: Vec::new(), facts: Facts::default(), accounting: Accounting::default() }
    }
}

impl<E> Kept<E> {
    /// The sequences of a row, if all of them stay.
    fn take<const N: usize>(&mut self, row: usize, fitted: [Fitted; N]) -> Option<[Example; N]> {
        let mut is_cut = false;
        let mut rejected = None;
        let examples = fitted.map(|fitted| match fitted {
            Fitted::Whole(example) => example,
            Fitted::Cut(example) => {
                is_cut = true;
                example
            }
            Fitted::Rejected(reason) => {
                rejected = Some(reason);
                Example { input_ids: Vec::new(), labels: Vec::new() }
            }
        });
        if let Some(reason) = rejected {
            if reason == reason::PROMPT_TOO_LONG {
                self.facts.emptied.push(row);
            }
            *self.accounting.rejected.entry(reason.into()).or_default() += 1;
            return None;
        }
        if is_cut {
            self.facts.cut.push(row);
        }
        self.accounting.kept += 1;
        Some(examples)
    }

    fn account(&self, n_rows: usize, max_seq_len: usize) -> (Accounting, Vec<String>) {
        let accounting = Accounting { requested: n_rows as u64, ..self.accounting.clone() };
        let left_out = accounting.rejected.iter();
        let mut warnings: Vec<String> = left_out
            .map(|(reason, n)| format!("{n} of {n_rows} examples were left out: {reason} = {max_seq_len}"))
            .collect();
        if !self.facts.cut.is_empty() {
            let n_cut = self.facts.cut.len();
            warnings.push(format!("{n_cut} of {n_rows} examples were cut to max_seq_len = {max_seq_len}"));
        }
        (accounting, warnings)
    }
}

#[cfg(test)]
mod tests;
