//! Rows in what a language model wrote: JSON objects, wherever they stand and however the text around
//! them looks.

use crate::json::{self, Map, Value};

/// Objects found in a text, and why there are no more.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovered {
    /// In order.
    pub objects: Vec<Map<String, Value>>,
    /// Values of the list that are no objects.
    pub n_others: usize,
    /// The text ends within a list or an object.
    pub is_cut: bool,
}

/// The objects of the first JSON list in `text` (in a code fence, after an introduction, cut at its
/// end), else its single objects one after the other (JSON lines included). Nothing is guessed: an
/// object that is no JSON is not there.
pub fn objects(text: &str) -> Recovered {
    for (start, bracket) in text.match_indices(['[', '{']).take(MAX_STARTS) {
        let found = if bracket == "[" { items(&text[start + 1..]) } else { sequence(&text[start..]) };
        if !found.objects.is_empty() || found.is_cut {
            return found;
        }
    }
    Recovered { objects: Vec::new(), n_others: 0, is_cut: false }
}

/// Objects one after the other, whatever stands between them; `text` begins with the first.
fn sequence(text: &str) -> Recovered {
    let mut found = Recovered { objects: Vec::new(), n_others: 0, is_cut: false };
    let mut rest = text;
    let mut is_first = true;
    while let (Some(start), true) = (rest.find('{'), found.objects.len() < MAX_OBJECTS) {
        rest = &rest[start..];
        match value(rest) {
            Parsed::Value(Value::Object(object), end) => {
                found.objects.push(object);
                rest = &rest[end..];
            }
            Parsed::Cut => {
                found.is_cut = true;
                return found;
            }
            // What begins with a brace and is no object begins no sequence.
            Parsed::Value(..) | Parsed::Nothing if is_first => return found,
            Parsed::Value(..) | Parsed::Nothing => rest = &rest[1..],
        }
        is_first = false;
    }
    found
}

/// Places at which objects are looked for: each may cost the whole rest.
const MAX_STARTS: usize = 32;
/// More objects than anybody asks for.
const MAX_OBJECTS: usize = 1000;

enum Parsed {
    Value(Value, usize),
    Cut,
    Nothing,
}

fn value(text: &str) -> Parsed {
    let mut stream = json::Deserializer::from_str(text).into_iter::<Value>();
    match stream.next() {
        Some(Ok(value)) => Parsed::Value(value, stream.byte_offset()),
        Some(Err(error)) if error.is_eof() => Parsed::Cut,
        _ => Parsed::Nothing,
    }
}

/// The items of a list whose bracket was just opened.
fn items(text: &str) -> Recovered {
    let mut found = Recovered { objects: Vec::new(), n_others: 0, is_cut: false };
    let mut rest = text.trim_start();
    while found.objects.len() < MAX_OBJECTS {
        if rest.starts_with(']') {
            return found;
        }
        match value(rest) {
            Parsed::Value(Value::Object(object), end) => {
                found.objects.push(object);
                rest = rest[end..].trim_start();
            }
            Parsed::Value(_, end) => {
                found.n_others += 1;
                rest = rest[end..].trim_start();
            }
            Parsed::Cut => {
                found.is_cut = true;
                return found;
            }
            Parsed::Nothing => return found,
        }
        if rest.is_empty() {
            found.is_cut = true;
            return found;
        }
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    found
}

#[cfg(test)]
mod tests;
