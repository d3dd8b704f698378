//! `%check training RECIPE`: the training invariances on a recipe's own model and data.

use luthier_protocol::{Request, Response, spec::FinetuneSpec};

use super::{
    Action, Command, Names, Positional, Problem, Values, ask, finetune, optional_text, plain_json, spec, text,
};
use crate::cell::suggest;
use crate::display;

/// What can be checked.
const WHAT: &str = "training";

/// The definition.
pub static COMMAND: Command = Command {
    name: "check",
    summary: "measure the invariances of training on a recipe's own data",
    docs: "Runs a few steps on a few rows of a recipe's own model and data, cut up in different ways, and compares: \
           gradient accumulation, packing, row order and neighbors, evaluation batch size, the same seed twice, stop \
           and resume, 1, 2 and 3 threads. Each line has the difference measured and the difference allowed. On the \
           command line the exit code is 1 if one is too large.",
    example: "%%check training\nmodel = \"pico\"\ndata = \"shop\"",
    positionals: &[
        Positional::required("what", WHAT, Names::Free, "What is checked: `training`."),
        Positional::optional("name", "RECIPE", Names::Free, "A recipe's file, as `luthier finetune` takes it."),
    ],
    keys: finetune::KEYS,
    has_body: true,
    lower,
    render: |response| match response {
        Response::TrainingChecked(check) => Some(display::check::training(check)),
        _ => None,
    },
    json: plain_json,
};

fn lower(values: &Values) -> Result<Action, Problem> {
    let what = text(values, "what");
    if what != WHAT {
        let near = suggest::nearest(&what, [WHAT]).map(|near| format!("did you mean `{near}`?"));
        let message = format!("`check` knows `{WHAT}`, not `{what}`");
        return Err(Problem { hint: near, ..Problem::at("/what", message) });
    }
    let mut values = values.clone();
    values.shift_remove("what");
    if values.contains_key("model") || values.contains_key("data") {
        let spec = Some(Box::new(spec::<FinetuneSpec>(&values)?));
        return ask(Request::CheckTraining { spec, recipe: None });
    }
    ask(Request::CheckTraining { spec: None, recipe: optional_text(&values, "name") })
}
