//! What a task template can do for a dataset. A plugin implements it; the engine wires the same
//! object into `luthier_data::PromptRenderer` and `luthier_data::AnswerExtractor`.

use arrow_array::RecordBatch;

use crate::Error;

/// What a template says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateDescriptor {
    /// Plugin id, as `text-to-sql`.
    pub id: String,
    /// Semantic version of the plugin.
    pub version: String,
    /// One line.
    pub summary: String,
    /// JSON Schema of its configuration.
    pub config_schema: serde_json::Value,
    /// Column that holds the prompt (or question).
    pub prompt_columns: Vec<String>,
    /// Column that holds the text to learn.
    pub target_column: Option<String>,
    /// Column whose equal values stay in one split.
    pub group_column: Option<String>,
    /// Metric ids that score this task, best first.
    pub metrics: Vec<String>,
    /// SQL scripts of databases that the template brings along: name and script. The engine builds
    /// each into a file and grants it read-only under that name.
    pub databases: Vec<(String, String)>,
    /// Can make rows without a language model.
    pub generates: bool,
    /// Can judge rows.
    pub validates: bool,
    /// Gives keys for deduplication.
    pub dedups: bool,
    /// Can ask a language model for rows, and read its answers.
    pub asks: bool,
}

/// One request for rows of a language model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// Names the request and its answer.
    pub request_id: String,
    /// Its number, from 0.
    pub number: u64,
    /// What the rows should be about; may be empty.
    pub topic: String,
    /// A passage that the rows should be made from; may be empty.
    pub document: String,
    /// Rows to ask for.
    pub n_rows: u32,
    /// Texts of rows that exist already, and should not be repeated.
    pub avoid: Vec<String>,
}

/// What a language model is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Asking {
    /// Turns that end with the one to be answered.
    pub messages: Vec<luthier_lm::Message>,
    /// Settings that the template insists on: `temperature`, `max_new_tokens`.
    pub params: serde_json::Value,
}

/// A language model's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelOutput {
    /// Of the request.
    pub request_id: String,
    /// The model's text.
    pub output: String,
    /// `stop` or `length`.
    pub finish_reason: String,
}

/// Rows found in an answer, and what could not be used.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedOutput {
    /// New rows.
    pub rows: RecordBatch,
    /// The others.
    pub rejects: Vec<Reject>,
}

/// Something in an answer that is no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Short reason code (`no-json`, `missing-field`).
    pub code: String,
    /// For people.
    pub message: String,
}

/// Per row: kept, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Keep the row.
    pub keep: bool,
    /// Short reason code when it is not kept (`empty-result`, `sql-error`).
    pub code: String,
    /// For people.
    pub message: String,
}

/// A task's own stages. Every call may fail without harm to the engine.
pub trait TaskTemplate: Send {
    /// What it says of itself.
    fn descriptor(&self) -> &TemplateDescriptor;
    /// The next `n` rows, from the seed that the template was opened with. Fewer mean that it ran out.
    fn generate(&mut self, n: u32) -> Result<RecordBatch, Error>;
    /// Rows in = verdicts out.
    fn validate(&mut self, rows: &RecordBatch) -> Result<Vec<Verdict>, Error>;
    /// Rows in = keys out; equal keys are duplicates.
    fn dedup_keys(&mut self, rows: &RecordBatch) -> Result<Vec<String>, Error>;
    /// Rows in = keys and texts out; similar texts are near duplicates, empty ones are not.
    fn dedup_pairs(&mut self, rows: &RecordBatch) -> Result<Vec<(String, String)>, Error> {
        Ok(self.dedup_keys(rows)?.into_iter().map(|key| (key, String::new())).collect())
    }
    /// Seeds in = questions out.
    fn synthesis_prompts(&mut self, seeds: &[Seed]) -> Result<Vec<Asking>, Error> {
        let _ = seeds;
        Err(Error::DoesNotAsk { template: self.descriptor().id.clone() })
    }
    /// The rows in one answer.
    fn parse(&mut self, output: &ModelOutput) -> Result<ParsedOutput, Error> {
        let _ = output;
        Err(Error::DoesNotAsk { template: self.descriptor().id.clone() })
    }
}
