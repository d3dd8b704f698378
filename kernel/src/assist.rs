//! Completion, inspection and the question whether a cell is finished: for command cells from the
//! commands' own definitions, for Rust cells from the evaluator. Answered while a cell runs.

use crate::{
    cell,
    command::{self, Command, Key, Kind, Names},
    display::{self, MimeBundle},
    rust_cell::{self, RustCells},
};

mod in_body;
mod on_line;

pub use rust_cell::Completeness;

/// A cell and a place in it.
#[derive(Debug, Clone)]
pub struct Position {
    code: String,
    cursor: usize,
}

impl Position {
    /// `characters` is Jupyter's `cursor_pos`, counted in code points; the end of the cell if absent.
    pub fn new(code: String, characters: Option<usize>) -> Self {
        let cursor = match characters {
            Some(n) => code.char_indices().nth(n).map_or(code.len(), |(at, _)| at),
            None => code.len(),
        };
        Position { code, cursor }
    }

    /// Code points before a byte offset.
    pub fn characters_before(&self, byte: usize) -> usize {
        self.code.get(..byte).unwrap_or(&self.code).chars().count()
    }

    /// The line up to the cursor.
    fn line_so_far(&self) -> &str {
        let before = &self.code[..self.cursor];
        before.rsplit('\n').next().unwrap_or(before)
    }

    /// The command of a `%%` cell, and the line that the cursor is on if it is below the first.
    fn block_command(&self) -> Option<&'static Command> {
        let first = self.code.lines().find(|line| !line.trim().is_empty())?;
        let name = first.trim_start().strip_prefix("%%")?.split_whitespace().next()?;
        command::find(name)
    }

    fn is_command_line(&self) -> bool {
        self.line_so_far().trim_start().starts_with('%')
    }

    /// Start and end of the word around the cursor.
    fn word(&self) -> (usize, usize) {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let before = &self.code[..self.cursor];
        let start =
            before.char_indices().rev().take_while(|(_, c)| is_word(*c)).last().map_or(self.cursor, |(at, _)| at);
        let after: usize = self.code[self.cursor..].chars().take_while(|c| is_word(*c)).map(char::len_utf8).sum();
        (start, self.cursor + after)
    }
}

/// What could stand at the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Completions {
    /// Byte offset where the text to replace starts.
    pub start: usize,
    /// Byte offset where it ends.
    pub end: usize,
    /// Candidates, best first.
    pub matches: Vec<String>,
}

/// Completions at a position. `names` lists the models, datasets and runs that exist.
pub fn complete(position: &Position, rust: Option<&RustCells>, names: &dyn Fn(Names) -> Vec<String>) -> Completions {
    if position.is_command_line() {
        return on_line::complete(position, names);
    }
    if let Some(command) = position.block_command() {
        return in_body::complete(position, command, names);
    }
    match rust.and_then(|rust| rust.complete(&position.code, position.cursor)) {
        Some(found) => Completions { start: found.start, end: found.end, matches: found.matches },
        None => Completions { start: position.cursor, end: position.cursor, matches: Vec::new() },
    }
}

/// What the word at the cursor means.
pub fn inspect(position: &Position, rust: Option<&RustCells>) -> Option<MimeBundle> {
    let (start, end) = position.word();
    let word = &position.code[start..end];
    let command_cell = position.is_command_line() || position.block_command().is_some();
    if !command_cell {
        return rust.and_then(|rust| rust.inspect(&position.code, position.cursor)).map(MimeBundle::text);
    }
    if let Some(command) = command::find(word) {
        return Some(display::help::command(command));
    }
    let command = position.block_command().or_else(|| line_command(position.line_so_far()))?;
    let name = word.trim_start_matches('-').replace('-', "_");
    let section = in_body::section(&position.code[..start]);
    let full = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
    let known = |wanted: &str| command.keys.iter().find(|key| key.name == wanted);
    let key = known(&full).or_else(|| command.keys.iter().find(|key| key.name.rsplit('.').next() == Some(&name)));
    key.map_or_else(|| Some(display::help::command(command)), |key| Some(display::help::key(command, key)))
}

fn line_command(line: &str) -> Option<&'static Command> {
    command::find(line.trim_start().trim_start_matches('%').split_whitespace().next()?)
}

/// Whether Enter should run the cell. A `%%` cell goes on until a blank line, as in IPython, because
/// every line of it is a complete TOML document by itself.
pub fn is_complete(code: &str) -> Completeness {
    let Some(first) = code.lines().find(|line| !line.trim().is_empty()) else {
        return Completeness::Complete;
    };
    if !first.trim_start().starts_with('%') {
        return rust_cell::is_complete(code);
    }
    let has_body = first.trim_start().strip_prefix("%%").is_some_and(|rest| {
        rest.split_whitespace().next().and_then(command::find).is_none_or(|command| command.has_body)
    });
    let ended = code.ends_with('\n') && code.lines().last().is_some_and(|line| line.trim().is_empty());
    match cell::parse(code) {
        _ if has_body && !ended => Completeness::Incomplete,
        Ok(_) => Completeness::Complete,
        Err(error) if error.ename == "TomlError" => Completeness::Incomplete,
        Err(_) => Completeness::Invalid,
    }
}

/// Keys and tables below a prefix, as they would be written there.
fn keys_below<'a>(
    command: &'static Command,
    prefix: &'a str,
) -> impl Iterator<Item = (&'static str, &'static Key)> + 'a {
    command.keys.iter().filter_map(move |key| {
        let rest = key.name.strip_prefix(prefix)?;
        (!rest.contains('.')).then_some((rest, key))
    })
}

/// Values that a key can take, as text without quotes.
fn values_of(key: &Key, names: &dyn Fn(Names) -> Vec<String>) -> Vec<String> {
    match (key.kind, key.name) {
        (Kind::Choice(words), _) => words.iter().map(|word| (*word).to_owned()).collect(),
        (Kind::Switch, _) => vec!["true".into(), "false".into()],
        (_, "model") => names(Names::ModelsAndAdapters),
        (_, "models") => names(Names::ModelsAndAdapters),
        (_, "data") => names(Names::Datasets),
        (_, "tokens") => names(Names::Models),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
