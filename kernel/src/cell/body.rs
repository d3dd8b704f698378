//! The TOML body of a cell or recipe: checked against the command's keys, with the place of every
//! finding, and turned into JSON for the request.
//!
//! The check is made here and not left to serde, because serde forgets where a value of a flattened
//! or untagged type stood.

use std::ops::Range;

use serde_json::{Map, Value};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Diagnostic, Invocation, suggest};
use crate::command::{Command, Key};

type Entry<'a, 'i> = (&'a Spanned<std::borrow::Cow<'i, str>>, &'a Spanned<DeValue<'i>>);

/// Parse `body`, which starts at byte `offset` of the cell, into the invocation. Arguments and flags
/// of the command line win over the body, but may not contradict its `name` silently.
pub fn parse(body: &str, offset: usize, invocation: &mut Invocation) -> Result<(), Diagnostic> {
    let table = DeTable::parse(body).map_err(|error| syntax_error(&error, body, offset))?;
    let mut walk = Walk { command: invocation.command, offset, found: Vec::new(), spans: Vec::new() };
    walk.table(table.get_ref(), "")?;
    let Walk { found, spans, .. } = walk;
    for (key, value, span) in found {
        match get(&invocation.values, &key) {
            Some(argument) if key == "name" && *argument != value => {
                let message = format!("the name is {argument} above and {value} here");
                return Err(Diagnostic::new("InvalidRequest", message).at(span).hint("leave one of them out"));
            }
            Some(_) => {}
            None => insert(&mut invocation.values, &key, value),
        }
    }
    for (pointer, span) in spans {
        invocation.spans.entry(pointer).or_insert(span);
    }
    Ok(())
}

fn syntax_error(error: &toml::de::Error, body: &str, offset: usize) -> Diagnostic {
    let span = error.span().unwrap_or(0..0);
    // An error at the end of a line is reported on that line, not on the next.
    let start = if body[..span.start.min(body.len())].ends_with('\n') && span.start >= body.len() {
        span.start.saturating_sub(1)
    } else {
        span.start
    };
    let diagnostic = Diagnostic::new("TomlError", format!("the cell's body is not TOML: {}", error.message()))
        .at(offset + start..offset + span.end.max(start));
    let line_start = body[..start.min(body.len())].rfind('\n').map_or(0, |at| at + 1);
    let line = body[line_start..].lines().next().unwrap_or_default();
    match advice(line) {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    }
}

/// The two slips that people make who do not write TOML every day.
fn advice(line: &str) -> Option<String> {
    if let Some((key, value)) = line.split_once('=') {
        let (key, value) = (key.trim(), value.trim());
        let bare = value.chars().next().is_some_and(|c| c.is_alphabetic() || matches!(c, '.' | '/' | '~'));
        return bare.then(|| format!("text stands in quotes: {key} = \"{value}\""));
    }
    let (key, value) = line.split_once(':')?;
    Some(format!("TOML writes `=`: {} = {}", key.trim(), value.trim()))
}

struct Walk {
    command: &'static Command,
    offset: usize,
    found: Vec<(String, Value, Range<usize>)>,
    spans: Vec<(String, Range<usize>)>,
}

impl Walk {
    fn table(&mut self, table: &DeTable<'_>, prefix: &str) -> Result<(), Diagnostic> {
        for entry in table.iter() {
            self.entry(entry, prefix)?;
        }
        Ok(())
    }

    fn entry(&mut self, (key, value): Entry<'_, '_>, prefix: &str) -> Result<(), Diagnostic> {
        let name = format!("{prefix}{}", key.get_ref());
        let section = format!("{name}.");
        if let Some(known) = self.command.keys.iter().find(|known| known.name == name) {
            return self.value(known, value);
        }
        // A name that the command takes as an argument may also stand in the body (recipes do that).
        if let Some(place) = self.command.positionals.iter().find(|place| place.key == name && !place.rest) {
            return self.argument(place.key, value);
        }
        if self.command.keys.iter().any(|known| known.name.starts_with(&section)) {
            return match value.get_ref() {
                DeValue::Table(inner) => {
                    self.span(&name, key.span());
                    self.table(inner, &section)
                }
                other => Err(self.wrong_type(&name, "a table", other, value.span())),
            };
        }
        Err(self.unknown(key.get_ref(), prefix).at(self.shift(key.span())))
    }

    fn value(&mut self, key: &Key, value: &Spanned<DeValue<'_>>) -> Result<(), Diagnostic> {
        let json = to_json(value.get_ref());
        if !key.kind.accepts(&json) {
            return Err(self.wrong_type(key.name, &key.kind.expects(), value.get_ref(), value.span()));
        }
        self.keep(key.name, json, value);
        Ok(())
    }

    fn argument(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<(), Diagnostic> {
        match to_json(value.get_ref()) {
            json @ Value::String(_) => self.keep(key, json, value),
            _ => return Err(self.wrong_type(key, "text in quotes", value.get_ref(), value.span())),
        }
        Ok(())
    }

    fn keep(&mut self, key: &str, json: Value, value: &Spanned<DeValue<'_>>) {
        let span = self.shift(value.span());
        self.found.push((key.to_owned(), json, span));
        self.spans_below(&pointer_of(key), value);
    }

    /// Remember where a value and everything below it stands, for failures that the engine finds.
    fn spans_below(&mut self, pointer: &str, value: &Spanned<DeValue<'_>>) {
        self.spans.push((pointer.to_owned(), self.shift(value.span())));
        match value.get_ref() {
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.spans_below(&format!("{pointer}/{index}"), item);
                }
            }
            DeValue::Table(table) => {
                for (key, item) in table.iter() {
                    self.spans_below(&format!("{pointer}/{}", escape(key.get_ref())), item);
                }
            }
            _ => {}
        }
    }

    fn span(&mut self, name: &str, span: Range<usize>) {
        let span = self.shift(span);
        self.spans.push((pointer_of(name), span));
    }

    fn shift(&self, span: Range<usize>) -> Range<usize> {
        span.start + self.offset..span.end + self.offset
    }

    fn wrong_type(&self, name: &str, expects: &str, found: &DeValue<'_>, span: Range<usize>) -> Diagnostic {
        let message = format!("`{name}` is {expects}, found {}", describe(found));
        Diagnostic::new("TypeError", message).at(self.shift(span))
    }

    fn unknown(&self, key: &str, prefix: &str) -> Diagnostic {
        let place = match prefix.strip_suffix('.') {
            Some(section) => format!("[{section}]"),
            None => format!("`{}`", self.command.name),
        };
        let diagnostic = Diagnostic::new("UnknownKey", format!("{place} has no key `{key}`"));
        match self.meant(key, prefix) {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic.hint(format!("known keys: {}", self.known(prefix).join(", "))),
        }
    }

    fn meant(&self, key: &str, prefix: &str) -> Option<String> {
        let elsewhere = |wanted: &str| {
            let key = self.command.keys.iter().find(|k| k.name.rsplit('.').next() == Some(wanted))?;
            let (section, last) = key.name.rsplit_once('.').unwrap_or(("", key.name));
            Some(match section {
                "" => format!("`{last}` stands above the first [table]"),
                section => format!("`{last}` belongs in [{section}]"),
            })
        };
        if let Some(hint) = elsewhere(key) {
            return Some(hint);
        }
        let known = self.known(prefix);
        if let Some(near) = suggest::nearest(key, known.iter().map(String::as_str)) {
            return Some(format!("did you mean `{near}`?"));
        }
        let lasts = self.command.keys.iter().filter_map(|key| key.name.rsplit('.').next());
        elsewhere(suggest::nearest(key, lasts)?)
    }

    /// Keys and tables directly below a prefix.
    fn known(&self, prefix: &str) -> Vec<String> {
        let mut known: Vec<String> = Vec::new();
        for key in self.command.keys {
            let Some(rest) = key.name.strip_prefix(prefix) else { continue };
            let first = rest.split('.').next().unwrap_or(rest).to_owned();
            if !known.contains(&first) {
                known.push(first);
            }
        }
        known
    }
}

fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("text \"{}\"", text.chars().take(40).collect::<String>()),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(flag) => format!("{flag}"),
        DeValue::Datetime(date) => format!("the date {date}"),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

/// TOML as JSON; dates become text. Numbers too large for JSON become null and are refused.
pub fn to_json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix()).map(Value::from);
            parsed
                .or_else(|_| u64::from_str_radix(number.as_str(), number.radix()).map(Value::from))
                .unwrap_or(Value::Null)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().map(Value::from).unwrap_or(Value::Null),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Array(items) => items.iter().map(|item| to_json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            let entries = table.iter().map(|(key, item)| (key.get_ref().to_string(), to_json(item.get_ref())));
            Value::Object(entries.collect())
        }
    }
}

/// The JSON Pointer of a dotted key.
pub fn pointer_of(key: &str) -> String {
    format!("/{}", key.replace('.', "/"))
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The value of a dotted key.
pub fn get<'a>(values: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    let (first, rest) = key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
    match rest {
        None => values.get(first),
        Some(rest) => get(values.get(first)?.as_object()?, rest),
    }
}

/// The value of a dotted key, to change.
pub fn get_mut<'a>(values: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Value> {
    let (first, rest) = key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
    match rest {
        None => values.get_mut(first),
        Some(rest) => get_mut(values.get_mut(first)?.as_object_mut()?, rest),
    }
}

/// Set the value of a dotted key, making tables on the way.
pub fn insert(values: &mut Map<String, Value>, key: &str, value: Value) {
    match key.split_once('.') {
        None => drop(values.insert(key.to_owned(), value)),
        Some((first, rest)) => {
            let inner = values.entry(first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}
