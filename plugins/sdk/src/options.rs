//! Reading a plugin's configuration: every key once, by type, with all problems at the end.
//!
//! ```
//! use luthier_plugin::{Options, json::json};
//!
//! let config = json!({ "lowercase": true });
//! let mut options = Options::new(&config).unwrap();
//! let lowercase = options.boolean("lowercase", false);
//! let order = options.integer("order", 6, 1..=8);
//! options.finish().unwrap();
//! assert_eq!((lowercase, order), (true, 6));
//! ```

use std::ops::RangeInclusive;

use crate::json::{Map, Value};
use crate::{Error, Issue};

/// A configuration while it is read.
#[derive(Debug)]
pub struct Options<'a> {
    given: Option<&'a Map<String, Value>>,
    known: Vec<&'static str>,
    issues: Vec<Issue>,
}

impl<'a> Options<'a> {
    /// The keys of a configuration; none for `null`.
    ///
    /// # Errors
    /// A configuration that is no table.
    pub fn new(config: &'a Value) -> Result<Self, Error> {
        let given = match config {
            Value::Null => None,
            Value::Object(object) => Some(object),
            other => return Err(Error::config("", format!("expected a table of options, found `{other}`"))),
        };
        Ok(Options { given, known: Vec::new(), issues: Vec::new() })
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &'static str, default: bool) -> bool {
        match self.get(key) {
            None => default,
            Some(Value::Bool(value)) => *value,
            Some(other) => self.refuse(key, "true or false", other, default),
        }
    }

    /// A whole number within `range`.
    pub fn integer(&mut self, key: &'static str, default: u64, range: RangeInclusive<u64>) -> u64 {
        match self.get(key) {
            None => default,
            Some(value) => match value.as_u64().filter(|number| range.contains(number)) {
                Some(number) => number,
                None => {
                    let expected = format!("a whole number from {} to {}", range.start(), range.end());
                    self.refuse(key, &expected, value, default)
                }
            },
        }
    }

    /// A number within `range`.
    pub fn number(&mut self, key: &'static str, default: f64, range: RangeInclusive<f64>) -> f64 {
        match self.get(key) {
            None => default,
            Some(value) => match value.as_f64().filter(|number| range.contains(number)) {
                Some(number) => number,
                None => {
                    let expected = format!("a number from {} to {}", range.start(), range.end());
                    self.refuse(key, &expected, value, default)
                }
            },
        }
    }

    /// One of these words.
    pub fn choice(&mut self, key: &'static str, default: &'static str, words: &[&'static str]) -> &'static str {
        match self.get(key) {
            None => default,
            Some(value) => match words.iter().find(|word| value.as_str() == Some(**word)) {
                Some(word) => word,
                None => {
                    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                    self.refuse(key, &format!("one of {}", words.join(", ")), value, default)
                }
            },
        }
    }

    /// A text.
    pub fn text(&mut self, key: &'static str) -> Option<&'a str> {
        let value = self.get(key)?;
        match value.as_str() {
            Some(text) => Some(text),
            None => self.refuse(key, "text", value, None),
        }
    }

    /// A list of texts; empty if absent.
    pub fn texts(&mut self, key: &'static str) -> Vec<&'a str> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let texts = value.as_array().map(|items| items.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        match texts.flatten() {
            Some(texts) => texts,
            None => self.refuse(key, "a list of texts", value, Vec::new()),
        }
    }

    /// A list of whole numbers within `range`; `default` if absent.
    pub fn integers(&mut self, key: &'static str, default: &[u64], range: RangeInclusive<u64>) -> Vec<u64> {
        let Some(value) = self.get(key) else { return default.to_vec() };
        let number = |item: &Value| item.as_u64().filter(|number| range.contains(number));
        let numbers = value.as_array().map(|items| items.iter().map(number).collect::<Option<Vec<_>>>());
        match numbers.flatten() {
            Some(numbers) => numbers,
            None => {
                let expected = format!("a list of whole numbers from {} to {}", range.start(), range.end());
                self.refuse(key, &expected, value, default.to_vec())
            }
        }
    }

    /// Any JSON.
    pub fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.get(key)
    }

    /// A problem of one key that its type does not tell.
    pub fn issue(&mut self, key: &str, message: impl Into<String>) {
        self.issues.push(Issue { pointer: pointer(key), message: message.into() });
    }

    /// All problems; keys that nobody has read are among them.
    ///
    /// # Errors
    /// There is a problem.
    pub fn finish(mut self) -> Result<(), Error> {
        let unknown = self.given.into_iter().flat_map(Map::keys).filter(|key| !self.known.contains(&key.as_str()));
        let there_are = if self.known.is_empty() {
            "there are none".to_owned()
        } else {
            format!("there are {}", self.known.join(", "))
        };
        let issues: Vec<Issue> = unknown
            .map(|key| Issue { pointer: pointer(key), message: format!("unknown option; {there_are}") })
            .collect();
        self.issues.extend(issues);
        if self.issues.is_empty() { Ok(()) } else { Err(Error::InvalidConfig(self.issues)) }
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.given?.get(key)
    }

    fn refuse<T>(&mut self, key: &str, expected: &str, found: &Value, default: T) -> T {
        self.issue(key, format!("expected {expected}, found `{found}`"));
        default
    }
}

/// RFC 6901: `~` and `/` are escaped in a JSON Pointer.
fn pointer(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests;
