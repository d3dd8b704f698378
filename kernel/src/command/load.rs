//! `%load MODEL [as NAME]`: load a model and keep it.

use luthier_protocol::{Request, Response};

use serde_json::Value;

use super::{Command, Key, Kind, Names, Positional, ask, optional_text, plain_json, text};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "load",
    summary: "load a model and keep it in the engine",
    docs: "MODEL is `pico` (built in), a directory with config.json, model.safetensors and tokenizer.json, or a model \
           or adapter of the Hugging Face hub as org/name or org/name@revision. From the hub only configuration, \
           tokenizer and safetensors are downloaded, into the cache that Python's client uses too; what was begun \
           goes on where it stopped. The commit is recorded with everything that is trained on it. Other commands \
           load what they need by themselves; `load` shows what a model is, asks the hub whether a branch has moved, \
           and gives the model a short name. Environment: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, \
           HF_HUB_OFFLINE or LUTHIER_OFFLINE (never ask the network).",
    example: "%load pico",
    positionals: &[
        Positional::required("model", "MODEL", Names::Models, "A built-in name, a directory, or a hub id."),
        Positional {
            keyword: Some("as"),
            ..Positional::optional("name", "NAME", Names::Free, "A short name for other commands.")
        },
    ],
    keys: &[Key::new(
        "accept_base",
        Kind::Switch,
        "false",
        "Use an adapter on this base from now on, though it was trained on other weights.",
    )],
    has_body: false,
    lower: |values| {
        ask(Request::Load {
            model: text(values, "model"),
            name: optional_text(values, "name"),
            accept_base: values.get("accept_base").and_then(Value::as_bool).unwrap_or_default(),
        })
    },
    render: |response| match response {
        Response::Loaded(model) => Some(display::lists::loaded(model)),
        _ => None,
    },
    json: plain_json,
};
