//! The plugin: the template's stages.

#[cfg(test)]
mod tests;

use luthier_plugin::json::{Value, json};
use luthier_plugin::{
    Answer, Batch, ColumnSpec, Context, Databases, DedupKey, Error, LogicalType, Message, Parsed, Roles, Stages,
    Template, TemplateDescriptor, Verdict, text,
};

use crate::config::{self, Config, Verify};
use crate::deal::{Dealer, Part, Row};
use crate::{asked, prompt, verify};

/// Turns in a row without a new function after which the grammar is exhausted: one whole round of the dealer.
const MAX_MISSES: usize = 20;

/// See the module.
pub struct CodeGeneration {
    config: Config,
    dealer: Dealer,
}

impl Template for CodeGeneration {
    fn describe() -> TemplateDescriptor {
        TemplateDescriptor {
            id: "code-generation".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Python functions from their signature and docstring, judged by running their tests".to_owned(),
            config_schema: config::schema(),
            row_schema: vec![
                ColumnSpec::new("prompt", LogicalType::Utf8, "signature and docstring"),
                ColumnSpec::new("solution", LogicalType::Utf8, "the whole function, or its body"),
                ColumnSpec::new("tests", LogicalType::Utf8, "assert statements, or a function `check(candidate)`"),
                ColumnSpec::new("skeleton", LogicalType::Utf8, "the body without names, numbers and texts"),
                ColumnSpec::new("split", LogicalType::Utf8, "train or test"),
                ColumnSpec::new("part", LogicalType::Utf8, "seen-skeleton, unseen-skeleton or asked"),
            ],
            roles: Roles { prompt: vec!["prompt".to_owned()], target: Some("solution".to_owned()), group: None },
            stages: Stages {
                generate: true,
                synthesis_prompts: true,
                parse: true,
                validate: true,
                dedup: true,
                render: true,
            },
            output_formats: FORMATS.map(str::to_owned).to_vec(),
            metrics: vec!["pass-at-k".to_owned(), "exact-match".to_owned()],
            ..TemplateDescriptor::default()
        }
    }

    fn open(config: Value, context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        Ok(CodeGeneration { config: Config::parse(&config)?, dealer: Dealer::new(context.seed) })
    }

    fn generate(&mut self, n: u32) -> Result<Batch, Error> {
        let mut rows = Vec::new();
        let mut misses = 0;
        while rows.len() < n as usize && misses < MAX_MISSES {
            match self.dealer.next_row() {
                Some(row) => {
                    rows.push(row);
                    misses = 0;
                }
                None => misses += 1,
            }
        }
        Ok(batch(&rows))
    }

    fn prompt(&mut self, rows: &Batch, shots: &Batch) -> Result<Vec<Vec<Message>>, Error> {
        let shots = shots_of(shots)?;
        let prompts = rows.utf8("prompt")?;
        let turns = |row| prompt::conversation(&self.config.instruction, &shots, prompts.text(row));
        Ok((0..rows.rows).map(turns).collect())
    }

    fn extract(&mut self, completions: &[String]) -> Result<Vec<Answer>, Error> {
        Ok(completions.iter().map(|completion| prompt::extract(completion)).collect())
    }

    fn synthesis_prompts(&mut self, seeds: &Batch) -> Result<Batch, Error> {
        asked::requests(seeds)
    }

    fn parse(&mut self, outputs: &Batch) -> Result<Parsed, Error> {
        let (rows, rejects) = asked::parse(outputs)?;
        Ok(Parsed { rows: batch(&rows), rejects })
    }

    fn validate(&mut self, rows: &Batch) -> Result<Vec<Verdict>, Error> {
        let (prompts, solutions, tests) = (rows.utf8("prompt")?, rows.utf8("solution")?, rows.utf8("tests")?);
        let parts = rows.utf8("part").ok();
        let is_run = |row| match self.config.verify {
            Verify::All => true,
            Verify::Never => false,
            Verify::Asked => parts.is_none_or(|parts| parts.text(row) == Part::Asked.name()),
        };
        let verdict = |row| {
            if !is_run(row) {
                return Ok(Verdict::keep());
            }
            verify::judge(prompts.text(row), solutions.text(row), tests.text(row), self.config.budget)
        };
        (0..rows.rows).map(verdict).collect()
    }

    fn dedup_keys(&mut self, rows: &Batch) -> Result<Vec<DedupKey>, Error> {
        let prompts = rows.utf8("prompt")?;
        let key = |row| {
            let words: Vec<&str> = text::words(prompts.text(row)).collect();
            // The grammar's sentences are all alike by design; what a model wrote is compared.
            let is_asked = rows.utf8("part").is_ok_and(|parts| parts.text(row) == Part::Asked.name());
            let near = if is_asked { prompts.text(row).to_owned() } else { String::new() };
            DedupKey { exact: words.join(" "), near }
        };
        Ok((0..rows.rows).map(key).collect())
    }

    fn render(&mut self, rows: &Batch, format: &str) -> Result<Vec<Value>, Error> {
        let (prompts, solutions, tests) = (rows.utf8("prompt")?, rows.utf8("solution")?, rows.utf8("tests")?);
        let put = |row| prompt::conversation(&self.config.instruction, &[], prompts.text(row));
        let record = |row| {
            let (given, solution) = (prompts.text(row), solutions.text(row).trim_end());
            let asked = put(row).pop().map(|turn| turn.content).unwrap_or_default();
            match format {
                "pair" => Ok(json!({ "prompt": asked, "completion": solution })),
                "messages" => Ok(json!({ "messages": [
                    { "role": "user", "content": asked }, { "role": "assistant", "content": solution },
                ] })),
                "human-eval" => Ok(json!({
                    "task_id": format!("code-generation/{row}"), "prompt": given, "canonical_solution": solution,
                    "test": tests.text(row), "entry_point": luthier_python_source::asked_function(given),
                })),
                other => Err(Error::Unsupported(format!("output format `{other}`; there are {}", FORMATS.join(", ")))),
            }
        };
        (0..rows.rows).map(record).collect()
    }
}

const FORMATS: [&str; 3] = ["pair", "messages", "human-eval"];

fn batch(rows: &[Row]) -> Batch {
    Batch::new(rows.len())
        .with_texts("prompt", rows.iter().map(|row| &row.prompt))
        .with_texts("solution", rows.iter().map(|row| &row.solution))
        .with_texts("tests", rows.iter().map(|row| &row.tests))
        .with_texts("skeleton", rows.iter().map(|row| &row.skeleton))
        .with_texts("split", rows.iter().map(|row| row.part.split()))
        .with_texts("part", rows.iter().map(|row| row.part.name()))
}

/// Example rows as prompt and whole function; an empty batch needs no columns.
fn shots_of(shots: &Batch) -> Result<Vec<(String, String)>, Error> {
    if shots.rows == 0 {
        return Ok(Vec::new());
    }
    let (prompts, solutions) = (shots.utf8("prompt")?, shots.utf8("solution")?);
    Ok((0..shots.rows).map(|row| (prompts.text(row).to_owned(), solutions.text(row).to_owned())).collect())
}
