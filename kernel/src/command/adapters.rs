//! `%adapters`: trained adapters.

use luthier_protocol::{Request, Response};

use super::{Command, ask, plain_json};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "adapters",
    summary: "adapters trained in this project",
    docs: "An adapter can be named wherever a model can. Its directory is in the format of PEFT.",
    example: "%adapters",
    positionals: &[],
    keys: &[],
    has_body: false,
    lower: |_| ask(Request::Adapters),
    render: |response| match response {
        Response::Adapters { adapters } => Some(display::lists::adapters(adapters)),
        _ => None,
    },
    json: plain_json,
};
