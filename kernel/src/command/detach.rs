//! `%detach [ADAPTER]`: give up adapters that are kept in memory.

use luthier_protocol::{Request, Response};

use super::{Command, Names, Positional, ask, optional_text, plain_json};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "detach",
    summary: "give up an adapter that %attach keeps in memory",
    docs: "Without a name, all of them. Files stay where they are.",
    example: "%detach shop-sql",
    positionals: &[Positional::optional("adapter", "ADAPTER", Names::ModelsAndAdapters, "An attached adapter.")],
    keys: &[],
    has_body: false,
    lower: |values| ask(Request::Detach { adapter: optional_text(values, "adapter") }),
    render: |response| match response {
        Response::Adapters { adapters } => Some(display::lists::attached(adapters)),
        _ => None,
    },
    json: plain_json,
};
