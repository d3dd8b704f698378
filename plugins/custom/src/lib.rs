//! `custom`: a task of a person's own, without a line of code.
//!
//! An instruction, and rows with an `input` and an `output`: from a file, from the cell itself, or asked of
//! a language model with topics, documents and examples. Everything that the model is shown is in the
//! configuration:
//!
//! ```toml
//! instruction = "Turn the news into a riddle."
//! rows = [{ input = "…", output = "…" }]          # rows of one's own, or
//! examples = [{ input = "…", output = "…" }]      # what rows look like, for `synthesize`
//! ```
//!
//! In training, `ask` and `evaluate` a row is put as `prompt` says (`{instruction}` and `{input}` are filled
//! in), with examples from the training split as earlier turns; the answer is read as `answer` says.

mod config;
mod request;
mod rows;

use luthier_plugin::json::{self, Value};
use luthier_plugin::{
    Answer, Batch, ColumnSpec, Context, Databases, DedupKey, Error, LogicalType, Message, Parsed, Roles, Stages,
    Template, TemplateDescriptor, Verdict, export_template, text,
};

use config::Config;

/// The opened template.
pub struct Custom {
    config: Config,
    n_given: usize,
}

impl Template for Custom {
    fn describe() -> TemplateDescriptor {
        TemplateDescriptor {
            id: "custom".to_owned(),
            version: "0.1.0".to_owned(),
            summary: "A task of one's own: an instruction, and rows with an input and an output".to_owned(),
            config_schema: config::schema(),
            row_schema: vec![
                ColumnSpec::new("input", LogicalType::Utf8, "what is given"),
                ColumnSpec::new("output", LogicalType::Utf8, "what the answer should be"),
                ColumnSpec::new("topic", LogicalType::Utf8, "what the row is about; may be empty"),
            ],
            roles: Roles { prompt: vec!["input".to_owned()], target: Some("output".to_owned()), group: None },
            stages: Stages {
                generate: true,
                synthesis_prompts: true,
                parse: true,
                validate: true,
                dedup: true,
                render: true,
            },
            output_formats: vec!["pair".to_owned(), "messages".to_owned(), "alpaca".to_owned()],
            metrics: vec!["exact-match".to_owned(), "f1".to_owned()],
            ..TemplateDescriptor::default()
        }
    }

    fn open(config: Value, _context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        Ok(Custom { config: Config::parse(&config)?, n_given: 0 })
    }

    /// The rows of the configuration, in their order.
    fn generate(&mut self, n: u32) -> Result<Batch, Error> {
        let left = &self.config.rows[self.n_given.min(self.config.rows.len())..];
        let rows = &left[..left.len().min(n as usize)];
        self.n_given += rows.len();
        Ok(rows::batch(rows))
    }

    fn prompt(&mut self, rows: &Batch, shots: &Batch) -> Result<Vec<Vec<Message>>, Error> {
        let mut earlier = Vec::new();
        if shots.rows > 0 {
            let (inputs, outputs) = (shots.utf8("input")?, shots.utf8("output")?);
            for row in 0..shots.rows {
                earlier.push(Message::user(self.config.put(inputs.text(row))));
                earlier.push(Message::assistant(outputs.text(row)));
            }
        }
        let inputs = rows.utf8("input")?;
        let conversation = |row: usize| {
            let mut turns = earlier.clone();
            turns.push(Message::user(self.config.put(inputs.text(row))));
            turns
        };
        Ok((0..rows.rows).map(conversation).collect())
    }

    fn extract(&mut self, completions: &[String]) -> Result<Vec<Answer>, Error> {
        Ok(completions.iter().map(|completion| self.config.answer.extract(completion)).collect())
    }

    fn synthesis_prompts(&mut self, seeds: &Batch) -> Result<Batch, Error> {
        request::requests(&self.config, seeds)
    }

    fn parse(&mut self, outputs: &Batch) -> Result<Parsed, Error> {
        rows::parse(&self.config, outputs)
    }

    fn validate(&mut self, rows: &Batch) -> Result<Vec<Verdict>, Error> {
        let (inputs, outputs) = (rows.utf8("input")?, rows.utf8("output")?);
        Ok((0..rows.rows).map(|row| self.config.judge(inputs.text(row), outputs.text(row))).collect())
    }

    fn dedup_keys(&mut self, rows: &Batch) -> Result<Vec<DedupKey>, Error> {
        let inputs = rows.utf8("input")?;
        let key = |row: usize| {
            let exact: Vec<&str> = text::words(inputs.text(row)).collect();
            DedupKey { exact: exact.join(" ").to_lowercase(), near: inputs.text(row).to_owned() }
        };
        Ok((0..rows.rows).map(key).collect())
    }

    fn render(&mut self, rows: &Batch, format: &str) -> Result<Vec<Value>, Error> {
        let (inputs, outputs) = (rows.utf8("input")?, rows.utf8("output")?);
        let record = |row: usize| {
            let (input, output) = (inputs.text(row), outputs.text(row));
            match format {
                "pair" => Ok(json::json!({ "prompt": self.config.put(input), "completion": output })),
                "messages" => Ok(json::json!({ "messages": [
                    { "role": "user", "content": self.config.put(input) },
                    { "role": "assistant", "content": output },
                ] })),
                "alpaca" => {
                    Ok(json::json!({ "instruction": self.config.instruction, "input": input, "output": output }))
                }
                other => Err(Error::Unsupported(format!("output format `{other}`; there are pair, messages, alpaca"))),
            }
        };
        (0..rows.rows).map(record).collect()
    }
}

export_template!(Custom);

#[cfg(test)]
mod tests;
