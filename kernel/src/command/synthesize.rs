//! `%%synthesize NAME`: a dataset whose rows a template asks a language model for, or makes itself.

use luthier_protocol::{Request, Response, spec::SynthesizeSpec};

use super::{Action, Command, Key, Kind, Names, Positional, Problem, Values, ask, generation, plain_json, spec};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "synthesize",
    summary: "a dataset that a template asks a language model for, or makes itself",
    docs: "The template says what is asked and reads the answers; its own checks (SQL is executed, say) decide \
           which rows are kept, and every row asked for is accounted for: requested = kept + rejected + failed. \
           The model is one of this machine, or openai:NAME on any server that speaks OpenAI's interface; the key \
           comes from the environment. A run that was killed goes on where it was. Without a model the template \
           makes the rows by itself, as %%dataset does.",
    example: "%%synthesize riddles\ntemplate = \"custom\"\nmodel = \"openai:gpt-4o-mini\"\nrows = 200\ntopics = [\"weather\", \"sports\"]\n[config]\ninstruction = \"Turn the news into a riddle.\"",
    positionals: &[Positional::optional("name", "NAME", Names::Free, "Name of the dataset in this project.")],
    keys: &KEYS,
    has_body: true,
    lower,
    render: |response| match response {
        Response::Synthesized(synthesized) => Some(display::synthesized::synthesized(synthesized)),
        _ => None,
    },
    json: plain_json,
};

const KEYS: [Key; 28] = {
    let [_, _, top_k, top_p, stop, generation_seed] = generation::TABLE;
    let [base_url, api_key_env, timeout_s, attempts, pause_s, concurrency, input_price, output_price] =
        generation::PROVIDER;
    [
        Key::required("template", Kind::Text, "A task template plugin: \"custom\", \"text-to-sql\"."),
        Key::new("config", Kind::Table, "", "The template's own settings."),
        Key::new("model", Kind::Text, "", "A model of this machine, or \"openai:NAME\"."),
        Key::new("rows", Kind::Count, "100", "Rows to keep."),
        Key::new("topics", Kind::List, "[]", "What rows should be about, in turn."),
        Key::new("documents", Kind::List, "[]", "Text files from whose passages rows are made, in turn."),
        Key::new("per_request", Kind::Count, "5", "Rows asked for at a time."),
        Key::new(
            "near_duplicates",
            Kind::Number,
            "0.7",
            "Rows that share so much with a kept one are left out; 0: none.",
        ),
        Key::new("max_tokens", Kind::Count, "", "Asking ends once so many tokens have been used."),
        Key::new("preview", Kind::Switch, "false", "Show the first prompts and ask nothing."),
        Key::new("seed", Kind::Count, "0", "Seed of the template and of the model's sampler."),
        Key::new("databases", Kind::TextTable, "", "SQLite files that the template may read, by name."),
        Key::new("splits", Kind::NumberTable, "{ train = 0.9, test = 0.1 }", "Shares by split."),
        Key::new("overwrite", Kind::Switch, "false", "Replace a dataset of the same name."),
        Key::new("generation.max_new_tokens", Kind::Count, "2048", "Upper bound of new tokens."),
        Key::new("generation.temperature", Kind::Number, "0.8", "0 takes the likeliest token; higher is more varied."),
        top_k,
        top_p,
        stop,
        generation_seed,
        base_url,
        api_key_env,
        timeout_s,
        attempts,
        pause_s,
        concurrency,
        input_price,
        output_price,
    ]
};

fn lower(values: &Values) -> Result<Action, Problem> {
    let mut synthesis: SynthesizeSpec = spec(values)?;
    if synthesis.name.is_none() {
        let hint = Some("write %%synthesize NAME".into());
        return Err(Problem { hint, ..Problem::at("", "a dataset needs a name") });
    }
    // A table [generation] replaces all defaults; what it does not say is as without it.
    let given = |key: &str| values.get("generation").and_then(|table| table.get(key)).is_some();
    let defaults = SynthesizeSpec::default().generation;
    if !given("max_new_tokens") {
        synthesis.generation.max_new_tokens = defaults.max_new_tokens;
    }
    if !given("temperature") {
        synthesis.generation.temperature = defaults.temperature;
    }
    ask(Request::Synthesize(synthesis))
}
