//! `%plugins`: plugins and their permissions.

use luthier_protocol::{Request, Response};

use super::{Command, ask, plain_json};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "plugins",
    summary: "plugins, and what each may do",
    docs: "A plugin is a WebAssembly component; what it imports is all that it can do.",
    example: "%plugins",
    positionals: &[],
    keys: &[],
    has_body: false,
    lower: |_| ask(Request::Plugins),
    render: |response| match response {
        Response::Plugins { plugins } => Some(display::lists::plugins(plugins)),
        _ => None,
    },
    json: plain_json,
};
