//! `%load MODEL [as NAME]`: load a model and keep it.

use luthier_protocol::{Request, Response};

use super::{Command, Names, Positional, ask, optional_text, plain_json, text};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "load",
    summary: "load a model and keep it in the engine",
    docs: "MODEL is `pico` (built in) or a directory with config.json, model.safetensors and tokenizer.json. Other \
           commands load what they need by themselves; `load` shows what a model is, and gives it a short name.",
    example: "%load pico",
    positionals: &[
        Positional::required("model", "MODEL", Names::Models, "A built-in name or a directory."),
        Positional {
            keyword: Some("as"),
            ..Positional::optional("name", "NAME", Names::Free, "A short name for other commands.")
        },
    ],
    keys: &[],
    has_body: false,
    lower: |values| ask(Request::Load { model: text(values, "model"), name: optional_text(values, "name") }),
    render: |response| match response {
        Response::Loaded(model) => Some(display::lists::loaded(model)),
        _ => None,
    },
    json: plain_json,
};
