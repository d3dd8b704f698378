//! A value of a database cell, as SQL writes it and as a question says it.

/// What SQLite stores, without blobs: no question can be asked about one.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL.
    Real(f64),
    /// TEXT.
    Text(String),
}

impl Value {
    /// As an SQL literal: `7`, `2.5`, `'it''s'`, `NULL`.
    #[must_use]
    pub fn literal(&self) -> String {
        match self {
            Value::Null => "NULL".to_owned(),
            Value::Integer(value) => value.to_string(),
            Value::Real(value) => format_real(*value),
            Value::Text(value) => format!("'{}'", value.replace('\'', "''")),
        }
    }

    /// As a person writes it in a question.
    #[must_use]
    pub fn spoken(&self) -> String {
        match self {
            Value::Null => "nothing".to_owned(),
            Value::Integer(value) => value.to_string(),
            Value::Real(value) => format_real(*value),
            Value::Text(value) => value.clone(),
        }
    }

    /// The number it holds, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Integer(value) => Some(*value as f64),
            Value::Real(value) => Some(*value),
            _ => None,
        }
    }

    /// The text it holds, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(value) => Some(value),
            _ => None,
        }
    }
}

/// Shortest decimal form that reads back equal, always with a decimal point.
fn format_real(value: f64) -> String {
    let text = format!("{value}");
    if text.contains(['.', 'e', 'n', 'i']) { text } else { format!("{text}.0") }
}
