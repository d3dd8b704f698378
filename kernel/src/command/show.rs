//! `%show NAME`: rows of a dataset, or its tokens and the loss mask.

use luthier_protocol::{Request, Response};
use serde_json::Value;

use super::{Action, Command, Key, Kind, Names, Positional, Problem, Values, ask, optional_text, plain_json, text};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "show",
    summary: "look at a dataset's rows, or at its tokens and the loss mask",
    docs: "With --tokens each row is shown exactly as training sees it: rendered, tokenized, and marked where the \
           loss looks. --tokens MODEL takes that model's tokenizer.",
    example: "%show shop --tokens --limit 2",
    positionals: &[Positional::required("data", "NAME", Names::Datasets, "The dataset, or a file.")],
    keys: &[
        Key::new("split", Kind::Text, "", "Only this split."),
        Key::new("limit", Kind::Count, "5", "Rows to show."),
        Key::new("tokens", Kind::OptionalText("pico"), "", "Show tokens and the loss mask, under this model."),
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
    let tokens_of = optional_text(values, "tokens");
    // Token views are long: two rows say it all.
    let default_limit = if tokens_of.is_some() { 2 } else { 5 };
    let limit = values.get("limit").and_then(Value::as_u64).unwrap_or(default_limit);
    ask(Request::Show {
        data: text(values, "data"),
        split: optional_text(values, "split"),
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
        tokens_of,
    })
}
