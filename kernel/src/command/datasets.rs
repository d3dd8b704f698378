//! `%datasets`: datasets of the project.

use luthier_protocol::{Request, Response};

use super::{Command, ask, plain_json};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "datasets",
    summary: "datasets of this project",
    docs: "",
    example: "%datasets",
    positionals: &[],
    keys: &[],
    has_body: false,
    lower: |_| ask(Request::Datasets),
    render: |response| match response {
        Response::Datasets { datasets } => Some(display::dataset::list(datasets)),
        _ => None,
    },
    json: plain_json,
};
