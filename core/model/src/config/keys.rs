//! Typed access to an object's keys; an error names the key.

use crate::{Error, Result};
use serde_json::{Map, Value};

/// An object and where it lies in the file.
#[derive(Clone)]
pub(super) struct Keys<'a> {
    pub(super) object: &'a Map<String, Value>,
    prefix: String,
}

/// An error that names a feature this decoder does not have.
pub(super) fn unsupported<T>(feature: &str, found: impl ToString, supported: &str) -> Result<T> {
    Err(Error::Unsupported { feature: feature.to_owned(), found: found.to_string(), supported: supported.to_owned() })
}

impl<'a> Keys<'a> {
    /// The file's own object.
    pub(super) fn new(object: &'a Map<String, Value>) -> Self {
        Keys { object, prefix: String::new() }
    }

    /// The object at `key`, if there is one.
    pub(super) fn inner(&self, key: &str) -> Result<Option<Keys<'a>>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Keys { object, prefix: format!("{}{key}.", self.prefix) })),
            Some(value) => self.invalid(key, "an object", value),
        }
    }

    /// The key with the path to it.
    pub(super) fn path(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The value of `key`, with `null` as absent.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn invalid<T>(&self, key: &str, expected: &str, found: &Value) -> Result<T> {
        Err(Error::InvalidConfig { key: self.path(key), expected: expected.to_owned(), found: found.to_string() })
    }

    pub(super) fn required<T>(&self, key: &str, value: Option<T>) -> Result<T> {
        match value {
            Some(value) => Ok(value),
            None => self.invalid(key, "a value", &Value::Null),
        }
    }

    /// A positive integer.
    pub(super) fn size(&self, key: &str) -> Result<Option<usize>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(n) if n > 0 && n <= u64::from(u32::MAX) => Ok(Some(n as usize)),
                _ => self.invalid(key, "a positive integer", value),
            },
        }
    }

    /// A positive integer that must be there.
    pub(super) fn need_size(&self, key: &str) -> Result<usize> {
        self.required(key, self.size(key)?)
    }

    /// A positive number.
    pub(super) fn number(&self, key: &str) -> Result<Option<f64>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(x) if x.is_finite() && x > 0.0 => Ok(Some(x)),
                _ => self.invalid(key, "a positive number", value),
            },
        }
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_bool() {
                Some(flag) => Ok(Some(flag)),
                None => self.invalid(key, "true or false", value),
            },
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_str() {
                Some(text) => Ok(Some(text)),
                None => self.invalid(key, "a string", value),
            },
        }
    }

    /// One id or a list of ids.
    pub(super) fn ids(&self, key: &str) -> Result<Vec<u32>> {
        let id = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
        let ids = match self.get(key) {
            None => Some(Vec::new()),
            Some(Value::Array(values)) => values.iter().map(id).collect(),
            Some(value) => id(value).map(|n| vec![n]),
        };
        match ids {
            Some(ids) => Ok(ids),
            None => self.invalid(key, "a token id or a list of them", &self.object[key]),
        }
    }

    /// A list of positive numbers.
    pub(super) fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let number = |value: &Value| value.as_f64().filter(|x| x.is_finite() && *x > 0.0);
        match value.as_array().and_then(|list| list.iter().map(number).collect()) {
            Some(list) => Ok(Some(list)),
            None => self.invalid(key, "a list of positive numbers", value),
        }
    }

    /// A list of `n` values that `read` understands.
    pub(super) fn per_layer<T>(
        &self,
        key: &str,
        n: usize,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match value.as_array().filter(|list| list.len() == n).and_then(|list| list.iter().map(read).collect()) {
            Some(list) => Ok(Some(list)),
            None => self.invalid(key, &format!("a list of {n} {expected}"), value),
        }
    }
}
