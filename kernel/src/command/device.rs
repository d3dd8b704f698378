//! `%device`: what the engine runs on.

use luthier_protocol::{Request, Response};

use super::{Command, ask, plain_json};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "device",
    summary: "what the engine runs on",
    docs: "Starts the engine if it does not run. One engine serves all notebooks of an account; it keeps models loaded between cells and ends by itself when idle.",
    example: "%device",
    positionals: &[],
    keys: &[],
    has_body: false,
    lower: |_| ask(Request::Device),
    render: |response| match response {
        Response::Device(device) => Some(display::lists::device(device)),
        _ => None,
    },
    json: plain_json,
};
