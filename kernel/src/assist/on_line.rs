//! Completion on a command's own line: its name, its arguments, its flags.

use super::{Completions, Position, values_of};
use crate::command::{self, Command, Kind, Names};

pub(super) fn complete(position: &Position, names: &dyn Fn(Names) -> Vec<String>) -> Completions {
    let line = position.line_so_far();
    let line_start = position.cursor - line.len();
    let sign = line.len() - line.trim_start().trim_start_matches('%').len();
    let words = &line[sign..];
    let Some(name_end) = words.find(char::is_whitespace) else {
        // Still in the command's name.
        let block = line.trim_start().starts_with("%%");
        let fits =
            command::all().iter().filter(|command| command.name.starts_with(words) && (!block || command.has_body));
        return found(line_start + sign, position, fits.map(|command| command.name.to_owned()).collect());
    };
    let Some(command) = command::find(&words[..name_end]) else { return found(position.cursor, position, Vec::new()) };
    let start = line.rfind(char::is_whitespace).map_or(sign, |at| at + 1);
    let word = &line[start..];
    let before: Vec<&str> = line[sign + name_end..start].split_whitespace().collect();
    let candidates = candidates(command, &before, word, names);
    found(
        line_start + start,
        position,
        candidates.into_iter().filter(|candidate| candidate.starts_with(word)).collect(),
    )
}

fn candidates(
    command: &'static Command,
    before: &[&str],
    word: &str,
    names: &dyn Fn(Names) -> Vec<String>,
) -> Vec<String> {
    if word.starts_with('-') {
        return command.keys.iter().map(|key| format!("--{}", key.name)).collect();
    }
    if let Some(flag) = before.last().and_then(|last| last.strip_prefix("--")) {
        let key = command.keys.iter().find(|key| key.name == flag.replace('-', "_"));
        if let Some(key) = key.filter(|key| key.kind != Kind::Switch) {
            return values_of(key, names);
        }
    }
    let given = before.iter().filter(|word| !word.starts_with("--")).count();
    command.positionals.get(given).map(|place| names(place.names)).unwrap_or_default()
}

fn found(start: usize, position: &Position, matches: Vec<String>) -> Completions {
    Completions { start, end: position.cursor, matches }
}
