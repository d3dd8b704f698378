//! `%models`: models that can be named.

use luthier_protocol::{Request, Response};

use super::{Command, ask, plain_json};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "models",
    summary: "models that can be named",
    docs: "Built-in models and those loaded from a directory. Any directory with config.json, model.safetensors and tokenizer.json can be named in their place.",
    example: "%models",
    positionals: &[],
    keys: &[],
    has_body: false,
    lower: |_| ask(Request::Models),
    render: |response| match response {
        Response::Models { models } => Some(display::lists::models(models)),
        _ => None,
    },
    json: plain_json,
};
