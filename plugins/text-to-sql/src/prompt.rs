//! The one way in which this task is put to a model, and the one way in which its answer is read.

#[cfg(test)]
mod tests;

use luthier_plugin::{Answer, Message};

/// Schema and examples before the question: the schema stands in the first user turn only.
///
/// ```text
/// user       cst(cs, nm, town)⏎Count the customers.
/// assistant  SELECT COUNT(*) FROM cst
/// user       List the different values of town among customers.
/// ```
#[must_use]
pub fn conversation(schema: &str, shots: &[(&str, &str)], question: &str) -> Vec<Message> {
    let mut messages = Vec::with_capacity(2 * shots.len() + 1);
    let mut opening = format!("{schema}\n");
    for (shot_question, shot_sql) in shots {
        messages.push(Message::user(format!("{opening}{shot_question}")));
        messages.push(Message::assistant(*shot_sql));
        opening.clear();
    }
    messages.push(Message::user(format!("{opening}{question}")));
    messages
}

/// The statement in a completion: without code fences, up to the first semicolon outside a literal.
#[must_use]
pub fn extract(completion: &str) -> Answer {
    let text = match completion.find("```") {
        Some(fence) => {
            let inside = &completion[fence + 3..];
            let inside = inside.strip_prefix("sqlite").or_else(|| inside.strip_prefix("sql")).unwrap_or(inside);
            match inside.find("```") {
                Some(end) => &inside[..end],
                None => return Answer::Missing("a code fence is never closed".to_owned()),
            }
        }
        None => completion,
    };
    let statement = first_statement(text).trim();
    if statement.is_empty() {
        Answer::Missing("the completion holds no SQL".to_owned())
    } else {
        Answer::Found(statement.to_owned())
    }
}

fn first_statement(text: &str) -> &str {
    let mut quote = None;
    for (at, next) in text.char_indices() {
        match (quote, next) {
            (None, ';') => return &text[..at],
            (None, '\'' | '"') => quote = Some(next),
            (Some(open), _) if open == next => quote = None,
            _ => {}
        }
    }
    text
}
