//! Messages and tools as a template sees them.

use minijinja::value::Value;
use serde_json::{Map, Value as Json};

use crate::Message;
use crate::render::TOOLS_ROLE;

/// The names under which a message may carry its reasoning; the first that is set is given under
/// the first and the second, as transformers does.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// What a template knows as `messages` and `tools`.
pub(super) struct Conversation {
    pub(super) messages: Value,
    pub(super) tools: Value,
}

impl Conversation {
    /// # Errors
    /// That the tools are no JSON list.
    pub(super) fn new(messages: &[Message]) -> Result<Conversation, String> {
        let (tools, turns) = match messages {
            [first, turns @ ..] if first.role == TOOLS_ROLE => (tools(&first.content)?, turns),
            turns => (Value::from(()), turns),
        };
        Ok(Conversation { messages: turns.iter().map(message).collect(), tools })
    }
}

fn tools(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(Json::Array(list)) if list.is_empty() => Ok(Value::from(())),
        Ok(Json::Array(list)) => Ok(list.iter().map(value).collect()),
        Ok(_) => Err("tools are a JSON list, found another JSON value".into()),
        Err(error) => Err(format!("tools are a JSON list: {error}")),
    }
}

fn message(message: &Message) -> Value {
    let mut fields = Map::new();
    let reasoning = REASONING.iter().filter_map(|key| message.extra.get(*key)).find(|value| !value.is_null());
    if let Some(reasoning) = reasoning {
        fields.insert("thinking".into(), reasoning.clone());
    }
    fields.insert("role".into(), Json::from(message.role.as_str()));
    fields.insert("content".into(), Json::from(message.content.as_str()));
    for (key, value) in &message.extra {
        fields.insert(key.clone(), value.clone());
    }
    // As transformers: a key whose value is null is not there.
    fields.retain(|_, value| !value.is_null());
    if let Some(reasoning) = reasoning {
        fields.insert("reasoning_content".into(), reasoning.clone());
    }
    object(&fields)
}

/// JSON as a template's value; keys keep their order.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Value::from(integer),
            (None, Some(integer)) => Value::from(integer),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(value).collect(),
        Json::Object(fields) => object(fields),
    }
}

fn object(fields: &Map<String, Json>) -> Value {
    Value::from_pairs(fields.iter().map(|(key, item)| (key.as_str(), value(item))))
}
