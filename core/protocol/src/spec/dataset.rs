//! Where rows come from: files, templates, language models.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{GenerationSpec, ProviderSpec};

/// `%%dataset NAME`: where rows come from and what their columns mean.
///
/// Either `path` (CSV, JSON array, JSONL, Parquet, Arrow, plain text; by extension or `format`) or
/// `template`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatasetSpec {
    /// Name in the project. A cell's argument; in a recipe the file's stem if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A file, relative to the project directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `csv`, `tsv`, `json`, `jsonl`, `parquet`, `arrow`, `text` (a row per line), `paragraphs` or
    /// `document`; by extension if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// A task template plugin: `text-to-sql`. Its generator makes the rows, unless `path` gives them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The template's own configuration; checked against its JSON Schema.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, serde_json::Value>,
    /// Rows asked of the template's generator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u32>,
    /// Seed of the generator.
    pub seed: u64,
    /// A SQLite file that the template and its metrics may read, by the name they use for it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub databases: BTreeMap<String, String>,
    /// New names of a file's columns: `{ input = "question" }` calls the file's `question` `input`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, String>,
    /// Which columns are what; guessed from well-known names if absent.
    #[serde(skip_serializing_if = "RolesSpec::is_empty")]
    pub roles: RolesSpec,
    /// Shares by split name, adding up to at most 1; default train 0.9, test 0.1. A `split` column wins.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub splits: BTreeMap<String, f64>,
    /// Replace a dataset of the same name.
    pub overwrite: bool,
}

/// `%%synthesize NAME`: a dataset whose rows a template asks a language model for, or makes itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SynthesizeSpec {
    /// Name in the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A task template plugin: `text-to-sql`, `custom`, `code-generation`.
    pub template: String,
    /// The template's own configuration.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, serde_json::Value>,
    /// A model of this machine, or `openai:NAME`; without one the template makes the rows itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Address of the server of an `openai:NAME` model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// How that server is asked, and what its tokens cost.
    #[serde(skip_serializing_if = "ProviderSpec::is_default")]
    pub provider: ProviderSpec,
    /// Rows to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u32>,
    /// What rows should be about, in turn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// Text files whose passages rows should be made from, in turn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<String>,
    /// Rows asked for at a time.
    pub per_request: u32,
    /// Rows that share at least so much of their words, in order, with a kept one are left out; 0: none.
    pub near_duplicates: f64,
    /// Asking ends once so many tokens have been used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Show the first prompts and ask nothing.
    pub preview: bool,
    /// Seed of the template and of the model's sampler.
    pub seed: u64,
    /// SQLite files that the template may read, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub databases: BTreeMap<String, String>,
    /// Shares by split name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub splits: BTreeMap<String, f64>,
    /// How the model generates, unless the template says otherwise.
    pub generation: GenerationSpec,
    /// Replace a dataset of the same name.
    pub overwrite: bool,
}

impl Default for SynthesizeSpec {
    fn default() -> Self {
        SynthesizeSpec {
            name: None,
            template: String::new(),
            config: BTreeMap::new(),
            model: None,
            base_url: None,
            provider: ProviderSpec::default(),
            rows: None,
            topics: Vec::new(),
            documents: Vec::new(),
            per_request: 5,
            near_duplicates: 0.7,
            max_tokens: None,
            preview: false,
            seed: 0,
            databases: BTreeMap::new(),
            splits: BTreeMap::new(),
            generation: GenerationSpec { max_new_tokens: 2048, temperature: 0.8, ..GenerationSpec::default() },
            overwrite: false,
        }
    }
}

/// Which column plays which part.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RolesSpec {
    /// The prompt (or instruction, or question).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Further input shown after the prompt (Alpaca's `input`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The text to learn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion: Option<String>,
    /// Chat messages: a list of `{role, content}` (or `{from, value}`); stands instead of prompt
    /// and completion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<String>,
    /// Raw text, all of which is learned; stands instead of prompt and completion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The system's words, in front of rows that have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The list of tools that a conversation may call, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<String>,
    /// The better of two answers (DPO, ORPO).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// The worse of two answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// Whether the completion is wanted (KTO): true or false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Rows of one group never fall into different splits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

impl RolesSpec {
    /// No role was given.
    pub fn is_empty(&self) -> bool {
        *self == RolesSpec::default()
    }
}
