//! A conversation as the text that is trained on, with the bytes that the loss sees.
//!
//! ```text
//! |<---------- prompt: what generation is given ---------->|<-- completion -->|
//!  <user> a <assistant> first answer <end> <user> b <assistant> second answer <end>
//!                       ^^^^^^^^^^^^^^^^^^ earlier                ^^^^^^^^^^^^^^^^^^^
//! ```
//!
//! A template that marks what an assistant says (`{% generation %}`) is believed; without marks a
//! turn begins where the conversation before it, rendered for generation, ends.

use std::ops::Range;

use luthier_protocol::spec::LossOn;

use crate::{Error, Message, Prompter, Result};

/// The text of one example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TrainingText {
    /// A prompt and what follows it, all of which is learned.
    Split(Split),
    /// One text, of which the template itself marks what is learned.
    Marked {
        /// The whole conversation.
        text: String,
        /// Byte ranges, ascending.
        spans: Vec<Range<usize>>,
    },
}

/// See [`TrainingText::Split`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split {
    /// What generation would be given.
    pub(super) prompt: String,
    /// Assistant turns inside the prompt that are learned too.
    pub(super) earlier: Vec<Range<usize>>,
    /// The answer with the end of its turn.
    pub(super) completion: String,
    /// The end has no special token: EOS follows.
    pub(super) needs_eos: bool,
    /// Everything is learned, the prompt too.
    pub(super) whole: bool,
    /// The template renders a turn otherwise once others follow it: what is trained on is not what
    /// generation is given.
    pub(super) is_unstable: bool,
}

/// The text of a conversation and its answer.
///
/// # Errors
/// As [`crate::ChatTemplate::render`].
pub(super) fn training_text(
    prompter: &Prompter,
    prompt: &[Message],
    answer: &[Message],
    loss_on: LossOn,
) -> Result<TrainingText> {
    let is_marked = prompter.template.marks_generation();
    if is_marked && matches!(loss_on, LossOn::Assistant | LossOn::LastTurn) {
        return marked(prompter, prompt, answer, loss_on);
    }
    let mut before = prompt.to_vec();
    let mut turns = answer.to_vec();
    if matches!(loss_on, LossOn::Assistant | LossOn::LastTurn) {
        // Of an answer of several turns the last is the completion, the others are context.
        let last = turns.iter().rposition(|turn| turn.role == "assistant").unwrap_or(turns.len().saturating_sub(1));
        before.extend(turns.drain(..last));
        turns.truncate(1);
    }
    let mut split = split(prompter, &before, &turns)?;
    match loss_on {
        LossOn::All => split.whole = true,
        LossOn::Assistant => add_earlier(prompter, &before, &mut split),
        LossOn::Completion | LossOn::LastTurn => {}
    }
    Ok(TrainingText::Split(split))
}

fn marked(prompter: &Prompter, prompt: &[Message], answer: &[Message], loss_on: LossOn) -> Result<TrainingText> {
    let conversation: Vec<Message> = prompt.iter().chain(answer).cloned().collect();
    let (text, mut spans) = prompter.template.render_marked(&conversation)?;
    if loss_on == LossOn::LastTurn {
        spans.drain(..spans.len().saturating_sub(1));
    }
    Ok(TrainingText::Marked { text, spans })
}

fn split(prompter: &Prompter, before: &[Message], turns: &[Message]) -> Result<Split> {
    let rendered = prompter.render(before)?;
    if let [turn] = turns
        && !turn.calls_tools()
        && turn.extra.is_empty()
    {
        match prompter.answer_frame(before, &rendered, &turn.content) {
            Ok(frame) => {
                let completion = format!("{}{}{}", frame.lead, turn.content, frame.end);
                return Ok(Split::new(rendered, completion, frame.needs_eos));
            }
            // Rendered as the template has it, below.
            Err(Error::ChatTemplate { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    let conversation: Vec<Message> = before.iter().chain(turns).cloned().collect();
    let full = prompter.template.render(&conversation, false)?;
    let (prompt, is_unstable) = match full.starts_with(&rendered) {
        true => (rendered, false),
        false => (common_prefix(&full, &rendered).to_string(), true),
    };
    let (end, needs_eos) = end_of_last(prompter, &full[prompt.len()..], turns);
    let completion = full[prompt.len()..prompt.len() + end].to_string();
    Ok(Split { is_unstable, ..Split::new(prompt, completion, needs_eos) })
}

impl Split {
    fn new(prompt: String, completion: String, needs_eos: bool) -> Self {
        Split { prompt, earlier: Vec::new(), completion, needs_eos, whole: false, is_unstable: false }
    }
}

/// Length of the rendered answer with the end of its last turn.
fn end_of_last(prompter: &Prompter, rendered: &str, turns: &[Message]) -> (usize, bool) {
    let Some(last) = turns.last() else { return (rendered.trim_end().len(), true) };
    let text = last.content.trim();
    // What a call of a tool looks like is the template's own: its end is the last special token.
    let from = match rendered.rfind(text) {
        Some(start) if !text.is_empty() && !last.calls_tools() => start + text.len(),
        _ if turns.len() == 1 && !last.calls_tools() => 0,
        _ => return last_special(prompter, rendered),
    };
    let (end, needs_eos) = prompter.end_of_turn(&rendered[from..]);
    (from + end.len(), needs_eos)
}

/// Where the last end of turn ends: of the special tokens at the end of the text (`<|end|>`, then
/// perhaps EOS) the first.
fn last_special(prompter: &Prompter, rendered: &str) -> (usize, bool) {
    let mut end = rendered.trim_end();
    let mut found = None;
    while let Some(special) = prompter.tokenizer.special_texts().iter().find(|special| end.ends_with(special.as_str()))
    {
        found = Some(end.len());
        end = end[..end.len() - special.len()].trim_end();
    }
    found.map_or((rendered.trim_end().len(), true), |end| (end, false))
}

/// Finds the assistant turns inside the prompt.
fn add_earlier(prompter: &Prompter, before: &[Message], split: &mut Split) {
    let indices: Vec<usize> = (0..before.len()).filter(|index| before[*index].role == "assistant").collect();
    let starts: Vec<Option<usize>> = indices
        .iter()
        .map(|index| {
            let until = prompter.render(&before[..*index]).ok()?;
            split.prompt.starts_with(&until).then_some(until.len())
        })
        .collect();
    for (position, (index, start)) in indices.iter().zip(&starts).enumerate() {
        let Some(start) = *start else {
            split.is_unstable = true;
            continue;
        };
        let limit = starts[position + 1..].iter().flatten().next().copied().unwrap_or(split.prompt.len());
        let end = earlier_end(prompter, &split.prompt[..limit], start, &before[..=*index]);
        if end > start {
            split.earlier.push(start..end);
        }
    }
}

/// The end of the turn that starts at `start`: where the conversation up to it ends, if the text
/// goes on from there; else the first special token after the answer.
fn earlier_end(prompter: &Prompter, text: &str, start: usize, until: &[Message]) -> usize {
    let turn = until.last();
    let alone = prompter.template.render(until, false).unwrap_or_default();
    if text.starts_with(&alone) && alone.len() > start {
        let (end, _) = end_of_last(prompter, &text[start..alone.len()], turn.map_or(&[], std::slice::from_ref));
        return start + end;
    }
    let region = &text[start..];
    let content = turn.map_or("", |turn| turn.content.trim());
    // The answer, if it stands there before any special token.
    let first = prompter.first_special(region).map_or(region.len(), |special| special.start);
    let from = match region.find(content) {
        Some(at) if at < first => at + content.len(),
        _ => 0,
    };
    match prompter.first_special(&region[from..]) {
        Some(special) => start + from + special.end,
        None => start + from,
    }
}

fn common_prefix<'a>(text: &'a str, other: &str) -> &'a str {
    let same = text.char_indices().zip(other.chars()).find(|((_, a), b)| a != b);
    let end = same.map_or(text.len().min(other.len()), |((at, _), _)| at);
    // One is the beginning of the other: `end` may fall inside a character of `text`.
    let end = (0..=end).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}
