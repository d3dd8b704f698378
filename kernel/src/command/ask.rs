//! `%ask MODEL PROMPT`: generate text.

use luthier_protocol::{Request, Response, spec::AskSpec};

use super::{Action, Command, Key, Kind, Names, Positional, Problem, Values, ask, generation, plain_json, spec};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "ask",
    summary: "generate text from a model or adapter",
    docs: "The prompt is continued as it stands. With --chat it becomes one user turn of the model's chat template; \
           with --data it is a question to that dataset's task, rendered exactly as in training.",
    example: "%ask shop-sql --data shop How many customers are there?",
    positionals: &[
        Positional::required("model", "MODEL", Names::ModelsAndAdapters, "A model, an adapter or a directory."),
        Positional { rest: true, ..Positional::optional("prompt", "PROMPT", Names::Free, "The text to continue.") },
    ],
    keys: &KEYS,
    has_body: true,
    lower,
    render: |response| match response {
        Response::Asked(asked) => Some(display::asked::asked(asked)),
        _ => None,
    },
    json: plain_json,
};

const KEYS: [Key; 18] = {
    let [max_new_tokens, temperature, top_k, top_p, stop, seed] = generation::TOP;
    let [base_url, api_key_env, timeout_s, attempts, pause_s, concurrency, input_price, output_price] =
        generation::PROVIDER;
    [
        Key::new("prompt", Kind::Text, "", "The text to continue, or the question."),
        Key::new("chat", Kind::Switch, "false", "Render the prompt as one user turn."),
        Key::new("data", Kind::Text, "", "Ask as this dataset's task does."),
        Key::new("num_fewshot", Kind::Count, "0", "With data: training rows shown as examples."),
        max_new_tokens,
        temperature,
        top_k,
        top_p,
        stop,
        seed,
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
    let asked: AskSpec = spec(values)?;
    if !values.contains_key("prompt") {
        return Err(Problem {
            hint: Some("write it after the model, or as prompt = \"…\" in the body".into()),
            ..Problem::at("", "`ask` needs a prompt")
        });
    }
    if asked.chat && asked.data.is_some() {
        return Err(Problem::at("/chat", "`chat` and `data` both say how the prompt is rendered; choose one"));
    }
    ask(Request::Ask(asked))
}
