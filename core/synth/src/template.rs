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
}
