//! The learning rate over time: a warm-up from zero, then a decay. Multipliers of the peak rate,
//! equal to `transformers.optimization.get_{cosine,linear,constant}_schedule_with_warmup` and
//! `get_wsd_schedule` (linear warm-up, cosine decay to 0).
//!
//! ```text
//! step < warmup:   step / max(1, warmup)                       0 at the very first step
//! linear:          (total − step) / max(1, total − warmup)
//! cosine:          ½ (1 + cos(π · (step − warmup) / max(1, total − warmup)))
//! constant:        1
//! wsd:             1, and over the last `decay` steps ½ (1 + cos(π · (step − total + decay) / decay))
//! ```

use std::f64::consts::PI;

use luthier_model::math;
use serde::{Deserialize, Serialize};

/// What follows the warm-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Half a cosine down to zero.
    #[default]
    Cosine,
    /// A straight line down to zero.
    Linear,
    /// No decay.
    Constant,
    /// Warm-up, stable, decay: constant until the last part of the run, then half a cosine to zero.
    Wsd,
}

impl Schedule {
    /// Multiplier of the peak learning rate when `step` optimizer steps have been done.
    /// `n_decay_steps` matters to [`Schedule::Wsd`] alone.
    pub fn multiplier(self, step: u64, n_warmup_steps: u64, n_decay_steps: u64, total_steps: u64) -> f64 {
        if step < n_warmup_steps {
            return step as f64 / n_warmup_steps as f64;
        }
        let decay_steps = total_steps.saturating_sub(n_warmup_steps).max(1) as f64;
        let progress = (step - n_warmup_steps) as f64 / decay_steps;
        match self {
            Schedule::Cosine => (0.5 * (1.0 + math::cos(PI * progress))).max(0.0),
            Schedule::Linear => (1.0 - progress).max(0.0),
            Schedule::Constant => 1.0,
            Schedule::Wsd => {
                // A decay longer than what the warm-up leaves begins after it and is cut short.
                let start = total_steps.saturating_sub(n_decay_steps).max(n_warmup_steps);
                let done = step.saturating_sub(start) as f64 / n_decay_steps.max(1) as f64;
                (0.5 * (1.0 + math::cos(PI * done.min(1.0)))).max(0.0)
            }
        }
    }
}

/// Steps of decay that a share of the run comes to; rounded up.
pub fn decay_steps(ratio: f64, total_steps: u64) -> u64 {
    ((ratio * total_steps as f64).ceil() as u64).min(total_steps)
}

/// Warm-up steps that a share of the run comes to; rounded up, as `TrainingArguments.get_warmup_steps`.
/// Unlike there, a share never takes the whole run: the only step of a one-step run would have a
/// learning rate of 0 and train nothing.
pub fn warmup_steps(ratio: f64, total_steps: u64) -> u64 {
    ((ratio * total_steps as f64).ceil() as u64).min(total_steps.saturating_sub(1))
}

#[cfg(test)]
mod tests;
