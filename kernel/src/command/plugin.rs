//! `%plugin ACTION …` and `%%plugin NAME`: making, testing, sharing plugins.

use luthier_protocol::{Request, Response, plugin::PluginRequest};
use serde_json::{Map, Value};

use super::{Action, Command, Key, Kind, Names, Positional, Problem, Values, ask, optional_text, plain_json, text};
use crate::display;

/// The key that a cell's body becomes.
pub const SOURCE: &str = "source";

const ACTIONS: &str = "new, build, test, inspect, install, remove";

/// The definition.
pub static COMMAND: Command = Command {
    name: "plugin",
    summary: "make, test, install and share plugins",
    docs: "new NAME makes a folder that builds; build FOLDER makes one file of it; test replays its golden cases, and \
           with --data scores rows; inspect shows what a plugin asks for; install takes a file, a folder, an https \
           address or oci://registry/repository:tag into plugins.lock, after its imports were shown and its golden \
           cases replayed; remove takes it out. A cell %%plugin NAME with Rust compiles it and installs it for the \
           session.",
    example: "%plugin inspect exact-match",
    positionals: &[
        Positional::required("action", "ACTION", Names::Free, "One of new, build, test, inspect, install, remove."),
        Positional::optional("target", "TARGET", Names::Free, "A name, a folder, a file, an id or an address."),
    ],
    keys: &[
        Key::new("kind", Kind::Choice(&["metric", "template"]), "metric", "With new: what it is."),
        Key::new("lang", Kind::Choice(&["rust", "python", "c", "js"]), "rust", "With new: what it is written in."),
        Key::new("sign", Kind::Text, "", "With build: sign with the key in this file, which is made if missing."),
        Key::new("data", Kind::Text, "", "With test: rows to score, a file or a dataset."),
        Key::new("limit", Kind::Count, "50", "With test: show at most so many rows."),
        Key::new("config", Kind::Table, "", "With test: the plugin's settings."),
        Key::new("adversarial", Kind::Switch, "false", "With test: also throw hostile inputs at it."),
    ],
    has_body: false,
    lower,
    render: |response| match response {
        Response::Plugin(report) => Some(display::plugin::report(report)),
        _ => None,
    },
    json: plain_json,
};

fn lower(values: &Values) -> Result<Action, Problem> {
    if let Some(source) = values.get(SOURCE).and_then(Value::as_str) {
        // `%%plugin NAME`: the word after the command is the name.
        let name = Some(text(values, "action")).filter(|name| !name.is_empty());
        return request(PluginRequest::Cell { name, source: source.to_owned() });
    }
    let action = text(values, "action");
    let target = || {
        optional_text(values, "target").ok_or_else(|| {
            Problem::at("/action", format!("`plugin {action}` needs a name, a folder, a file or an address"))
        })
    };
    let or = |key: &str, default: &str| optional_text(values, key).unwrap_or_else(|| default.to_owned());
    request(match action.as_str() {
        "new" => PluginRequest::New { name: target()?, kind: or("kind", "metric"), lang: or("lang", "rust") },
        "build" => PluginRequest::Build { path: target()?, sign: optional_text(values, "sign") },
        "test" => PluginRequest::Test {
            plugin: target()?,
            data: optional_text(values, "data"),
            limit: values.get("limit").and_then(Value::as_u64).map(|limit| limit as usize),
            config: values.get("config").and_then(Value::as_object).cloned().unwrap_or_else(Map::new),
            adversarial: values.get("adversarial").and_then(Value::as_bool).unwrap_or(false),
        },
        "inspect" => PluginRequest::Inspect { plugin: target()? },
        "install" => PluginRequest::Install { source: target()? },
        "remove" => PluginRequest::Remove { plugin: target()? },
        other => {
            let near = crate::cell::suggest::nearest(other, ACTIONS.split(", "));
            return Err(Problem {
                hint: near.map(|near| format!("did you mean `plugin {near}`?")),
                ..Problem::at("/action", format!("`plugin` knows {ACTIONS}, found `{other}`"))
            });
        }
    })
}

fn request(request: PluginRequest) -> Result<Action, Problem> {
    ask(Request::Plugin(request))
}
