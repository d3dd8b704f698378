//! Texts with byte ranges to ids with labels.

use std::ops::Range;

use super::conversation::{Split, TrainingText};
use super::{Example, IGNORE_INDEX};
use crate::{Prompter, Result};

type Located = (u32, Range<usize>);

/// Ids and labels of a conversation.
pub(super) fn example(prompter: &Prompter, text: &TrainingText) -> Result<Example> {
    match text {
        TrainingText::Marked { text, spans } => {
            let located = prompter.encode_with_offsets(text)?;
            let seen = inside(&located, spans);
            Ok(labeled(located.into_iter().map(|(id, _)| id).collect(), &seen))
        }
        TrainingText::Split(split) => split_example(prompter, split),
    }
}

fn split_example(prompter: &Prompter, split: &Split) -> Result<Example> {
    let (prompt_ids, mut completion_ids) = prompter.encode_continued(&split.prompt, &split.completion)?;
    if split.needs_eos {
        completion_ids.extend(prompter.tokenizer.eos_id());
    }
    let mut seen = match (split.whole, split.earlier.as_slice()) {
        (true, _) => vec![true; prompt_ids.len()],
        (false, []) => vec![false; prompt_ids.len()],
        (false, earlier) => inside(&prompter.encode_with_offsets(&split.prompt)?, earlier),
    };
    seen.resize(prompt_ids.len() + completion_ids.len(), true);
    Ok(labeled(prompt_ids.into_iter().chain(completion_ids).collect(), &seen))
}

/// Raw text: what the tokenizer puts in front, the text, EOS unless it ends with it. All is learned.
pub(super) fn raw_text(prompter: &Prompter, text: &str) -> Result<Example> {
    let tokenizer = &prompter.tokenizer;
    let mut ids = tokenizer.encode(text, true)?;
    if let Some(eos) = tokenizer.eos_id()
        && ids.last() != Some(&eos)
    {
        ids.push(eos);
    }
    let seen = vec![true; ids.len()];
    Ok(labeled(ids, &seen))
}

fn labeled(input_ids: Vec<u32>, seen: &[bool]) -> Example {
    let label = |(id, seen): (&u32, &bool)| if *seen { *id as i32 } else { IGNORE_INDEX };
    let labels = input_ids.iter().zip(seen).map(label).collect();
    Example { input_ids, labels }
}

/// Which tokens lie in a span: all from the first that holds one of its bytes to the last. (As
/// transformers' `return_assistant_tokens_mask`, but that a span whose last byte belongs to no token
/// ends with its last token, and not with the sequence.)
fn inside(located: &[Located], spans: &[Range<usize>]) -> Vec<bool> {
    let mut seen = vec![false; located.len()];
    for span in spans {
        let holds = |(_, bytes): &Located| bytes.start < span.end && bytes.end > span.start;
        let first = located.iter().position(holds);
        let last = located.iter().rposition(holds);
        if let (Some(first), Some(last)) = (first, last) {
            seen[first..=last].fill(true);
        }
    }
    seen
}

#[cfg(test)]
mod tests;
