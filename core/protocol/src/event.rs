//! What happens between a request and its result.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Something worth showing while a request is served. Losing one loses no result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run has an id from here on, and survives its cell.
    RunStarted { run: String, name: String, total_steps: u64, resumed_from: Option<u64> },
    /// One optimizer step.
    Step(StepEvent),
    /// One look at the evaluation data while training.
    Evaluated(EvalEvent),
    /// A checkpoint lies on disk.
    Checkpoint { run: String, step: u64 },
    /// Work of a known or unknown length: `stage` as "generate", "evaluate pico", "import".
    Progress { stage: String, done: u64, total: Option<u64> },
    /// A piece of generated text, in order.
    Text { text: String },
    /// Something the user should know, though it stops nothing.
    Warning { message: String },
}

/// Measurements of one optimizer step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepEvent {
    /// The run's id.
    pub run: String,
    /// Optimizer steps done, from 1.
    pub global_step: u64,
    /// Steps in the whole run.
    pub total_steps: u64,
    /// Epochs done, fractional.
    pub epoch: f64,
    /// Mean negative log-likelihood per trained token, in nats; a preference objective's own loss.
    pub loss: f64,
    /// Further means by name, as `rewards/margins`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// The learning rate of this step.
    pub learning_rate: f64,
    /// L2 norm of all gradients before clipping.
    pub grad_norm: f64,
    /// Tokens trained on (labels that are not ignored).
    pub n_target_tokens: u64,
    /// All tokens of the step, per second.
    pub tokens_per_second: f64,
    /// Seconds since the run started or was resumed.
    pub elapsed_s: f64,
}

/// The loss on the evaluation data after a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvalEvent {
    /// The run's id.
    pub run: String,
    /// Optimizer steps done.
    pub global_step: u64,
    /// Mean loss over all evaluation data, without dropout.
    pub loss: f64,
    /// Target tokens evaluated.
    pub n_target_tokens: u64,
    /// Whether it is the lowest so far.
    pub is_best: bool,
    /// Further means by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
}
