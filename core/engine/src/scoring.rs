//! Evaluation, up to the statistics: every arm answers every row, through the one path of prompts
//! and extraction; `luthier_eval` does the rest.
//!
//! ```text
//! EvaluateSpec ─► Bench (rows, task, arms) ─predict─► predictions per arm ─► metrics ─► report
//! ```

mod arms;
mod bench;
mod files;
mod likelihood;

pub(crate) use arms::{Arm, Needs};
pub(crate) use bench::Bench;
#[cfg(test)]
pub(crate) use files::read_predictions as read_table;
pub(crate) use files::{read_predictions, write_jsonl, write_parquet};
