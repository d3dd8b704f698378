//! `%pull ORG/NAME as NAME`: an adapter, model or dataset of the Hugging Face hub into the project.

use luthier_protocol::{Request, Response, spec::HubSpec};

use super::{Command, Key, Kind, Names, Positional, ask, plain_json, spec};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "pull",
    summary: "get an adapter, model or dataset of the Hugging Face hub into this project",
    docs: "An adapter becomes one of the project's own; a model gets a name here and stays in the hub's cache, pinned \
           to its commit; a dataset (--dataset) is imported from its Parquet, JSONL, JSON, CSV or Arrow file.",
    example: "%pull me/shop-sql as shop-sql",
    positionals: &[
        Positional::required("source", "ORG/NAME", Names::Free, "The repository, as org/name or org/name@revision."),
        Positional {
            keyword: Some("as"),
            ..Positional::optional("target", "NAME", Names::Free, "Its name here; the repository's if absent.")
        },
    ],
    keys: &[
        Key::new("dataset", Kind::Switch, "false", "It is a dataset."),
        Key::new("overwrite", Kind::Switch, "false", "Replace what has the same name."),
    ],
    has_body: false,
    lower: |values| ask(Request::Pull(spec::<HubSpec>(values)?)),
    render: |response| match response {
        Response::Pulled(pulled) => Some(display::exported::pulled(pulled)),
        _ => None,
    },
    json: plain_json,
};
