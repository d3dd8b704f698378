//! From the text of a cell to commands or Rust code. No IO: the same text always parses to the same
//! value, or to one [`Diagnostic`] that points at the place.
//!
//! | text | is |
//! |---|---|
//! | `%%finetune shop-sql` and TOML lines | one command with a body |
//! | `%device` and further `%` lines | one command per line |
//! | anything else | Rust |

use std::{collections::BTreeMap, ops::Range};

use serde_json::{Map, Value};

use crate::command::{self, Command};

mod arguments;
pub mod body;
pub mod diagnostic;
pub mod suggest;
pub mod words;

pub use diagnostic::Diagnostic;

/// What a cell turned out to be.
#[derive(Debug)]
pub enum Cell<'a> {
    /// Nothing but blank lines and comments.
    Empty,
    /// Code for the Rust evaluator.
    Rust(&'a str),
    /// Commands, in order.
    Commands(Vec<Invocation>),
}

/// One command with its values, and where in the text each value stands.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Which command.
    pub command: &'static Command,
    /// Values by key; tables of the body are nested objects.
    pub values: Map<String, Value>,
    /// JSON Pointer of a value → bytes of the text.
    pub spans: BTreeMap<String, Range<usize>>,
    /// Where the command's own name stands.
    pub at: Range<usize>,
}

impl Invocation {
    /// The bytes that a JSON Pointer names: its own, those of its nearest parent that was written,
    /// or the command's name.
    pub fn locate(&self, pointer: &str) -> Range<usize> {
        let mut pointer = pointer;
        loop {
            if let Some(span) = self.spans.get(pointer) {
                return span.clone();
            }
            match pointer.rfind('/') {
                Some(end) if end > 0 => pointer = &pointer[..end],
                _ => return self.at.clone(),
            }
        }
    }
}

/// Parse the text of a cell.
pub fn parse(code: &str) -> Result<Cell<'_>, Diagnostic> {
    let Some((start, line)) = lines(code).find(|(_, line)| !is_filler(line)) else {
        return Ok(if code.trim().is_empty() { Cell::Empty } else { Cell::Rust(code) });
    };
    if line.trim_start().starts_with("%%") {
        let invocation = parse_block(code, start)?;
        return Ok(Cell::Commands(vec![invocation]));
    }
    if line.trim_start().starts_with('%') {
        return parse_lines(code).map(Cell::Commands);
    }
    Ok(Cell::Rust(code))
}

/// Byte offset and text of each line, without its line ending.
pub(crate) fn lines(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut offset = 0;
    code.split_inclusive('\n').map(move |line| {
        let start = offset;
        offset += line.len();
        (start, line.trim_end_matches(['\n', '\r']))
    })
}

/// Blank lines and comments may stand above and between commands.
fn is_filler(line: &str) -> bool {
    let line = line.trim();
    line.is_empty()
        || line.starts_with("//")
        || (line.starts_with('#') && !line.starts_with("#[") && !line.starts_with("#!"))
}

fn parse_block(code: &str, start: usize) -> Result<Invocation, Diagnostic> {
    let end = code[start..].find('\n').map_or(code.len(), |at| start + at + 1);
    let mut invocation = parse_command(code, start..end, "%%")?;
    let body = &code[end..];
    if let Some(key) = command::raw_body(invocation.command) {
        invocation.values.insert(key.to_owned(), Value::from(body));
        invocation.spans.insert(format!("/{key}"), end..code.len());
    } else if invocation.command.has_body {
        body::parse(body, end, &mut invocation)?;
    } else if let Some((at, line)) = lines(body).find(|(_, line)| !is_filler(line)) {
        return Err(Diagnostic::new("InvalidRequest", format!("`{}` takes no body", invocation.command.name))
            .at(end + at..end + at + line.len())
            .hint(format!("write it as a line of its own: %{}", invocation.command.usage())));
    }
    finish(invocation)
}

fn parse_lines(code: &str) -> Result<Vec<Invocation>, Diagnostic> {
    let mut invocations = Vec::new();
    for (start, line) in lines(code).filter(|(_, line)| !is_filler(line)) {
        let span = start..start + line.len();
        if !line.trim_start().starts_with('%') || line.trim_start().starts_with("%%") {
            return Err(Diagnostic::new("MixedCell", "a cell of % lines holds something else as well")
                .at(span)
                .hint("put Rust code, and each %% command, into a cell of its own"));
        }
        invocations.push(finish(parse_command(code, span, "%")?)?);
    }
    Ok(invocations)
}

fn parse_command(code: &str, line: Range<usize>, prefix: &str) -> Result<Invocation, Diagnostic> {
    let text = code[line.clone()].trim_end();
    let name_start = line.start + text.find(prefix).unwrap_or(0) + prefix.len();
    let rest = &code[name_start..line.start + text.len()];
    let words = words::split(rest, name_start)?;
    let Some((name, arguments)) = words.split_first() else {
        return Err(Diagnostic::new("UnknownCommand", format!("a command's name is missing after {prefix}"))
            .at(line.start..name_start)
            .hint("%help lists the commands"));
    };
    let Some(command) = command::find(&name.text) else {
        return Err(unknown_command(&name.text).at(name.span.clone()));
    };
    let mut invocation = Invocation { command, values: Map::new(), spans: BTreeMap::new(), at: name.span.clone() };
    arguments::parse(arguments, &mut invocation)?;
    Ok(invocation)
}

/// The diagnostic for a command that does not exist, with the nearest that does.
pub fn unknown_command(name: &str) -> Diagnostic {
    let diagnostic = Diagnostic::new("UnknownCommand", format!("there is no command `{name}`"));
    match suggest::nearest(name, command::all().iter().map(|command| command.name)) {
        Some(near) => diagnostic.hint(format!("did you mean `{near}`? %help lists the commands")),
        None => diagnostic.hint("%help lists the commands"),
    }
}

/// Parse `luthier <command> …`: the same arguments, from a shell that has already split them.
pub fn parse_shell_words(command: &'static Command, arguments: &[String]) -> Result<Invocation, Diagnostic> {
    let mut invocation = Invocation { command, values: Map::new(), spans: BTreeMap::new(), at: 0..0 };
    let words: Vec<_> =
        arguments.iter().map(|text| words::Word { text: text.clone(), span: 0..0, quoted: false }).collect();
    arguments::parse(&words, &mut invocation)?;
    Ok(invocation)
}

/// Required keys are there, whoever gave them: argument, flag or body.
pub fn finish(invocation: Invocation) -> Result<Invocation, Diagnostic> {
    let command = invocation.command;
    let missing = command.positionals.iter().filter(|p| p.required).map(|p| p.key);
    let missing = missing.chain(command.keys.iter().filter(|key| key.required).map(|key| key.name));
    let missing: Vec<_> = missing.filter(|key| command.is_missing(key, &invocation.values)).collect();
    let Some(first) = missing.first() else { return Ok(invocation) };
    let list = missing.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    let doc = command.doc_of(first).unwrap_or_default();
    let more = match command.has_body {
        true => format!("%help {} lists all keys", command.name),
        false => format!("usage: {}", command.usage()),
    };
    Err(Diagnostic::new("MissingKey", format!("`{}` needs {list}", command.name))
        .at(invocation.at)
        .hint(format!("`{first}`: {doc}\n{more}")))
}

#[cfg(test)]
mod tests;
