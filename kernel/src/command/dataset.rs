//! `%%dataset NAME`: import rows, or have a template make them.

use luthier_protocol::{Request, Response, spec::DatasetSpec};

use super::{Action, Command, Key, Kind, Names, Positional, Problem, Values, ask, plain_json, spec};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "dataset",
    summary: "make a dataset from a file, or by a task template",
    docs: "A file is CSV, a JSON array, JSONL, Parquet, Arrow or plain text, with a prompt and a completion, Alpaca's \
           instruction/input/output, chat messages (ShareGPT's too), raw text, or a better and a worse answer \
           (chosen, rejected); other column names go into [roles], or get new names with `columns`. A template \
           (see %plugins) makes rows by itself and renders the prompts. Rows fall into splits by a hash of their \
           prompt (or group), so adding rows moves no old row.",
    example: "%%dataset shop\ntemplate = \"text-to-sql\"\nrows = 4000\n[config]\ndatabase = \"shop\"",
    positionals: &[Positional::optional("name", "NAME", Names::Free, "Name of the dataset in this project.")],
    keys: &[
        Key::new("path", Kind::Text, "", "A file, relative to the project."),
        Key::new(
            "format",
            Kind::Choice(&["csv", "tsv", "json", "jsonl", "parquet", "arrow", "text", "paragraphs", "document"]),
            "",
            "By the file's extension if absent; text has a row per line.",
        ),
        Key::new("template", Kind::Text, "", "A task template plugin: \"text-to-sql\"."),
        Key::new("config", Kind::Table, "", "The template's own settings."),
        Key::new("rows", Kind::Count, "", "Rows asked of the template's generator."),
        Key::new("seed", Kind::Count, "0", "Seed of the generator."),
        Key::new("databases", Kind::TextTable, "", "SQLite files that the template may read, by name."),
        Key::new("columns", Kind::TextTable, "", "New names of a file's columns: { input = \"question\" }."),
        Key::new("roles.prompt", Kind::Text, "", "Column with the prompt."),
        Key::new("roles.input", Kind::Text, "", "Column with further input, shown after the prompt."),
        Key::new("roles.completion", Kind::Text, "", "Column with the text to learn."),
        Key::new("roles.messages", Kind::Text, "", "Column with chat messages, instead of prompt and completion."),
        Key::new("roles.text", Kind::Text, "", "Column with raw text, all of which is learned."),
        Key::new("roles.system", Kind::Text, "", "Column with the system's words."),
        Key::new("roles.tools", Kind::Text, "", "Column with the tools that a conversation may call, as JSON."),
        Key::new("roles.chosen", Kind::Text, "", "Column with the better of two answers."),
        Key::new("roles.rejected", Kind::Text, "", "Column with the worse one."),
        Key::new("roles.label", Kind::Text, "", "Column that says whether the completion is wanted (true or false)."),
        Key::new("roles.group", Kind::Text, "", "Rows of one group never fall into different splits."),
        Key::new("splits", Kind::NumberTable, "{ train = 0.9, test = 0.1 }", "Shares by split; a column `split` wins."),
        Key::new("overwrite", Kind::Switch, "false", "Replace a dataset of the same name."),
    ],
    has_body: true,
    lower,
    render: |response| match response {
        Response::Dataset(dataset) => Some(display::dataset::summary(dataset)),
        Response::Datasets { datasets } => Some(display::dataset::list(datasets)),
        _ => None,
    },
    json: plain_json,
};

fn lower(values: &Values) -> Result<Action, Problem> {
    if values.is_empty() {
        return ask(Request::Datasets);
    }
    let dataset: DatasetSpec = spec(values)?;
    if dataset.name.is_none() {
        return Err(Problem { hint: Some("write %%dataset NAME".into()), ..Problem::at("", "a dataset needs a name") });
    }
    if dataset.path.is_none() && dataset.template.is_none() {
        return Err(Problem {
            hint: Some("path = \"rows.jsonl\" imports a file, template = \"text-to-sql\" makes rows".into()),
            ..Problem::at("", "a dataset needs a `path` or a `template`")
        });
    }
    ask(Request::Dataset(dataset))
}
