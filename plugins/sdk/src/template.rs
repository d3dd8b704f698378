//! A task template: how a task's rows are made, prompted, answered and checked.

use crate::json::{Value, json};
use crate::{Batch, Column, Context, Databases, Error, Utf8Column};

/// An opened template. Stages that [`TemplateDescriptor::stages`] does not name are never called.
pub trait Template: Sized {
    /// What it says of itself.
    fn describe() -> TemplateDescriptor;

    /// Opens it for one run: one configuration, one seed. `databases` are those that a person granted,
    /// and those that [`TemplateDescriptor::databases`] brings.
    fn open(config: Value, context: Context, databases: Box<dyn Databases>) -> Result<Self, Error>;

    /// The next `n` rows, composed without a language model; fewer mean that it ran out. Calling it
    /// with 2 and then 3 gives the rows that calling it with 5 gives.
    fn generate(&mut self, n: u32) -> Result<Batch, Error> {
        let _ = n;
        Err(Error::Unsupported("this template does not generate rows".to_owned()))
    }

    /// The task's one prompt: a conversation per row that ends with the turn to answer. `shots` are
    /// rows of the training split, shown as earlier turns; may be empty.
    fn prompt(&mut self, rows: &Batch, shots: &Batch) -> Result<Vec<Vec<Message>>, Error>;

    /// The answer in each completion; completions in = answers out.
    fn extract(&mut self, completions: &[String]) -> Result<Vec<Answer>, Error>;

    /// What a language model is asked to make new rows: columns `request-id`, `messages` (JSON), `params` (JSON).
    fn synthesis_prompts(&mut self, seeds: &Batch) -> Result<Batch, Error> {
        let _ = seeds;
        Err(Error::Unsupported("this template has no synthesis prompts".to_owned()))
    }

    /// Rows out of a language model's outputs: columns in `request-id`, `output`, `finish-reason`.
    fn parse(&mut self, outputs: &Batch) -> Result<Parsed, Error> {
        let _ = outputs;
        Err(Error::Unsupported("this template does not parse outputs".to_owned()))
    }

    /// Which rows to keep; rows in = verdicts out.
    fn validate(&mut self, rows: &Batch) -> Result<Vec<Verdict>, Error> {
        Ok(vec![Verdict::keep(); rows.rows])
    }

    /// Keys of duplicates; rows in = keys out.
    fn dedup_keys(&mut self, rows: &Batch) -> Result<Vec<DedupKey>, Error> {
        let _ = rows;
        Err(Error::Unsupported("this template gives no keys".to_owned()))
    }

    /// One JSON document per row in one of [`TemplateDescriptor::output_formats`].
    fn render(&mut self, rows: &Batch, format: &str) -> Result<Vec<Value>, Error> {
        let _ = rows;
        Err(Error::Unsupported(format!("output format `{format}`")))
    }
}

/// What a template says of itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TemplateDescriptor {
    /// Id, as `text-to-sql`.
    pub id: String,
    /// Semantic version.
    pub version: String,
    /// One line.
    pub summary: String,
    /// JSON Schema of the configuration. A property with `"x-shapes-prompt": false` does not enter
    /// the prompt's fingerprint, so that an adapter may be used with another value of it.
    pub config_schema: Value,
    /// Columns of a row.
    pub row_schema: Vec<ColumnSpec>,
    /// Which columns are what.
    pub roles: Roles,
    /// The stages that exist besides `prompt` and `extract`.
    pub stages: Stages,
    /// Formats that `render` knows.
    pub output_formats: Vec<String>,
    /// Metric ids that score this task, best first.
    pub metrics: Vec<String>,
    /// Databases that the template brings: the engine runs each script in an empty SQLite database
    /// and grants it, read-only, under its name.
    pub databases: Vec<NamedScript>,
}

/// An SQLite script and the name of the database it makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedScript {
    /// Name that `Databases::open` takes.
    pub name: String,
    /// `CREATE TABLE …; INSERT …;`
    pub script: String,
}

/// Which columns of a row are what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles {
    /// Columns that a prompt is made of.
    pub prompt: Vec<String>,
    /// The column to learn.
    pub target: Option<String>,
    /// Rows with equal values stay in one split.
    pub group: Option<String>,
}

/// Which optional stages a template has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stages {
    /// `generate`
    pub generate: bool,
    /// `synthesis_prompts`
    pub synthesis_prompts: bool,
    /// `parse`
    pub parse: bool,
    /// `validate`
    pub validate: bool,
    /// `dedup_keys`
    pub dedup: bool,
    /// `render`
    pub render: bool,
}

/// Type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogicalType {
    /// Text.
    Utf8,
    /// One JSON document per row.
    Json,
    /// 64-bit floats.
    Float64,
    /// 64-bit signed integers.
    Int64,
    /// Booleans.
    Boolean,
    /// Any other Arrow type, as an Arrow IPC stream; for plugins that bring an Arrow library.
    Ipc,
}

/// Declares a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Name.
    pub name: String,
    /// Type.
    pub ty: LogicalType,
    /// Arrow type of an [`LogicalType::Ipc`] column, as `List(Int64)`; `None`: any.
    pub arrow_type: Option<String>,
    /// May hold nulls.
    pub nullable: bool,
    /// One line.
    pub description: String,
}

impl ColumnSpec {
    /// A column without nulls.
    pub fn new(name: &str, ty: LogicalType, description: &str) -> Self {
        Self { name: name.to_owned(), ty, arrow_type: None, nullable: false, description: description.to_owned() }
    }

    /// A column of another Arrow type, as `Decimal128(10, 2)`.
    pub fn ipc(name: &str, arrow_type: &str, description: &str) -> Self {
        Self { arrow_type: Some(arrow_type.to_owned()), ..Self::new(name, LogicalType::Ipc, description) }
    }

    /// The same column with nulls.
    #[must_use]
    pub fn nullable(self) -> Self {
        Self { nullable: true, ..self }
    }
}

/// One chat message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// Text.
    pub content: String,
}

impl Message {
    /// What a person says.
    pub fn user(content: impl Into<String>) -> Self {
        Self { role: "user".to_owned(), content: content.into() }
    }

    /// What the model says.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self { role: "assistant".to_owned(), content: content.into() }
    }

    /// What stands above both.
    pub fn system(content: impl Into<String>) -> Self {
        Self { role: "system".to_owned(), content: content.into() }
    }
}

/// One answer taken out of a completion, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The answer, as metrics see it.
    Found(String),
    /// Why the completion holds none.
    Missing(String),
}

/// Whether to keep a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Keep it.
    pub keep: bool,
    /// Short reason code when it is not kept.
    pub code: String,
    /// For people.
    pub message: String,
}

impl Verdict {
    /// Keep the row.
    pub fn keep() -> Self {
        Self { keep: true, code: String::new(), message: String::new() }
    }

    /// Drop the row, because.
    pub fn reject(code: &str, message: impl Into<String>) -> Self {
        Self { keep: false, code: code.to_owned(), message: message.into() }
    }
}

/// Keys of one row for deduplication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DedupKey {
    /// Equal keys are duplicates.
    pub exact: String,
    /// Similar texts are near-duplicates; empty for none.
    pub near: String,
}

/// What was found in a language model's outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// New rows.
    pub rows: Batch,
    /// Columns `source-row`, `code`, `message`, `raw-excerpt`.
    pub rejects: Batch,
}

/// The batch with the one column `messages` that crosses the boundary.
pub fn messages_batch(conversations: &[Vec<Message>]) -> Batch {
    let texts = conversations.iter().map(|conversation| {
        let messages: Vec<_> =
            conversation.iter().map(|message| json!({ "role": message.role, "content": message.content })).collect();
        Value::Array(messages).to_string()
    });
    Batch::new(conversations.len()).with("messages", Column::Json(Utf8Column::from_texts(texts)))
}

/// The batch with the columns `keep`, `code`, `message`.
pub fn verdicts_batch(verdicts: &[Verdict]) -> Batch {
    Batch::new(verdicts.len())
        .with("keep", Column::Boolean(verdicts.iter().map(|verdict| Some(verdict.keep)).collect()))
        .with_texts("code", verdicts.iter().map(|verdict| &verdict.code))
        .with_texts("message", verdicts.iter().map(|verdict| &verdict.message))
}

/// The batch with the columns `exact-key`, `near-text`.
pub fn dedup_batch(keys: &[DedupKey]) -> Batch {
    Batch::new(keys.len())
        .with_texts("exact-key", keys.iter().map(|key| &key.exact))
        .with_texts("near-text", keys.iter().map(|key| &key.near))
}

/// Exports a [`Template`] from a guest; natively it does nothing. `export_template!(T, sql)` for one
/// that reads databases: only then does the component import `sql`.
#[macro_export]
macro_rules! export_template {
    ($template:ty) => {
        $crate::export_template!(@with $template, $crate::guest::WithoutSql);
    };
    ($template:ty, sql) => {
        $crate::export_template!(@with $template, $crate::guest::WithSql);
    };
    (@with $template:ty, $capabilities:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the component ABI, generated")]
        const _: () = {
            type ExportedPlugin = $crate::guest::TemplateGuest<$template, $capabilities>;
            $crate::bindings::template::export_template_world!(
                ExportedPlugin with_types_in $crate::bindings::template
            );
        };
    };
}
