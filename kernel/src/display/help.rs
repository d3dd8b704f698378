//! `%help`, from the same definitions that parse.

use super::{MimeBundle, Table, html, text};
use crate::command::{Command, Key, Kind};

/// All commands.
pub fn overview(commands: &[&'static Command]) -> MimeBundle {
    let mut table = Table::new(["command", "does"]);
    for command in commands {
        let sign = if command.has_body { "%%" } else { "%" };
        table.row([format!("{sign}{}", command.usage()), command.summary.to_owned()]);
    }
    let after = "%help COMMAND explains one. A %% cell takes its settings as TOML below the first line. Every command \
                 is also `luthier COMMAND` in a shell. Any other cell is Rust: `use luthier::prelude::*;`";
    MimeBundle::text(format!("{}\n\n{}", table.to_text(), text::wrap(after, 90, ""))).html(format!(
        "{}{}",
        table.to_html(),
        html::faint(after)
    ))
}

/// One command.
pub fn command(command: &Command) -> MimeBundle {
    let sign = if command.has_body { "%%" } else { "%" };
    let usage = format!("{sign}{}", command.usage());
    let table = keys(command);
    let mut plain = format!("{usage}\n\n{}", text::wrap(&format!("{}.", command.summary), 90, ""));
    let mut rich = format!(
        "<div style=\"margin:.4em 0\"><code>{}</code></div><p>{}.</p>",
        html::escape(&usage),
        html::escape(command.summary)
    );
    if !command.docs.is_empty() {
        plain.push_str(&format!("\n\n{}", text::wrap(command.docs, 90, "")));
        rich.push_str(&format!("<p>{}</p>", html::escape(command.docs)));
    }
    if !table.is_empty() {
        plain.push_str(&format!("\n\n{}", table.to_text()));
        rich.push_str(&table.to_html());
    }
    let example: String = command.example.lines().map(|line| format!("\n    {line}")).collect();
    plain.push_str(&format!("\n\nexample:\n{example}"));
    rich.push_str(&format!("<div style=\"margin-top:.5em\">example</div>{}", html::pre(command.example)));
    MimeBundle::text(plain).html(rich)
}

/// One key of a command.
pub fn key(command: &Command, key: &Key) -> MimeBundle {
    let default = match (key.required, key.default) {
        (true, _) => "required".to_owned(),
        (false, "") => "optional".to_owned(),
        (false, default) => format!("default {default}"),
    };
    let line = format!("{} (key of {}): {}, {default}", key.name, command.name, key.kind.expects());
    MimeBundle::text(format!("{line}\n{}", key.doc)).html(format!(
        "<div><code>{}</code></div><p>{}</p>",
        html::escape(&line),
        html::escape(key.doc)
    ))
}

fn keys(command: &Command) -> Table {
    let mut table = Table::new(["key", "default", "what it is"]);
    for place in command.positionals {
        table.row([place.label.to_owned(), required(place.required), place.doc.to_owned()]);
    }
    for key in command.keys {
        let name = if command.has_body { key.name.to_owned() } else { format!("--{}", key.name) };
        let default = if key.required { required(true) } else { key.default.to_owned() };
        let choices = match key.kind {
            Kind::Choice(_) => format!(" {}.", capitalized(&key.kind.expects())),
            _ => String::new(),
        };
        table.row([name, default, format!("{}{choices}", key.doc)]);
    }
    table
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}

fn required(required: bool) -> String {
    if required { "required".into() } else { String::new() }
}
