//! One definition per command, in a file of its own. From it come the cell magic, the
//! `luthier <command>` subcommand, `%help`, completion and inspect.
//!
//! A command is data plus three functions: `lower` makes the engine's request from parsed values,
//! `render` shows the response to people, `json` gives it to machines. No IO in here.

use luthier_protocol::{Request, Response};
use serde_json::{Map, Value};

use crate::display::MimeBundle;

pub mod generation;
pub mod kind;

pub mod adapters;
pub mod ask;
pub mod attach;
pub mod cancel;
pub mod check;
pub mod dataset;
pub mod datasets;
pub mod detach;
pub mod device;
pub mod evaluate;
pub mod export;
pub mod finetune;
pub mod follow;
pub mod help;
pub mod leaderboard;
pub mod load;
pub mod merge;
pub mod models;
pub mod plan;
pub mod plugin;
pub mod plugins;
pub mod pull;
pub mod push;
pub mod resume;
pub mod review;
pub mod runs;
pub mod show;
pub mod synthesize;

pub use kind::Kind;

/// Everything that is known about a command.
#[derive(Debug)]
pub struct Command {
    /// Its name in cells and on the command line.
    pub name: &'static str,
    /// One line for the list.
    pub summary: &'static str,
    /// Further paragraphs for `%help NAME`.
    pub docs: &'static str,
    /// A cell that works.
    pub example: &'static str,
    /// Values given by position.
    pub positionals: &'static [Positional],
    /// Values given by `--key value`, and in the body if there is one.
    pub keys: &'static [Key],
    /// A TOML body may follow; on the command line it is a recipe file.
    pub has_body: bool,
    /// Values to what is to be done.
    pub lower: fn(&Values) -> Result<Action, Problem>,
    /// The response as people see it.
    pub render: fn(&Response) -> Option<MimeBundle>,
    /// The response as one JSON value.
    pub json: fn(&Response) -> Value,
}

/// Parsed values by key.
pub type Values = Map<String, Value>;

/// What a command comes down to.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Ask the engine.
    Ask(Box<Request>),
    /// Show this; no engine needed.
    Show(MimeBundle),
}

/// A value given by its position after the command's name.
#[derive(Debug)]
pub struct Positional {
    /// The key that it sets.
    pub key: &'static str,
    /// How the usage line calls it.
    pub label: &'static str,
    /// The command cannot do without.
    pub required: bool,
    /// Takes all further words, joined by `separator`.
    pub rest: bool,
    /// See `rest`.
    pub separator: char,
    /// A word that may stand before it: `as`.
    pub keyword: Option<&'static str>,
    /// What names complete here.
    pub names: Names,
    /// One line.
    pub doc: &'static str,
}

/// What a word names, for completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Nothing that is known.
    Free,
    /// A command.
    Commands,
    /// A model.
    Models,
    /// A model or an adapter.
    ModelsAndAdapters,
    /// A dataset.
    Datasets,
    /// A run.
    Runs,
}

/// A value given by name.
#[derive(Debug)]
pub struct Key {
    /// Dotted below a table: `train.learning_rate`.
    pub name: &'static str,
    /// What it accepts.
    pub kind: Kind,
    /// The command cannot do without.
    pub required: bool,
    /// As it would be written; empty if there is none.
    pub default: &'static str,
    /// One line.
    pub doc: &'static str,
}

impl Key {
    /// An optional key.
    pub const fn new(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Key { name, kind, required: false, default, doc }
    }

    /// A key without which nothing goes.
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Key { name, kind, required: true, default: "", doc }
    }
}

impl Positional {
    /// A required word.
    pub const fn required(key: &'static str, label: &'static str, names: Names, doc: &'static str) -> Self {
        Positional { key, label, required: true, rest: false, separator: ' ', keyword: None, names, doc }
    }

    /// A word that may be left out.
    pub const fn optional(key: &'static str, label: &'static str, names: Names, doc: &'static str) -> Self {
        Positional { required: false, ..Positional::required(key, label, names, doc) }
    }
}

/// Why values do not make a request; `pointer` names the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The thing, the expectation, the finding.
    pub message: String,
    /// Advice.
    pub hint: Option<String>,
    /// JSON Pointer of the value to blame; empty for the whole command.
    pub pointer: String,
}

impl Problem {
    /// A problem with one value.
    pub fn at(pointer: &str, message: impl Into<String>) -> Self {
        Problem { message: message.into(), hint: None, pointer: pointer.to_owned() }
    }
}

static COMMANDS: [&Command; 28] = [
    &help::COMMAND,
    &device::COMMAND,
    &models::COMMAND,
    &load::COMMAND,
    &dataset::COMMAND,
    &datasets::COMMAND,
    &synthesize::COMMAND,
    &show::COMMAND,
    &review::COMMAND,
    &plan::COMMAND,
    &finetune::COMMAND,
    &check::COMMAND,
    &ask::COMMAND,
    &evaluate::COMMAND,
    &leaderboard::COMMAND,
    &adapters::COMMAND,
    &attach::COMMAND,
    &detach::COMMAND,
    &merge::COMMAND,
    &export::COMMAND,
    &push::COMMAND,
    &pull::COMMAND,
    &runs::COMMAND,
    &resume::COMMAND,
    &follow::COMMAND,
    &cancel::COMMAND,
    &plugins::COMMAND,
    &plugin::COMMAND,
];

/// The key that the text below a `%%` line becomes, for a command whose body is not TOML.
pub fn raw_body(command: &Command) -> Option<&'static str> {
    (command.name == plugin::COMMAND.name).then_some(plugin::SOURCE)
}

/// All commands, in the order in which people meet them.
pub fn all() -> &'static [&'static Command] {
    &COMMANDS
}

/// The command of that name.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.into_iter().find(|command| command.name == name)
}

impl Command {
    /// `finetune NAME [--key value …]`.
    pub fn usage(&self) -> String {
        let mut usage = self.name.to_owned();
        for place in self.positionals {
            let keyword = place.keyword.map_or(String::new(), |keyword| format!("{keyword} "));
            let dots = if place.rest { " …" } else { "" };
            let word = format!("{keyword}{}{dots}", place.label);
            usage.push_str(&if place.required { format!(" {word}") } else { format!(" [{word}]") });
        }
        for key in self.keys.iter().filter(|_| !self.has_body) {
            usage.push_str(&match key.kind {
                Kind::Switch => format!(" [--{}]", key.name),
                Kind::OptionalText(_) => format!(" [--{} [{}]]", key.name, key.kind.label()),
                _ => format!(" [--{} {}]", key.name, key.kind.label()),
            });
        }
        usage
    }

    /// A required key may be left out where a recipe's file gives it.
    pub fn is_missing(&self, key: &str, values: &Values) -> bool {
        let in_file = self.name == check::COMMAND.name && values.contains_key("name");
        !values.contains_key(key) && !in_file
    }

    /// The doc line of a key or argument.
    pub fn doc_of(&self, key: &str) -> Option<&'static str> {
        let positional = self.positionals.iter().find(|place| place.key == key).map(|place| place.doc);
        positional.or_else(|| self.keys.iter().find(|known| known.name == key).map(|known| known.doc))
    }
}

/// The value of a text key, or the empty string.
pub(crate) fn text(values: &Values, key: &str) -> String {
    values.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The value of a text key, if given.
pub(crate) fn optional_text(values: &Values, key: &str) -> Option<String> {
    values.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// Values as one of the protocol's specs. Kinds were checked before, with better places than serde's.
pub(crate) fn spec<T: serde::de::DeserializeOwned>(values: &Values) -> Result<T, Problem> {
    serde_json::from_value(Value::Object(values.clone())).map_err(|error| Problem::at("", error.to_string()))
}

pub(crate) fn ask(request: Request) -> Result<Action, Problem> {
    Ok(Action::Ask(Box::new(request)))
}

/// The response's own JSON, without the tag.
pub(crate) fn plain_json(response: &Response) -> Value {
    let mut value = serde_json::to_value(response).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.shift_remove("response");
    }
    value
}

#[cfg(test)]
mod tests;
