//! Evaluation: predictions and a metric in, numbers that one can believe out.
//!
//! ```text
//! Questions ──prompts──► predict ──► one Prediction per arm and row
//!     └──────────┬──────────────────────┘
//!                ▼
//!     Metric: columns → one RowScore per row        an error is never a score of zero
//!                ▼
//!     report: mean, n, coverage, interval per arm × metric × part; every pair of arms, paired
//! ```
//!
//! The host owns all statistics; a metric only judges rows. Neither the order of rows nor the way
//! they are batched changes a score, a mean or an interval.
//!
//! Must not know: models, training, wasmtime.

mod error;
pub mod leaderboard;
pub mod metric;
pub mod predict;
pub mod prediction;
pub mod report;
pub mod score;
pub mod signature;
pub mod statistics;
pub mod table;
#[cfg(test)]
mod testing;

pub use error::{Error, Result};
pub use leaderboard::leaderboard;
pub use metric::{Aggregation, InputType, Metric, MetricDescriptor, MetricInput, RowScore};
pub use predict::predict;
pub use prediction::{Likelihood, Outcome, Prediction, Questions, Scored};
pub use report::{Reduce, Report, ReportOptions, ScoredArm, report};
pub use score::{check_inputs, check_scores, score};
pub use signature::sign;
