//! The gate before training: examples that would teach nothing, or something else than the rows
//! say, stop the run and are named.
//!
//! Each rule is a way in which fine-tuning is known to fail without an error: labels that are all
//! masked, an end token that is never learned (so that generation never stops), BOS twice.

use crate::{Error, Example, IGNORE_INDEX, Prompter, Result};

/// Rows named in one finding.
const MAX_NAMED: usize = 10;

/// Checks `examples`; `rows[i]` is the index of the row (from 0) that example `i` is of. Returns
/// findings that do not stop a run.
///
/// # Errors
/// [`Error::Lint`]: no examples; rows without a target; rows whose only target is the end token;
/// no row that learns an end token; BOS twice; labels that are not the ids they stand at.
pub fn lint(examples: &[Example], rows: &[usize], prompter: &Prompter) -> Result<Vec<String>> {
    if examples.is_empty() {
        return Err(Error::Lint { findings: vec!["there is no example".into()] });
    }
    let stop_ids = prompter.stop_ids();
    let findings: Vec<String> = [
        named(examples, rows, is_misaligned, "have labels that are not the tokens they stand at"),
        named(examples, rows, |example| example.n_targets() == 0, "have no token to learn (all labels are masked)"),
        named(examples, rows, |example| is_only_end(example, &stop_ids), "have an empty completion"),
        named(examples, rows, |example| begins_twice(example, prompter), "begin with two BOS tokens"),
        end_is_never_learned(examples, &stop_ids),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !findings.is_empty() {
        return Err(Error::Lint { findings });
    }
    let mut warnings = Vec::new();
    if stop_ids.is_empty() {
        warnings.push("the tokenizer names no end token: the model cannot learn where an answer ends".to_string());
    }
    warnings.extend(named(
        examples,
        rows,
        |example| has_inner_end(example, &stop_ids),
        "hold an end token inside the text to learn; generation will stop there",
    ));
    Ok(warnings)
}

fn targets(example: &Example) -> impl Iterator<Item = u32> {
    example.labels.iter().skip(1).filter(|label| **label != IGNORE_INDEX).map(|label| *label as u32)
}

fn is_misaligned(example: &Example) -> bool {
    example.labels.len() != example.input_ids.len()
        || example
            .labels
            .iter()
            .zip(&example.input_ids)
            .any(|(label, id)| *label != IGNORE_INDEX && *label != *id as i32)
}

fn is_only_end(example: &Example, stop_ids: &[u32]) -> bool {
    example.n_targets() > 0 && targets(example).all(|id| stop_ids.contains(&id))
}

fn begins_twice(example: &Example, prompter: &Prompter) -> bool {
    match (prompter.tokenizer.bos_id(), example.input_ids.as_slice()) {
        (Some(bos), [first, second, ..]) => *first == bos && *second == bos,
        _ => false,
    }
}

fn end_is_never_learned(examples: &[Example], stop_ids: &[u32]) -> Option<String> {
    let learned = examples.iter().any(|example| n_ends(example, stop_ids) > 0);
    (!learned && !stop_ids.is_empty())
        .then(|| "no example has an end token to learn: answers would never end".to_string())
}

/// Without a masked prompt (`train_on_prompt`) the turns of the prompt have ends of their own.
fn has_inner_end(example: &Example, stop_ids: &[u32]) -> bool {
    example.labels.contains(&IGNORE_INDEX) && n_ends(example, stop_ids) > 1
}

fn n_ends(example: &Example, stop_ids: &[u32]) -> usize {
    targets(example).filter(|id| stop_ids.contains(id)).count()
}

fn named(examples: &[Example], rows: &[usize], fails: impl Fn(&Example) -> bool, finding: &str) -> Option<String> {
    let failing: Vec<usize> =
        examples.iter().zip(rows).filter(|(example, _)| fails(example)).map(|(_, row)| row + 1).collect();
    if failing.is_empty() {
        return None;
    }
    let mut names: Vec<String> = failing.iter().take(MAX_NAMED).map(ToString::to_string).collect();
    if failing.len() > MAX_NAMED {
        names.push(format!("and {} more", failing.len() - MAX_NAMED));
    }
    Some(format!("rows {} {finding}", names.join(", ")))
}

#[cfg(test)]
mod tests;
