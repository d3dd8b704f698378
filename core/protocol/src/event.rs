//! What happens between a request and its result.

use serde::{Deserialize, Serialize};

/// Something worth showing while a request is served. Losing one loses no result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run has an id from here on, and survives its cell.
    RunStarted { run: String, name: String, total_steps: u64, resumed_from: Option<u64> },
    /// One optimizer step.
    Step(StepEvent),
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
    /// Mean negative log-likelihood per trained token, in nats.
    pub loss: f64,
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
