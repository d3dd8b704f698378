//! `%%plan`: memory and time of a `%%finetune`, before it starts.

use luthier_protocol::{Request, Response, spec::FinetuneSpec};

use super::{Command, Names, Positional, ask, finetune, plain_json, spec};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "plan",
    summary: "memory and time of a finetune, before it starts",
    docs: "Takes the recipe of %%finetune. The data is tokenized and the model's configuration read; no weights are loaded. \
           Names the largest micro-batch and the longest sequence that fit.",
    example: "%%plan\nmodel = \"pico\"\ndata = \"shop\"\n[train]\nbatch_size = 16",
    positionals: &[Positional::optional("name", "NAME", Names::Free, "Name of the adapter that would result.")],
    keys: finetune::COMMAND.keys,
    has_body: true,
    lower: |values| ask(Request::Plan(spec::<FinetuneSpec>(values)?)),
    render: |response| match response {
        Response::Planned(plan) => Some(display::plan::plan(plan)),
        _ => None,
    },
    json: plain_json,
};
