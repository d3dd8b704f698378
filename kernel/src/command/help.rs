//! `%help`: the commands, or one of them.

use luthier_protocol::Response;
use serde_json::Value;

use super::{Action, Command, Names, Positional, Problem, Values, optional_text};
use crate::{cell::unknown_command, display};

/// The definition.
pub static COMMAND: Command = Command {
    name: "help",
    summary: "list the commands, or explain one",
    docs: "",
    example: "%help finetune",
    positionals: &[Positional::optional("command", "COMMAND", Names::Commands, "The command to explain.")],
    keys: &[],
    has_body: false,
    lower,
    render: |_| None,
    json: |_: &Response| Value::Null,
};

fn lower(values: &Values) -> Result<Action, Problem> {
    let Some(name) = optional_text(values, "command") else {
        return Ok(Action::Show(display::help::overview(super::all())));
    };
    match super::find(name.trim_start_matches('%')) {
        Some(command) => Ok(Action::Show(display::help::command(command))),
        None => {
            let diagnostic = unknown_command(&name);
            Err(Problem { hint: diagnostic.hint, ..Problem::at("/command", diagnostic.message) })
        }
    }
}
