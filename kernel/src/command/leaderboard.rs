//! `%leaderboard`: every score of the project.

use luthier_protocol::{Request, Response};

use super::{Command, ask, plain_json};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "leaderboard",
    summary: "all scores of this project, best first",
    docs: "Rows are comparable when data and metric agree; the signature under the table names everything that a score depends on.",
    example: "%leaderboard",
    positionals: &[],
    keys: &[],
    has_body: false,
    lower: |_| ask(Request::Leaderboard),
    render: |response| match response {
        Response::Leaderboard { rows } => Some(display::scores::leaderboard(rows)),
        _ => None,
    },
    json: plain_json,
};
