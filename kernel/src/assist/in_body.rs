//! Completion in a TOML body: tables, keys and the values of closed sets.

use super::{Completions, Position, keys_below, values_of};
use crate::command::{Command, Names};

pub(super) fn complete(
    position: &Position,
    command: &'static Command,
    names: &dyn Fn(Names) -> Vec<String>,
) -> Completions {
    let line = position.line_so_far();
    let (start, _) = position.word();
    let typed = &position.code[start..position.cursor];
    let body_so_far = &position.code[..position.cursor - line.len()];
    let section = section(body_so_far);
    let candidates = if line.trim_start().starts_with('[') && !line.contains('=') {
        tables(command)
    } else if let Some((key, value)) = line.split_once('=') {
        values(command, &section, key.trim(), value, names)
    } else {
        keys(command, &section)
    };
    let matches =
        candidates.into_iter().filter(|candidate| candidate.trim_start_matches('"').starts_with(typed)).collect();
    Completions { start, end: position.cursor, matches }
}

/// The `[table]` that a text ends in; empty above the first.
pub(super) fn section(text: &str) -> String {
    let header = text.lines().rev().find_map(|line| line.trim().strip_prefix('[')?.split(']').next());
    header.map(|header| header.trim_matches('[').trim().to_owned()).unwrap_or_default()
}

fn tables(command: &'static Command) -> Vec<String> {
    let mut tables: Vec<String> = Vec::new();
    for (table, _) in command.keys.iter().filter_map(|key| key.name.split_once('.')) {
        if !tables.iter().any(|known| known == table) {
            tables.push(table.to_owned());
        }
    }
    tables
}

fn keys(command: &'static Command, section: &str) -> Vec<String> {
    let prefix = if section.is_empty() { String::new() } else { format!("{section}.") };
    keys_below(command, &prefix).map(|(name, _)| name.to_owned()).collect()
}

/// With an opening quote if none is there yet.
fn values(
    command: &'static Command,
    section: &str,
    key: &str,
    so_far: &str,
    names: &dyn Fn(Names) -> Vec<String>,
) -> Vec<String> {
    let full = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
    let Some(key) = command.keys.iter().find(|known| known.name == full) else { return Vec::new() };
    let values = values_of(key, names);
    let bare = matches!(key.kind, crate::command::Kind::Switch) || so_far.contains('"');
    if bare { values } else { values.into_iter().map(|value| format!("\"{value}\"")).collect() }
}
