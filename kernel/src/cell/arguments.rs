//! Words after a command's name: positional values and `--key value`.

use serde_json::{Value, json};

use super::{Diagnostic, Invocation, body, suggest, words::Word};
use crate::command::{Key, Kind, Positional};

/// Put every word where it belongs, or say which does not.
pub(super) fn parse(words: &[Word], invocation: &mut Invocation) -> Result<(), Diagnostic> {
    let positionals = invocation.command.positionals;
    let mut next = 0;
    let mut words = words.iter().peekable();
    let mut only_values = false;
    while let Some(word) = words.next() {
        if word.text == "--" && !word.quoted && !only_values {
            only_values = true;
        } else if !only_values && is_flag(word) {
            let complete = next >= positionals.iter().filter(|p| p.required).count();
            flag(word, &mut words, complete, invocation)?;
        } else {
            next = positional(word, next, positionals, invocation)?;
        }
    }
    Ok(())
}

fn is_flag(word: &Word) -> bool {
    !word.quoted && word.text.len() > 2 && word.text.starts_with("--")
}

fn positional(
    word: &Word,
    next: usize,
    positionals: &'static [Positional],
    invocation: &mut Invocation,
) -> Result<usize, Diagnostic> {
    let Some(place) = positionals.get(next).or_else(|| positionals.last().filter(|p| p.rest)) else {
        let command = invocation.command;
        return Err(Diagnostic::new("InvalidRequest", format!("`{}` does not expect `{}`", command.name, word.text))
            .at(word.span.clone())
            .hint(format!("usage: {}", command.usage())));
    };
    if place.keyword.is_some_and(|keyword| keyword == word.text) {
        return Ok(next);
    }
    let pointer = format!("/{}", place.key);
    if place.rest
        && let Some(Value::String(text)) = invocation.values.get_mut(place.key)
    {
        text.push(place.separator);
        text.push_str(&word.text);
        if let Some(span) = invocation.spans.get_mut(&pointer) {
            span.end = word.span.end;
        }
        return Ok(next + 1);
    }
    invocation.values.insert(place.key.into(), json!(word.text));
    invocation.spans.insert(pointer, word.span.clone());
    Ok(next + 1)
}

/// `--key value`, `--key=value`, or a bare `--switch`. Dashes and underscores are the same, and the
/// last part of a dotted key is enough: `--learning-rate` for `train.learning_rate`.
fn flag<'a>(
    word: &'a Word,
    words: &mut std::iter::Peekable<impl Iterator<Item = &'a Word>>,
    positionals_complete: bool,
    invocation: &mut Invocation,
) -> Result<(), Diagnostic> {
    let (name, inline) = match word.text[2..].split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (&word.text[2..], None),
    };
    let Some(key) = find_key(name, invocation.command.keys) else {
        return Err(unknown_flag(name, invocation).at(word.span.clone()));
    };
    let takes_next = match key.kind {
        Kind::Switch => false,
        // `%show --tokens shop`: the bare word is the dataset, not the model.
        Kind::OptionalText(_) => positionals_complete && words.peek().is_some_and(|next| !is_flag(next)),
        _ => true,
    };
    let text = match (inline, takes_next) {
        (Some(text), _) => text,
        (None, true) => match words.next() {
            Some(next) => next.text.clone(),
            None => {
                let message = format!("`--{name}` needs a value ({})", key.kind.expects());
                return Err(Diagnostic::new("InvalidRequest", message).at(word.span.clone()));
            }
        },
        (None, false) => key.kind.implied().to_owned(),
    };
    let value = key.kind.parse(&text).ok_or_else(|| {
        let message = format!("`--{name}` is {}, found `{text}`", key.kind.expects());
        Diagnostic::new("InvalidRequest", message).at(word.span.clone())
    })?;
    let pointer = body::pointer_of(key.name);
    if let (Kind::List | Kind::Rows, Value::Array(more)) = (key.kind, &value)
        && let Some(Value::Array(list)) = body::get_mut(&mut invocation.values, key.name)
    {
        list.extend(more.iter().cloned());
        return Ok(());
    }
    invocation.spans.insert(pointer, word.span.clone());
    body::insert(&mut invocation.values, key.name, value);
    Ok(())
}

fn find_key(name: &str, keys: &'static [Key]) -> Option<&'static Key> {
    let name = name.replace('-', "_");
    let by_last = || {
        let mut found = keys.iter().filter(|key| key.name.rsplit('.').next() == Some(&name));
        found.next().filter(|_| found.next().is_none())
    };
    keys.iter().find(|key| key.name == name).or_else(by_last)
}

fn unknown_flag(name: &str, invocation: &Invocation) -> Diagnostic {
    let command = invocation.command;
    let diagnostic = Diagnostic::new("UnknownKey", format!("`{}` has no option `--{name}`", command.name));
    let lasts = command.keys.iter().filter_map(|key| key.name.rsplit('.').next());
    match suggest::nearest(name, command.keys.iter().map(|key| key.name).chain(lasts)) {
        Some(near) => diagnostic.hint(format!("did you mean `--{}`?", near.replace('_', "-"))),
        None => diagnostic.hint(format!("usage: {}", command.usage())),
    }
}
