//! Everything a plugin author needs. A plugin is plain Rust: implement [`RowMetric`], [`Metric`] or
//! [`Template`], and export it. The same code runs natively in unit tests and as a sandboxed
//! WebAssembly component in the engine; nothing here knows of Arrow, WASI or the engine.
//!
//! ```
//! luthier_plugin::metric_fn!("same-length", "1 if both texts have the same length", proportion, same_length);
//!
//! fn same_length(prediction: &str, reference: &str) -> bool {
//!     prediction.len() == reference.len()
//! }
//! # assert!(same_length("a", "b"));
//! ```
//!
//! A plugin has no clock, no environment, no files, no network and no ambient randomness: what a
//! run may depend on arrives in [`Context`], databases arrive as [`Databases`], and programs run through [`exec`].

#![warn(missing_docs)]

pub mod batch;
pub mod column;
pub mod context;
pub mod error;
pub mod exec;
pub mod log;
pub mod metric;
pub mod options;
pub mod random;
pub mod recover;
pub mod row_metric;
pub mod sql;
pub mod template;
pub mod text;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod bindings;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod guest;

/// JSON, as configurations and messages use it.
pub use serde_json as json;

pub use batch::{Batch, NamedColumn};
pub use column::{BooleanColumn, Column, Float64Column, Int64Column, Utf8Column};
pub use context::Context;
pub use error::{Error, Issue, RowIssue};
pub use exec::{ExecBudget, ExecError, ExecOutcome, ExecStatus};
pub use metric::{Aggregation, Direction, Metric, MetricDescriptor, Output, RowScore, columns_batch, score_batch};
pub use options::Options;
pub use random::Rng;
pub use row_metric::{IntoScore, RowMetric, RowMetricDescriptor};
pub use sql::{Budget, Databases, NoDatabases, Rows, SqlDatabase, SqlError, SqlValue};
pub use template::{
    Answer, ColumnSpec, DedupKey, LogicalType, Message, NamedScript, Parsed, Roles, Stages, Template,
    TemplateDescriptor, Verdict,
};
