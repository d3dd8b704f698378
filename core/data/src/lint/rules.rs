//! Rules that look at tokens.

use luthier_protocol::response::Finding;

use super::{Facts, Look, about};
use crate::{Example, IGNORE_INDEX, Prompter};

pub(super) fn of_tokens(
    look: &Look<'_>,
    examples: &[Example],
    row_of: &[usize],
    facts: &Facts,
    prompter: &Prompter,
) -> Vec<Finding> {
    if examples.is_empty() {
        let remedy = "look at the rows with `show`; raise max_seq_len, or import rows that have an answer";
        return vec![about("no-examples", "there is no example to train on", remedy)];
    }
    let stop_ids = prompter.stop_ids();
    let rows = |fails: &dyn Fn(&Example) -> bool| -> Vec<usize> {
        let failing = examples.iter().zip(row_of).filter(|(example, _)| fails(example));
        failing.map(|(_, row)| *row).collect()
    };
    [
        look.finding(
            "misaligned-labels",
            &rows(&is_misaligned),
            "labels are not the tokens that they stand at",
            "this is a fault of luthier, please report it with the row",
        ),
        look.finding(
            "all-masked",
            &rows(&|example| example.n_targets() == 0),
            "no token is learned: every label is masked",
            "check `loss_on` and the template's `{% generation %}` marks with `show --tokens`",
        ),
        look.finding(
            "empty-answer",
            &rows(&|example| is_only_end(example, &stop_ids)),
            "the answer is empty: nothing but the end of the turn is learned",
            "give these rows an answer, or take them out (`review --reject`)",
        ),
        look.finding(
            "doubled-bos",
            &rows(&|example| begins_twice(example, prompter)),
            "two BOS tokens stand at the start: the template writes one and the tokenizer or the text another",
            "take the BOS token out of the chat template or out of the rows' text",
        ),
        end_is_never_learned(look, examples, row_of, facts, &stop_ids),
        look.finding(
            "end-inside-answer",
            &rows(&|example| has_inner_end(example, &stop_ids)),
            "an answer holds an end token before its end: generation will stop there",
            "take the end token out of the rows' text, unless the answer means it",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub(super) fn of_facts(look: &Look<'_>, facts: &Facts) -> Vec<Finding> {
    [
        look.finding(
            "template-not-prefix-stable",
            &facts.unstable,
            "the chat template renders the prompt otherwise once its answer follows: what is trained on is not what \
             generation is given",
            "use a template whose earlier turns do not change (TRL's training variants are), or loss_on = \"completion\"",
        ),
        look.finding(
            "truncation-removes-targets",
            &facts.emptied,
            "max_seq_len cuts off everything that is learned: the prompt alone fills it",
            "raise max_seq_len, shorten the prompts, or on_too_long = \"drop\" to leave such rows out",
        ),
        look.finding(
            "truncated",
            &facts.cut,
            "cut to max_seq_len: these rows do not teach where their answer ends",
            "raise max_seq_len, or on_too_long = \"drop\"",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub(super) fn of_tokenizer(prompter: &Prompter) -> Vec<Finding> {
    let tokenizer = &prompter.tokenizer;
    let mut findings = Vec::new();
    if prompter.stop_ids().is_empty() {
        let message = "the tokenizer names no end token: the model cannot learn where an answer ends";
        findings.push(about("no-end-token", message, "name `eos_token` in tokenizer_config.json"));
    }
    let pad = tokenizer.named_tokens().iter().find(|(name, _)| name == "pad_token");
    if let Some((_, pad)) = pad
        && tokenizer.eos_token() == Some(pad)
    {
        let message = format!(
            "pad_token is EOS ({pad}): nothing is padded here and EOS is learned, but tools that mask by the id of \
             the padding never learn it"
        );
        findings.push(about(
            "pad-is-eos",
            message,
            "give the tokenizer a pad_token of its own before training elsewhere",
        ));
    }
    findings
}

fn targets(example: &Example) -> impl Iterator<Item = u32> {
    example.labels.iter().skip(1).filter(|label| **label != IGNORE_INDEX).map(|label| *label as u32)
}

fn is_misaligned(example: &Example) -> bool {
    let is_wrong = |(label, id): (&i32, &u32)| *label != IGNORE_INDEX && *label != *id as i32;
    example.labels.len() != example.input_ids.len() || example.labels.iter().zip(&example.input_ids).any(is_wrong)
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

fn end_is_never_learned(
    look: &Look<'_>,
    examples: &[Example],
    row_of: &[usize],
    facts: &Facts,
    stop_ids: &[u32],
) -> Option<Finding> {
    let learned = examples.iter().any(|example| n_ends(example, stop_ids) > 0);
    if learned || stop_ids.is_empty() {
        return None;
    }
    let all_cut = row_of.iter().all(|row| facts.cut.contains(row));
    let remedy = match all_cut {
        true => "every row is cut to max_seq_len: raise it",
        false => {
            "end the assistant's turn with the template's end token, inside its `{% generation %}` marks if it has any"
        }
    };
    look.finding("end-of-turn-never-trained", row_of, "no end token is learned: answers would never end", remedy)
}

/// More ends than turns: a trained stretch that goes on after its end token.
fn has_inner_end(example: &Example, stop_ids: &[u32]) -> bool {
    let is_target = |index: usize| example.labels.get(index).is_some_and(|label| *label != IGNORE_INDEX);
    // Without a masked prompt the prompt's turns have ends of their own.
    if !example.labels.iter().skip(1).any(|label| *label == IGNORE_INDEX) {
        return false;
    }
    let goes_on = |index: usize| {
        let mut rest = (index + 1..example.labels.len()).take_while(|next| is_target(*next));
        // `<|end|>` and EOS after it, or the line break behind an end token, are one end.
        rest.any(|next| !stop_ids.contains(&example.input_ids[next])) && is_target(index + 2)
    };
    (1..example.labels.len())
        .any(|index| is_target(index) && stop_ids.contains(&example.input_ids[index]) && goes_on(index))
}

fn n_ends(example: &Example, stop_ids: &[u32]) -> usize {
    targets(example).filter(|id| stop_ids.contains(id)).count()
}
