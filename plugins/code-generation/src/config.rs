//! The template's configuration.

use luthier_plugin::exec::ExecBudget;
use luthier_plugin::json::{Value, json};
use luthier_plugin::{Error, Options};

use crate::prompt;

/// Which rows are run before they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verify {
    /// Those that a language model wrote.
    Asked,
    /// The grammar's as well.
    All,
    /// None.
    Never,
}

/// Parsed configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) instruction: String,
    pub(crate) verify: Verify,
    pub(crate) budget: ExecBudget,
}

const WORDS: [&str; 3] = ["asked", "all", "never"];

pub(crate) fn schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "instruction": { "type": "string", "default": prompt::INSTRUCTION,
                "description": "what stands before a function's signature and docstring; empty for nothing" },
            "verify": { "enum": WORDS, "default": "asked", "x-shapes-prompt": false,
                "description": "which rows are run with their tests before they are kept" },
            "fuel": { "type": "integer", "minimum": 1_000_000, "x-shapes-prompt": false,
                "description": "of each program that is run; about 7 billion are one second" },
        },
    })
}

impl Config {
    pub(crate) fn parse(config: &Value) -> Result<Config, Error> {
        let mut options = Options::new(config)?;
        let default = ExecBudget::default();
        let config = Config {
            instruction: options.text("instruction").map_or(prompt::INSTRUCTION, str::trim).to_owned(),
            verify: match options.choice("verify", "asked", &WORDS) {
                "all" => Verify::All,
                "never" => Verify::Never,
                _ => Verify::Asked,
            },
            budget: ExecBudget { fuel: options.integer("fuel", default.fuel, 1_000_000..=u64::MAX), ..default },
        };
        options.finish()?;
        Ok(config)
    }
}
