//! Cells of prompts and answers that may be text or lists of messages.

use super::messages::turns_if_list;
use crate::Message;

/// The turns of an answer's cell: plain text is one assistant turn; of a list that begins with its
/// prompt (`chosen` often repeats it) what follows the prompt.
pub(crate) fn answer_turns(text: &str, context: &[Message]) -> Vec<Message> {
    let Some(turns) = turns_if_list(text) else { return vec![Message::new("assistant", text)] };
    let spoken: Vec<&Message> = context.iter().filter(|turn| turn.role != crate::render::TOOLS_ROLE).collect();
    let repeats = |skip: usize| {
        let spoken = &spoken[skip.min(spoken.len())..];
        turns.len() > spoken.len() && spoken.iter().zip(&turns).all(|(a, b)| **a == *b) && !spoken.is_empty()
    };
    // A system turn may have come from a column of its own.
    let first_is_system = spoken.first().is_some_and(|turn| turn.role == "system");
    if repeats(0) {
        turns[spoken.len()..].to_vec()
    } else if first_is_system && repeats(1) {
        turns[spoken.len() - 1..].to_vec()
    } else {
        turns
    }
}

/// The prompt of two conversations that begin alike: the turns that they share, without an
/// assistant's at the end (two answers may begin with the same words).
pub(crate) fn shared_prompt(chosen: &str, rejected: &str) -> Vec<Message> {
    let (Some(chosen), Some(rejected)) = (turns_if_list(chosen), turns_if_list(rejected)) else { return Vec::new() };
    let n_shared = chosen.iter().zip(&rejected).take_while(|(a, b)| a == b).count();
    let mut shared: Vec<Message> = chosen.into_iter().take(n_shared).collect();
    while shared.last().is_some_and(|turn| turn.role == "assistant") {
        shared.pop();
    }
    shared
}
