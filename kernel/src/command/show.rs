//! `%show NAME`: rows of a dataset, its tokens and the loss mask, lengths, and what the lint finds.

use luthier_protocol::{
    Request, Response,
    spec::{LossOn, ShowSpec},
};
use serde_json::Value;

use super::{Action, Command, Key, Kind, Names, Positional, Problem, Values, ask, optional_text, plain_json, text};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "show",
    summary: "look at a dataset's rows, its tokens and the loss mask, its lengths, or what is wrong with it",
    docs: "With --tokens each row is shown exactly as training sees it: rendered, tokenized, and marked where the \
           loss looks. --lengths tells how many tokens all rows have. --lint says what %%finetune would refuse or \
           warn about. Each takes the model whose tokenizer and template count.",
    example: "%show shop --tokens --limit 2",
    positionals: &[Positional::required("data", "NAME", Names::Datasets, "The dataset, or a file.")],
    keys: &[
        Key::new("split", Kind::Text, "", "Only this split."),
        Key::new("limit", Kind::Count, "5", "Rows to show."),
        Key::new("tokens", Kind::OptionalText("pico"), "", "Show tokens and the loss mask, under this model."),
        Key::new("lengths", Kind::OptionalText("pico"), "", "Show lengths in tokens, under this model."),
        Key::new("lint", Kind::OptionalText("pico"), "", "Show what the data lint finds, under this model."),
        Key::new(
            "loss_on",
            Kind::Choice(&["completion", "assistant", "last-turn", "all"]),
            "completion",
            "Which tokens the loss would see.",
        ),
    ],
    has_body: false,
    lower,
    render: |response| match response {
        Response::Shown(shown) => Some(display::shown::shown(shown)),
        _ => None,
    },
    json: plain_json,
};

fn lower(values: &Values) -> Result<Action, Problem> {
    let of = |key: &str| optional_text(values, key);
    let (tokens_of, lengths_of, lint_of) = (of("tokens"), of("lengths"), of("lint"));
    // Token views are long: two rows say it all. The others are about all rows.
    let default_limit = match (&tokens_of, &lengths_of, &lint_of) {
        (Some(_), ..) => 2,
        (None, None, None) => 5,
        _ => 0,
    };
    let limit = values.get("limit").and_then(Value::as_u64).unwrap_or(default_limit);
    let loss_on = match of("loss_on").as_deref() {
        Some("assistant") => LossOn::Assistant,
        Some("last-turn") => LossOn::LastTurn,
        Some("all") => LossOn::All,
        _ => LossOn::Completion,
    };
    ask(Request::Show(ShowSpec {
        data: text(values, "data"),
        split: of("split"),
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
        tokens_of,
        lengths_of,
        lint_of,
        loss_on,
    }))
}
