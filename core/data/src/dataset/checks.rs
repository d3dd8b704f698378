//! What is looked at before rows become a dataset: rows that cannot teach, duplicates, leaks.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::{Array, RecordBatch};

use super::{SPLIT, cells, find_column, fingerprint, splits};
use crate::format::{parse, turns_if_list};
use crate::{Error, Result, Roles, RowKind};

/// Which rows stay, and why the others do not.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) keep: Vec<bool>,
    pub(super) rejected: BTreeMap<String, u64>,
    pub(super) warnings: Vec<String>,
}

/// Rows of a template are its own to judge (`validate`); all are kept here.
pub(super) fn check(what: &str, batch: &RecordBatch, roles: &Roles, has_template: bool) -> Result<Checked> {
    let n_rows = batch.num_rows();
    if has_template {
        return Ok(Checked { keep: vec![true; n_rows], ..Checked::default() });
    }
    let (reasons, warnings) = match roles.kind() {
        RowKind::Chat => check_messages(what, batch, roles.messages.as_deref().unwrap_or_default())?,
        RowKind::Text => (check_filled(what, batch, &[("empty text", &roles.text)])?, Vec::new()),
        RowKind::Preference => {
            let answers = [("empty chosen answer", &roles.chosen), ("empty rejected answer", &roles.rejected)];
            (check_filled(what, batch, &answers)?, Vec::new())
        }
        RowKind::Pair | RowKind::Labeled => (check_pairs(what, batch, roles)?, Vec::new()),
    };
    let mut checked = Checked { warnings, ..Checked::default() };
    for reason in reasons {
        checked.keep.push(reason.is_none());
        if let Some(reason) = reason {
            *checked.rejected.entry(reason.to_string()).or_default() += 1;
        }
    }
    for (reason, n) in &checked.rejected {
        checked.warnings.push(format!("{n} of {n_rows} rows were left out: {reason}"));
    }
    Ok(checked)
}

type Reason = Option<&'static str>;

/// Rows in which one of these columns says nothing.
fn check_filled(what: &str, batch: &RecordBatch, columns: &[(&'static str, &Option<String>)]) -> Result<Vec<Reason>> {
    let mut reasons: Vec<Reason> = vec![None; batch.num_rows()];
    for (name, column) in columns {
        let Some(column) = column else { continue };
        for (reason, text) in reasons.iter_mut().zip(cells::text_column(what, batch, column)?) {
            if says_nothing(&text) {
                reason.get_or_insert(name);
            }
        }
    }
    Ok(reasons)
}

/// Blank text, or a list of messages of which the last is blank.
fn says_nothing(text: &str) -> bool {
    match turns_if_list(text) {
        Some(turns) => turns.last().is_none_or(crate::Message::is_empty),
        None => text.trim().is_empty(),
    }
}

fn check_pairs(what: &str, batch: &RecordBatch, roles: &Roles) -> Result<Vec<Reason>> {
    let column = |role: &Option<String>| match role {
        Some(name) => cells::text_column(what, batch, name).map(Some),
        None => Ok(None),
    };
    let (prompts, inputs, completions) = (column(&roles.prompt)?, column(&roles.input)?, column(&roles.completion)?);
    let is_empty =
        |texts: &Option<Vec<String>>, row: usize| texts.as_ref().is_none_or(|texts| says_nothing(&texts[row]));
    let reason = |row| {
        if is_empty(&completions, row) {
            Some("empty completion")
        } else if is_empty(&prompts, row) && is_empty(&inputs, row) {
            Some("empty prompt")
        } else {
            None
        }
    };
    Ok((0..batch.num_rows()).map(reason).collect())
}

fn check_messages(what: &str, batch: &RecordBatch, column: &str) -> Result<(Vec<Reason>, Vec<String>)> {
    let mut n_unanswered = 0;
    let mut reasons = Vec::with_capacity(batch.num_rows());
    for (row, text) in cells::text_column(what, batch, column)?.iter().enumerate() {
        if text.is_empty() {
            reasons.push(Some("no messages"));
            continue;
        }
        let conversation = parse(text).map_err(|fault| Error::Cell {
            what: what.to_string(),
            row: row as u64 + 1,
            column: column.to_string(),
            expected: fault.expected,
            found: fault.found,
        })?;
        n_unanswered += u64::from(conversation.n_unanswered > 0);
        let has_question = conversation.context.iter().any(|message| !message.content.trim().is_empty());
        reasons.push(match &conversation.answer {
            None => Some("no assistant turn"),
            Some(answer) if answer.is_empty() => Some("empty completion"),
            Some(_) if !has_question => Some("empty prompt"),
            Some(_) => None,
        });
    }
    let mut warnings = Vec::new();
    if n_unanswered > 0 {
        warnings.push(format!("{n_unanswered} conversations go on after their last assistant turn; nothing is learned from what follows it"));
    }
    Ok((reasons, warnings))
}

/// Exact duplicates, and prompts that stand in several splits: what is learned is then also scored.
pub(super) fn duplicates(what: &str, batch: &RecordBatch, roles: &Roles) -> Result<Vec<String>> {
    let schema = batch.schema();
    let content: Vec<&dyn Array> = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .filter(|(field, _)| field.name() != SPLIT)
        .map(|(_, array)| array.as_ref())
        .collect();
    let mut seen = BTreeSet::new();
    let n_duplicates = (0..batch.num_rows()).filter(|row| !seen.insert(fingerprint::of_row(&content, *row))).count();
    let mut warnings = Vec::new();
    if n_duplicates > 0 {
        warnings
            .push(format!("{n_duplicates} of {} rows are exact duplicates of earlier rows (kept)", batch.num_rows()));
    }
    warnings.extend(shared_prompts(what, batch, roles)?);
    Ok(warnings)
}

fn shared_prompts(what: &str, batch: &RecordBatch, roles: &Roles) -> Result<Option<String>> {
    let Some(prompts) = splits::prompt_keys(what, batch, roles)? else { return Ok(None) };
    let split_array = find_column(what, batch, SPLIT)?;
    let mut splits_of: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (row, prompt) in prompts.iter().enumerate() {
        splits_of.entry(prompt).or_default().insert(cells::text(split_array, row));
    }
    let n_shared = splits_of.values().filter(|splits| splits.len() > 1).count();
    Ok((n_shared > 0)
        .then(|| format!("{n_shared} prompts stand in more than one split: what is trained on is also scored")))
}
