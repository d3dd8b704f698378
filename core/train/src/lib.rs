//! Training: from token sequences and a model with gradients to a trained model, with nothing
//! lost on the way. [`fit()`] is the loop; everything else is one concept per module.
//!
//! Per optimizer step `t` (from 0), over all target tokens of all its micro-batches:
//!
//! ```text
//! g   = d( Σ nll / n_targets ) / dw        one mean over the whole step, not a mean of means
//! g   = g · min(1, max_grad_norm / (‖g‖ + 1e-6))
//! w   = optimizer(w, g, learning_rate · schedule(t))
//! ```
//!
//! `N` steps equal `k` steps, a resume and `N − k` steps bit for bit: order and dropout are
//! functions of (seed, step), and a checkpoint holds everything else.
//!
//! Must not know: datasets, prompts, evaluation, the engine, plugins.

pub mod adamw;
pub mod audit;
pub mod checkpoint;
pub mod config;
mod error;
pub mod fit;
pub mod gradients;
pub mod invariance;
pub mod objective;
pub mod optimizer;
pub mod schedule;
pub mod source;
pub mod trainable;

pub use checkpoint::CheckpointDir;
pub use config::TrainConfig;
pub use error::{Difference, Error, Result};
pub use fit::{Evaluation, FitData, FitEvent, FitOutcome, FitReport, StepEvent, fit, fit_on};
pub use objective::{DpoLoss, Objective, ObjectiveKind};
pub use optimizer::OptimizerKind;
pub use schedule::Schedule;
pub use source::{ExampleRef, ExampleSource, Labelled};
pub use trainable::Trainable;
