//! Rows that say which answer is better (DPO, ORPO), or whether one is wanted (KTO).
//!
//! ```text
//! prompt, chosen, rejected ─► PreferenceRow ─ExampleBuilder─► PreferenceExample (two sequences, one prompt)
//! prompt, completion, label ─► LabeledRow   ─ExampleBuilder─► LabeledExample
//! ```
//!
//! Prompts come from the dataset's renderer, as in every other training; answers may be text or
//! lists of messages. Must not know: losses.

use arrow_array::RecordBatch;

use crate::dataset::cells;
use crate::format::answer_turns;
use crate::roles::RowKind;
use crate::{Error, Message, PromptRenderer, Result, Roles, TrainingRow};

/// A prompt with a better and a worse answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreferenceRow {
    /// The turns before both answers.
    pub prompt: Vec<Message>,
    /// The better answer.
    pub chosen: Vec<Message>,
    /// The worse one.
    pub rejected: Vec<Message>,
}

/// A prompt with one answer that is wanted or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabeledRow {
    /// The turns before the answer.
    pub prompt: Vec<Message>,
    /// The answer.
    pub completion: Vec<Message>,
    /// Is it wanted.
    pub label: bool,
    /// Index of the row that it is of, from 0.
    pub row: usize,
}

/// Pairs of answers. `what` names the dataset in errors.
///
/// # Errors
/// [`Error::Roles`] if the rows have no better and worse answer; as [`PromptRenderer::render`].
pub fn preference_rows(
    what: &str,
    roles: &Roles,
    renderer: &mut dyn PromptRenderer,
    rows: &RecordBatch,
) -> Result<Vec<PreferenceRow>> {
    let (Some(chosen), Some(rejected)) = (&roles.chosen, &roles.rejected) else {
        let finding = "preference training needs a better and a worse answer: the roles `chosen` and `rejected`";
        return Err(lacking(what, finding, rows));
    };
    let prompts = renderer.render(rows, &rows.slice(0, 0))?;
    let chosen = cells::text_column(what, rows, chosen)?;
    let rejected = cells::text_column(what, rows, rejected)?;
    let row = |(prompt, (chosen, rejected)): (Vec<Message>, (String, String))| PreferenceRow {
        chosen: answer_turns(&chosen, &prompt),
        rejected: answer_turns(&rejected, &prompt),
        prompt,
    };
    Ok(prompts.into_iter().zip(chosen.into_iter().zip(rejected)).map(row).collect())
}

/// Labeled answers; of preference rows the better answer is wanted and the worse one is not.
///
/// # Errors
/// [`Error::Roles`] if the rows have no labels; [`Error::Cell`] for a label that is neither true nor
/// false; as [`PromptRenderer::render`].
pub fn labeled_rows(
    what: &str,
    roles: &Roles,
    renderer: &mut dyn PromptRenderer,
    rows: &RecordBatch,
) -> Result<Vec<LabeledRow>> {
    if roles.kind() == RowKind::Preference {
        let pairs = preference_rows(what, roles, renderer, rows)?.into_iter().enumerate();
        let both = |(row, pair): (usize, PreferenceRow)| {
            let PreferenceRow { prompt, chosen, rejected } = pair;
            let wanted = LabeledRow { prompt: prompt.clone(), completion: chosen, label: true, row };
            [wanted, LabeledRow { prompt, completion: rejected, label: false, row }]
        };
        return Ok(pairs.flat_map(both).collect());
    }
    let Some(column) = &roles.label else {
        let finding = "KTO needs to know which completions are wanted: the role `label`";
        return Err(lacking(what, finding, rows));
    };
    let labels = labels(what, column, rows)?;
    let answers = renderer.training_rows(rows)?;
    let row = |(row, (answer, label)): (usize, (TrainingRow, bool))| match answer {
        TrainingRow::Turns { prompt, answer } => LabeledRow { prompt, completion: answer, label, row },
        TrainingRow::Text(text) => {
            LabeledRow { prompt: Vec::new(), completion: vec![Message::new("assistant", text)], label, row }
        }
    };
    Ok(answers.into_iter().zip(labels).enumerate().map(row).collect())
}

fn labels(what: &str, column: &str, rows: &RecordBatch) -> Result<Vec<bool>> {
    let label = |(index, text): (usize, &String)| match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "1.0" => Ok(true),
        "false" | "0" | "0.0" => Ok(false),
        other => Err(Error::Cell {
            what: what.to_string(),
            row: index as u64 + 1,
            column: column.to_string(),
            expected: "true or false (wanted or not)".into(),
            found: if other.is_empty() { "nothing".into() } else { format!("`{other}`") },
        }),
    };
    cells::text_column(what, rows, column)?.iter().enumerate().map(label).collect()
}

fn lacking(what: &str, finding: &str, rows: &RecordBatch) -> Error {
    Error::Roles { what: what.to_string(), finding: finding.to_string(), columns: crate::roles::column_names(rows) }
}

#[cfg(test)]
mod tests;
