//! Values of the grammar's functions, as Python writes them.

use std::fmt::Write;

/// What goes into a function and what comes out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// A dictionary, in order of insertion; two are equal in any order.
    Dict(Vec<(String, Value)>),
}

impl Value {
    /// The literal.
    pub fn python(&self) -> String {
        match self {
            Value::None => "None".to_owned(),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Int(number) => number.to_string(),
            Value::Text(text) => quoted(text),
            Value::List(items) => format!("[{}]", items.iter().map(Value::python).collect::<Vec<_>>().join(", ")),
            Value::Dict(entries) => {
                let mut text = String::from("{");
                for (i, (key, value)) in entries.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    let _ = write!(text, "{comma}{}: {}", quoted(key), value.python());
                }
                text + "}"
            }
        }
    }

    /// Equal as Python compares: dictionaries in any order.
    pub fn equals(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Dict(a), Value::Dict(b)) => {
                a.len() == b.len() && a.iter().all(|(key, value)| b.iter().any(|(k, v)| k == key && v == value))
            }
            _ => self == other,
        }
    }
}

/// A text in double quotes; the grammar's texts hold nothing that needs escaping but these two.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
