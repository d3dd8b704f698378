//! Chat rows: OpenAI's `[{role, content}]` and ShareGPT's `[{from, value}]`.

use serde_json::{Map, Value};

use crate::Message;

/// A chat row taken apart at its last assistant turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conversation {
    /// The turns before it (all, if there is none).
    pub(crate) context: Vec<Message>,
    /// The turn itself.
    pub(crate) answer: Option<Message>,
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
    Ok(take_apart(parse_list(text)?))
}

/// All turns of a cell.
pub(crate) fn parse_list(text: &str) -> Result<Vec<Message>, Fault> {
    let list: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| fault("a JSON list of {role, content} objects", error.to_string()))?;
    list.into_iter().enumerate().map(message).collect()
}

/// The turns of a cell that holds a list of messages, `None` for one that is plain text: the cells
/// of `prompt`, `completion`, `chosen` and `rejected` may be either.
pub(crate) fn turns_if_list(text: &str) -> Option<Vec<Message>> {
    if !text.trim_start().starts_with('[') {
        return None;
    }
    parse_list(text).ok().filter(|turns| !turns.is_empty())
}

pub(crate) fn take_apart(mut messages: Vec<Message>) -> Conversation {
    let Some(last) = messages.iter().rposition(|message| message.role == "assistant") else {
        return Conversation { context: messages, answer: None, n_unanswered: 0 };
    };
    let n_unanswered = messages.len() - last - 1;
    messages.truncate(last + 1);
    let answer = messages.pop();
    Conversation { context: messages, answer, n_unanswered }
}

fn message((index, value): (usize, Value)) -> Result<Message, Fault> {
    let turn = index + 1;
    let Value::Object(mut fields) = value else {
        return Err(fault("a list of {role, content} objects", format!("message {turn} is none")));
    };
    let role = fields.shift_remove("role").filter(|role| !role.is_null()).or_else(|| fields.shift_remove("from"));
    let role = role.as_ref().and_then(Value::as_str);
    let role = role.ok_or_else(|| fault("a `role` in every message", format!("none in message {turn}")))?;
    let role = role_name(role).to_owned();
    let given = fields.shift_remove("content").or_else(|| fields.shift_remove("value"));
    let mut message = Message { role, content: String::new(), extra: fields };
    match given.as_ref().map(|content| (content, text_of(content))) {
        Some((_, Some(text))) => message.content = text,
        // A turn that only calls tools has no text, and templates ask whether it is null.
        Some((Value::Null, _)) if message.calls_tools() => drop(message.extra.insert("content".into(), Value::Null)),
        None if message.calls_tools() => {}
        _ => return Err(fault("a text `content` in every message", format!("none in message {turn}"))),
    }
    drop_nulls(&mut message.extra);
    Ok(message)
}

/// Parquet and Arrow give every message every field, null where it has none; a template that asks
/// `'tool_calls' in message` must not be told yes.
fn drop_nulls(fields: &mut Map<String, Value>) {
    fields.retain(|key, value| key == "content" || !value.is_null());
}

/// A string, or a list of parts that are all text.
fn text_of(content: &Value) -> Option<String> {
    match content {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => parts.iter().map(|part| part.get("text")?.as_str()).collect::<Option<String>>(),
        _ => None,
    }
}

/// ShareGPT's names for the roles (its function calls are assistant turns, what comes back are the
/// tool's); others stay, for the chat template to judge.
fn role_name(role: &str) -> &str {
    match role.to_ascii_lowercase().as_str() {
        "human" | "user" => "user",
        "gpt" | "chatgpt" | "model" | "bot" | "assistant" | "function_call" => "assistant",
        "observation" | "tool_response" | "function_response" => "tool",
        "system" => "system",
        _ => role,
    }
}

fn fault(expected: &str, found: String) -> Fault {
    Fault { expected: expected.to_string(), found }
}
