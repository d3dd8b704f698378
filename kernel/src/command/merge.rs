//! `%merge ADAPTER as NAME`: an adapter in its base's weights, as a model of the project.

use luthier_protocol::{Request, Response, spec::MergeSpec};

use super::{Command, Key, Kind, Names, Positional, ask, plain_json, spec};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "merge",
    summary: "put an adapter into its base's weights, as a model of this project",
    docs: "The new model is loaded again and compared with base + adapter on held-out prompts before it gets its name; \
           past the limit for its type nothing is kept. It can be asked, evaluated, trained on and exported like any \
           other. The adapter stays.",
    example: "%merge shop-sql as shop-merged",
    positionals: &[
        Positional::required("adapter", "ADAPTER", Names::ModelsAndAdapters, "An adapter, or its directory."),
        Positional {
            keyword: Some("as"),
            ..Positional::required("name", "NAME", Names::Free, "The new model's name.")
        },
    ],
    keys: &[
        Key::new("dtype", Kind::Text, "", "F32, BF16 or F16; as the base is stored if absent."),
        Key::new("data", Kind::Text, "", "Compare on this dataset's test split; on the adapter's own if absent."),
        Key::new("overwrite", Kind::Switch, "false", "Replace a merged model of the same name."),
    ],
    has_body: false,
    lower: |values| ask(Request::Merge(spec::<MergeSpec>(values)?)),
    render: |response| match response {
        Response::Exported(exported) => Some(display::exported::exported(exported)),
        _ => None,
    },
    json: plain_json,
};
