//! `%attach ADAPTER …`: keep adapters in memory, or combine several into one.

use luthier_protocol::spec::AttachSpec;
use luthier_protocol::{Request, Response};
use serde_json::Value;

use super::{Action, Command, Key, Kind, Names, Positional, Problem, Values, ask, plain_json, spec, text};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "attach",
    summary: "keep adapters in memory, or combine several into one",
    docs: "Adapters on one base share its weights; `ask` and `evaluate` choose one by name. With --name, the weighted \
           combination of LoRA adapters becomes an adapter of its own: `cat` is exactly the weighted sum (ranks add \
           up), `linear` is near it and keeps the rank. Shows what is in memory; %detach gives it up.",
    example: "%attach shop-sql other-sql --weights 0.7,0.3 --name both",
    positionals: &[Positional {
        rest: true,
        ..Positional::required("adapters", "ADAPTER", Names::ModelsAndAdapters, "Adapters on one base model.")
    }],
    keys: &[
        Key::new("weights", Kind::Text, "", "Weight of each in the combination, by commas; 1 if absent."),
        Key::new("combination", Kind::Choice(&["cat", "linear"]), "cat", "How they are combined."),
        Key::new("name", Kind::Text, "", "Name of the combination."),
        Key::new("overwrite", Kind::Switch, "false", "Replace an adapter of that name."),
    ],
    has_body: false,
    lower,
    render: |response| match response {
        Response::Adapters { adapters } => Some(display::lists::attached(adapters)),
        _ => None,
    },
    json: plain_json,
};

fn lower(values: &Values) -> Result<Action, Problem> {
    let mut values = values.clone();
    let adapters: Vec<Value> = text(&values, "adapters").split_whitespace().map(Value::from).collect();
    values.insert("adapters".into(), adapters.into());
    if values.contains_key("weights") {
        let weights = text(&values, "weights");
        let numbers: Option<Vec<f64>> = weights.split(',').map(|word| word.trim().parse().ok()).collect();
        let Some(numbers) = numbers else {
            return Err(Problem::at("/weights", format!("weights are {weights:?}, expected numbers as 0.7,0.3")));
        };
        values.insert("weights".into(), numbers.into());
    }
    ask(Request::Attach(spec::<AttachSpec>(&values)?))
}
