//! `%follow RUN`: watch a running run.

use luthier_protocol::{Request, Response};

use super::{Command, Names, Positional, ask, finetune::report_json, text};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "follow",
    summary: "watch a run that goes on in the engine",
    docs: "A run goes on when its notebook is closed or its kernel restarted. Interrupting this cell pauses the run with a checkpoint.",
    example: "%follow shop-sql",
    positionals: &[Positional::required("run", "RUN", Names::Runs, "Id or name of the run; %runs lists them.")],
    keys: &[],
    has_body: false,
    lower: |values| ask(Request::Follow { run: text(values, "run") }),
    render: |response| match response {
        Response::Finetuned(report) => Some(display::finetune::report(report)),
        Response::Runs { runs } => Some(display::lists::runs(runs)),
        _ => None,
    },
    json: report_json,
};
