//! `%runs`: training runs.

use luthier_protocol::{Request, Response};

use super::{Command, ask, plain_json};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "runs",
    summary: "training runs of this project",
    docs: "A run survives its cell: one that was interrupted, or whose engine died, goes on with %resume RUN.",
    example: "%runs",
    positionals: &[],
    keys: &[],
    has_body: false,
    lower: |_| ask(Request::Runs),
    render: |response| match response {
        Response::Runs { runs } => Some(display::lists::runs(runs)),
        _ => None,
    },
    json: plain_json,
};
