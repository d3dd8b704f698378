//! Chat rows: OpenAI's `[{role, content}]` and ShareGPT's `[{from, value}]`.

use serde_json::Value;

use crate::Message;

/// A chat row taken apart at its last assistant turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conversation {
    /// The turns before it (all, if there is none).
    pub(crate) context: Vec<Message>,
    /// Its text.
    pub(crate) target: Option<String>,
    /// Turns after it, which nobody answers.
    pub(crate) n_unanswered: usize,
}

/// What a chat cell should hold, and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) expected: String,
    pub(crate) found: String,
}

/// Parses one cell.
pub(crate) fn parse(text: &str) -> Result<Conversation, Fault> {
    let list: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| fault("a JSON list of {role, content} objects", error.to_string()))?;
    let mut messages = list.iter().enumerate().map(message).collect::<Result<Vec<Message>, Fault>>()?;
    let Some(last) = messages.iter().rposition(|message| message.role == "assistant") else {
        return Ok(Conversation { context: messages, target: None, n_unanswered: 0 });
    };
    let n_unanswered = messages.len() - last - 1;
    messages.truncate(last + 1);
    let target = messages.pop().map(|message| message.content);
    Ok(Conversation { context: messages, target, n_unanswered })
}

fn message((index, value): (usize, &Value)) -> Result<Message, Fault> {
    let turn = index + 1;
    let role = value.get("role").or_else(|| value.get("from")).and_then(Value::as_str);
    let role = role.ok_or_else(|| fault("a `role` in every message", format!("none in message {turn}")))?;
    let content = value.get("content").or_else(|| value.get("value"));
    let content = content.and_then(text_of);
    let content =
        content.ok_or_else(|| fault("a text `content` in every message", format!("none in message {turn}")))?;
    Ok(Message { role: role_name(role).to_string(), content })
}

/// A string, or a list of parts that are all text.
fn text_of(content: &Value) -> Option<String> {
    match content {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => parts.iter().map(|part| part.get("text")?.as_str()).collect::<Option<String>>(),
        _ => None,
    }
}

/// ShareGPT's names for the three roles; others stay, for the chat template to judge.
fn role_name(role: &str) -> &str {
    match role {
        "human" => "user",
        "gpt" | "chatgpt" | "model" | "bot" => "assistant",
        other => other,
    }
}

fn fault(expected: &str, found: String) -> Fault {
    Fault { expected: expected.to_string(), found }
}
