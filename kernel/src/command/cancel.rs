//! `%cancel RUN`: pause a running run.

use luthier_protocol::{Request, Response};

use super::{Command, Names, Positional, ask, plain_json, text};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "cancel",
    summary: "pause a running run with a checkpoint",
    docs: "%resume RUN goes on with it.",
    example: "%cancel shop-sql",
    positionals: &[Positional::required("run", "RUN", Names::Runs, "Id or name of the run; %runs lists them.")],
    keys: &[],
    has_body: false,
    lower: |values| ask(Request::CancelRun { run: text(values, "run") }),
    render: |response| match response {
        Response::Finetuned(report) => Some(display::finetune::report(report)),
        Response::Runs { runs } => Some(display::lists::runs(runs)),
        _ => None,
    },
    json: plain_json,
};
