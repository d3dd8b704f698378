//! `%push NAME to ORG/NAME`: an adapter, model or dataset on the Hugging Face hub.

use luthier_protocol::{Request, Response, spec::HubSpec};

use super::{Command, Key, Kind, Names, Positional, ask, plain_json, spec};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "push",
    summary: "put an adapter, model or dataset on the Hugging Face hub",
    docs: "The repository is made if it is missing, visible to its owner only unless --public. All files go up as one \
           commit; large ones that the hub has already are not sent again. The token is read from HF_TOKEN or from the \
           file that Python's `hf auth login` writes, and is never shown. A dataset goes up as one Parquet file.",
    example: "%push shop-sql to me/shop-sql",
    positionals: &[
        Positional::required("source", "NAME", Names::ModelsAndAdapters, "An adapter, model, dataset or directory."),
        Positional {
            keyword: Some("to"),
            ..Positional::required("target", "ORG/NAME", Names::Free, "The repository, as org/name or org/name@branch.")
        },
    ],
    keys: &[
        Key::new("dataset", Kind::Switch, "false", "NAME is a dataset."),
        Key::new("public", Kind::Switch, "false", "A new repository is visible to everybody."),
        Key::new("message", Kind::Text, "", "The commit's message."),
    ],
    has_body: false,
    lower: |values| ask(Request::Push(spec::<HubSpec>(values)?)),
    render: |response| match response {
        Response::Pushed(pushed) => Some(display::exported::pushed(pushed)),
        _ => None,
    },
    json: plain_json,
};
