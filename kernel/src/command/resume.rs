//! `%resume RUN`: go on with a run.

use luthier_protocol::{Request, Response};

use super::{Command, Names, Positional, ask, finetune::report_json, text};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "resume",
    summary: "go on with a paused, failed or broken run",
    docs: "Training continues from the last checkpoint, and ends with the same adapter as if it had never stopped.",
    example: "%resume shop-sql",
    positionals: &[Positional::required("run", "RUN", Names::Runs, "Id or name of the run; %runs lists them.")],
    keys: &[],
    has_body: false,
    lower: |values| ask(Request::Resume { run: text(values, "run") }),
    render: |response| match response {
        Response::Finetuned(report) => Some(display::finetune::report(report)),

        _ => None,
    },
    json: report_json,
};
