//! The configuration, checked whole before anything runs.

use luthier_plugin::json::{Value, json};
use luthier_plugin::{Answer, Error, Options, Verdict, recover, text};

/// Names of answers.
const ANSWERS: [&str; 4] = ["all", "first-line", "fenced", "json"];
/// How a row is put, unless configured.
const DEFAULT_PROMPT: &str = "{instruction}\n\n{input}";

/// A row of the person's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) topic: String,
}

/// What of a completion is the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    All,
    FirstLine,
    Fenced,
    Json,
}

/// Parsed configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) instruction: String,
    prompt: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) examples: Vec<Row>,
    pub(crate) description: String,
    pub(crate) rules: Vec<String>,
    /// Names of both fields in what a language model writes.
    pub(crate) input_name: String,
    pub(crate) output_name: String,
    pub(crate) answer: Reading,
    max_output_characters: usize,
    choices: Vec<String>,
}

pub(crate) fn schema() -> Value {
    let rows = |description: &str| {
        json!({
            "type": "array", "x-shapes-prompt": false, "description": description,
            "items": { "type": "object", "required": ["input", "output"], "additionalProperties": false, "properties": {
                "input": { "type": "string" }, "output": { "type": "string" }, "topic": { "type": "string" } } },
        })
    };
    let text = |description: &str| json!({ "type": "string", "description": description });
    let apart = |description: &str| json!({ "type": "string", "description": description, "x-shapes-prompt": false });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "instruction": text("what is to be done with an input"),
            "prompt": text("how a row is put: {instruction} and {input} are filled in"),
            "answer": { "enum": ANSWERS, "default": "all", "description": "what of a completion is the answer" },
            "rows": rows("rows of one's own"),
            "examples": rows("what rows look like, shown to the language model that is asked for more"),
            "description": apart("what rows are about, for the language model that is asked for more"),
            "rules": { "type": "array", "items": { "type": "string" }, "x-shapes-prompt": false,
                "description": "what every row must keep to, for that language model" },
            "choices": { "type": "array", "items": { "type": "string" }, "x-shapes-prompt": false,
                "description": "the outputs that there are; rows with others are rejected" },
            "input_name": apart("what the language model calls the input, as `question`"),
            "output_name": apart("what it calls the output, as `solution`"),
            "max_output_characters": { "type": "integer", "minimum": 1, "default": 8000, "x-shapes-prompt": false },
        },
    })
}

impl Config {
    pub(crate) fn parse(config: &Value) -> Result<Config, Error> {
        let mut options = Options::new(config)?;
        let owned = |text: Option<&str>| text.unwrap_or_default().trim().to_owned();
        let instruction = owned(options.text("instruction"));
        let prompt = options.text("prompt").map_or_else(|| DEFAULT_PROMPT.to_owned(), str::to_owned);
        if !prompt.contains("{input}") {
            options.issue("prompt", "must contain {input}, where the row's input goes");
        }
        let answer = match options.choice("answer", "all", &ANSWERS) {
            "first-line" => Reading::FirstLine,
            "fenced" => Reading::Fenced,
            "json" => Reading::Json,
            _ => Reading::All,
        };
        let (given, examples) = (rows_of(&mut options, "rows"), rows_of(&mut options, "examples"));
        let description = owned(options.text("description"));
        let name = |name: Option<&str>, default: &str| name.map_or(default, str::trim).to_owned();
        let input_name = name(options.text("input_name"), "input");
        let output_name = name(options.text("output_name"), "output");
        if input_name == output_name || input_name.is_empty() || output_name.is_empty() {
            options.issue("output_name", format!("`{input_name}` and `{output_name}` must be two names"));
        }
        let config = Config {
            instruction,
            prompt,
            rows: given,
            examples,
            description,
            rules: options.texts("rules").into_iter().map(str::to_owned).collect(),
            input_name,
            output_name,
            answer,
            max_output_characters: options.integer("max_output_characters", 8000, 1..=1_000_000) as usize,
            choices: options.texts("choices").into_iter().map(str::to_owned).collect(),
        };
        for (key, rows) in [("rows", &config.rows), ("examples", &config.examples)] {
            for (index, row) in rows.iter().enumerate() {
                let verdict = config.judge(&row.input, &row.output);
                if !verdict.keep {
                    options.issue(key, format!("number {index}: {}", verdict.message));
                }
            }
        }
        options.finish()?;
        Ok(config)
    }

    /// A row's input as a model is shown it.
    pub(crate) fn put(&self, input: &str) -> String {
        // The input goes in last: what it contains is not filled in again.
        self.prompt.replace("{instruction}", &self.instruction).trim_start().replacen("{input}", input.trim(), 1)
    }

    /// Whether a row may be learned from.
    pub(crate) fn judge(&self, input: &str, output: &str) -> Verdict {
        let (input, output) = (text::strip(input), text::strip(output));
        if input.is_empty() || output.is_empty() {
            return Verdict::reject("empty-field", "an input and an output, neither of them empty");
        }
        let n = output.chars().count();
        if n > self.max_output_characters {
            return Verdict::reject("too-long", format!("{n} characters, at most {}", self.max_output_characters));
        }
        if !self.choices.is_empty() && !self.choices.iter().any(|choice| choice == output) {
            return Verdict::reject("not-a-choice", format!("one of {}", self.choices.join(", ")));
        }
        // Training on what evaluation would not read back teaches nothing.
        match self.answer.extract(output) {
            Answer::Found(_) => Verdict::keep(),
            Answer::Missing(why) => Verdict::reject("unreadable-output", why),
        }
    }
}

/// The rows of one key; whatever is wrong with them becomes an issue.
fn rows_of(options: &mut Options<'_>, key: &'static str) -> Vec<Row> {
    let Some(value) = options.value(key) else { return Vec::new() };
    let Some(items) = value.as_array() else {
        options.issue(key, format!("expected a list of tables, found `{value}`"));
        return Vec::new();
    };
    let mut rows = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let field = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        let known = ["input", "output", "topic"];
        let stranger = item.as_object().and_then(|item| item.keys().find(|key| !known.contains(&key.as_str())));
        match (field("input"), field("output"), stranger) {
            (Some(input), Some(output), None) => {
                rows.push(Row { input, output, topic: field("topic").unwrap_or_default() });
            }
            (_, _, Some(stranger)) => {
                options
                    .issue(key, format!("number {index}: unknown field `{stranger}`; there are input, output, topic"));
            }
            _ => options.issue(key, format!("number {index}: expected texts `input` and `output`, found `{item}`")),
        }
    }
    rows
}

impl Reading {
    /// The answer in a completion.
    pub(crate) fn extract(self, completion: &str) -> Answer {
        let found = match self {
            Reading::All => text::strip(completion).to_owned(),
            Reading::FirstLine => text::strip(text::strip(completion).lines().next().unwrap_or_default()).to_owned(),
            Reading::Fenced => match fenced(completion) {
                Ok(inside) => inside.to_owned(),
                Err(why) => return Answer::Missing(why.to_owned()),
            },
            Reading::Json => match recover::objects(completion).objects.into_iter().next() {
                Some(object) => Value::Object(object).to_string(),
                None => return Answer::Missing("the completion holds no JSON object".to_owned()),
            },
        };
        if found.is_empty() { Answer::Missing("the completion is empty".to_owned()) } else { Answer::Found(found) }
    }
}

/// What stands in the first code fence; without a fence, all of it.
fn fenced(completion: &str) -> Result<&str, &'static str> {
    let Some((_, rest)) = completion.split_once("```") else { return Ok(text::strip(completion)) };
    // The rest of the fence's line names a language.
    let inside = rest.split_once('\n').map_or("", |(_, inside)| inside);
    match inside.split_once("```") {
        Some((inside, _)) => Ok(inside.trim_end()),
        None => Err("a code fence is never closed"),
    }
}
