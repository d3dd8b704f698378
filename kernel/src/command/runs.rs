//! `%runs`: training runs; `%runs show A`: one of them; `%runs diff A B`: two side by side.

use luthier_protocol::{Request, Response};

use super::{Action, Command, Names, Positional, Problem, Values, ask, optional_text, plain_json, text};
use crate::cell::suggest;
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "runs",
    summary: "training runs; one in detail, or two side by side",
    docs: "A run survives its cell: one that was interrupted, or whose engine died, goes on with %resume RUN. \
           %runs show RUN lists everything that is on record of a run: settings, hashes of data, tokenizer, \
           template and base, versions, processor, results. %runs diff A B shows what differs between two, with \
           their results side by side.",
    example: "%runs",
    positionals: &[
        Positional::optional("action", "show|diff", Names::Free, "`show` one run, or `diff` two."),
        Positional::optional("run", "RUN", Names::Runs, "A run's id."),
        Positional::optional("against", "RUN", Names::Runs, "The run to compare with."),
    ],
    keys: &[],
    has_body: false,
    lower,
    render: |response| match response {
        Response::Runs { runs } => Some(display::lists::runs(runs)),
        Response::RunRecord(details) => Some(display::records::details(details)),
        Response::RunDiff(diff) => Some(display::records::diff(diff)),
        _ => None,
    },
    json: plain_json,
};

fn lower(values: &Values) -> Result<Action, Problem> {
    let needs = |key: &str, what: &str| {
        let found = optional_text(values, key);
        found.ok_or_else(|| Problem { hint: Some("%runs lists them".into()), ..Problem::at("/action", what) })
    };
    match text(values, "action").as_str() {
        "" => ask(Request::Runs),
        "show" => {
            let run = needs("run", "`runs show` needs a run")?;
            match optional_text(values, "against") {
                Some(_) => Err(Problem::at("/against", "`runs show` takes one run; `runs diff` takes two")),
                None => ask(Request::RunRecord { run }),
            }
        }
        "diff" => {
            let run = needs("run", "`runs diff` needs two runs")?;
            let against = needs("against", "`runs diff` needs two runs")?;
            ask(Request::RunDiff { run, against })
        }
        other => Err(Problem {
            hint: suggest::nearest(other, ["show", "diff"]).map(|near| format!("did you mean `{near}`?")),
            ..Problem::at("/action", format!("`runs` has no `{other}`: it is `show RUN` or `diff A B`"))
        }),
    }
}
