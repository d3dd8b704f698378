//! What a run is told: the `[train]` table of a recipe, checked once.

use serde::{Deserialize, Serialize};

use crate::adamw::AdamWConfig;
use crate::objective::Objective;
use crate::optimizer::OptimizerKind;
use crate::schedule::{Schedule, decay_steps, warmup_steps};
use crate::{Error, Result};

/// Settings of a run, with the names and meanings of Hugging Face's `TrainingArguments`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the data, may be fractional; ignored if `max_steps` is given.
    pub epochs: f64,
    /// Optimizer steps.
    pub max_steps: Option<u64>,
    /// Sequences per micro-batch.
    pub batch_size: usize,
    /// Micro-batches per optimizer step. The last step of an epoch may have fewer.
    pub gradient_accumulation_steps: usize,
    /// Sequences are packed into rows of this many tokens, and a micro-batch is `batch_size` rows.
    pub pack_tokens: Option<usize>,
    /// What is minimized.
    pub objective: Objective,
    /// NEFTune: noise on the embeddings while training, of this α (Jain et al., 2023).
    pub neftune_alpha: Option<f64>,
    /// What moves the weights.
    pub optimizer: OptimizerKind,
    /// SGD's momentum.
    pub momentum: f64,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// What follows the warm-up.
    pub schedule: Schedule,
    /// Share of all steps spent warming up; `warmup_steps` wins.
    pub warmup_ratio: f64,
    /// Steps spent warming up.
    pub warmup_steps: Option<u64>,
    /// Share of all steps spent in `wsd`'s decay.
    pub decay_ratio: f64,
    /// Weight decay, on matrices only: decoupled, but for SGD, where it is part of the gradient.
    pub weight_decay: f64,
    /// AdamW's first and second moment decay.
    pub betas: (f64, f64),
    /// AdamW's epsilon.
    pub epsilon: f64,
    /// Gradient norm above which gradients are scaled down; 0 switches clipping off.
    pub max_grad_norm: f64,
    /// Seed of order and dropout.
    pub seed: u64,
    /// Steps between checkpoints; 0: only at the end and on an interrupt.
    pub checkpoint_steps: u64,
    /// Newest checkpoints kept, besides the best.
    pub keep_checkpoints: usize,
    /// Steps between evaluations; 0: none, unless something below needs them.
    pub eval_steps: u64,
    /// The run ends after so many evaluations in a row without a better loss.
    pub early_stopping_patience: Option<u64>,
    /// By how much a loss must be lower to count as better, in nats.
    pub early_stopping_threshold: f64,
    /// The result is the weights of the best evaluation, not the last.
    pub load_best: bool,
}

impl Default for TrainConfig {
    fn default() -> Self {
        TrainConfig {
            epochs: 1.0,
            max_steps: None,
            batch_size: 16,
            gradient_accumulation_steps: 1,
            pack_tokens: None,
            objective: Objective::default(),
            neftune_alpha: None,
            optimizer: OptimizerKind::AdamW,
            momentum: 0.9,
            learning_rate: 2e-4,
            schedule: Schedule::Cosine,
            warmup_ratio: 0.03,
            warmup_steps: None,
            decay_ratio: 0.1,
            weight_decay: 0.0,
            betas: (0.9, 0.999),
            epsilon: 1e-8,
            max_grad_norm: 1.0,
            seed: 0,
            checkpoint_steps: 50,
            keep_checkpoints: 2,
            eval_steps: 0,
            early_stopping_patience: None,
            early_stopping_threshold: 0.0,
            load_best: false,
        }
    }
}

impl TrainConfig {
    /// Every value in its range.
    pub fn validate(&self) -> Result<()> {
        let beta = |beta: f64| (0.0..1.0).contains(&beta);
        let non_negative = |value: f64| value.is_finite() && value >= 0.0;
        let (betas, epochs) = (format!("{:?}", self.betas), self.epochs.to_string());
        let too_many = self.max_steps.is_none() && !(self.epochs.is_finite() && self.epochs > 0.0);
        check(!too_many, "epochs", "a number above 0", &epochs)?;
        check(self.max_steps != Some(0), "max_steps", "at least 1", "0")?;
        check(self.batch_size > 0, "batch_size", "at least 1", "0")?;
        check(self.gradient_accumulation_steps > 0, "gradient_accumulation_steps", "at least 1", "0")?;
        let learning_rate = self.learning_rate;
        let positive = learning_rate.is_finite() && learning_rate > 0.0;
        check(positive, "learning_rate", "a number above 0", &learning_rate.to_string())?;
        let ratio = self.warmup_ratio;
        check((0.0..=1.0).contains(&ratio), "warmup_ratio", "a share from 0 to 1", &ratio.to_string())?;
        let decay = self.weight_decay;
        check(non_negative(decay), "weight_decay", "a number of at least 0", &decay.to_string())?;
        check(beta(self.betas.0) && beta(self.betas.1), "betas", "two numbers from 0 to below 1", &betas)?;
        let epsilon = self.epsilon;
        check(epsilon.is_finite() && epsilon > 0.0, "epsilon", "a number above 0", &epsilon.to_string())?;
        let norm = self.max_grad_norm;
        check(non_negative(norm), "max_grad_norm", "a number of at least 0", &norm.to_string())?;
        check(beta(self.momentum), "momentum", "a number from 0 to below 1", &self.momentum.to_string())?;
        let ratio = self.decay_ratio;
        check((0.0..=1.0).contains(&ratio), "decay_ratio", "a share from 0 to 1", &ratio.to_string())?;
        self.validate_watching()?;
        self.objective.validate(self)
    }

    /// What watches over a run.
    fn validate_watching(&self) -> Result<()> {
        check(self.keep_checkpoints > 0, "keep_checkpoints", "at least 1", "0")?;
        check(self.pack_tokens != Some(0), "max_seq_len", "at least 1 token per packed row", "0")?;
        let alpha = self.neftune_alpha.unwrap_or(1.0);
        let positive = alpha.is_finite() && alpha > 0.0;
        check(positive, "neftune_alpha", "a number above 0", &alpha.to_string())?;
        check(self.early_stopping_patience != Some(0), "early_stopping_patience", "at least 1", "0")?;
        let threshold = self.early_stopping_threshold;
        let non_negative = threshold.is_finite() && threshold >= 0.0;
        check(non_negative, "early_stopping_threshold", "a number of at least 0", &threshold.to_string())?;
        let evaluates = self.eval_steps > 0;
        let patience = self.early_stopping_patience.is_none() || evaluates;
        check(patience, "eval_steps", "at least 1: early stopping looks at evaluations", "0")?;
        check(!self.load_best || evaluates, "eval_steps", "at least 1: `load_best` looks at evaluations", "0")
    }

    /// The result is the best evaluation's weights: asked for, or implied by early stopping.
    pub fn keeps_best(&self) -> bool {
        self.load_best || self.early_stopping_patience.is_some()
    }

    /// Optimizer steps of the whole run, when an epoch has `steps_per_epoch`.
    pub fn total_steps(&self, steps_per_epoch: u64) -> u64 {
        self.max_steps.unwrap_or_else(|| (self.epochs * steps_per_epoch as f64).ceil().max(1.0) as u64)
    }

    /// Steps of warm-up in a run of `total_steps`.
    pub fn n_warmup_steps(&self, total_steps: u64) -> u64 {
        self.warmup_steps.unwrap_or_else(|| warmup_steps(self.warmup_ratio, total_steps))
    }

    /// Learning rate of the step that follows `step` finished ones.
    pub fn learning_rate_at(&self, step: u64, total_steps: u64) -> f64 {
        let n_warmup_steps = self.n_warmup_steps(total_steps);
        let n_decay_steps = decay_steps(self.decay_ratio, total_steps);
        self.learning_rate * self.schedule.multiplier(step, n_warmup_steps, n_decay_steps, total_steps)
    }

    /// The optimizer's part.
    pub fn adamw(&self) -> AdamWConfig {
        AdamWConfig { betas: self.betas, epsilon: self.epsilon, weight_decay: self.weight_decay }
    }
}

pub(crate) fn check(holds: bool, key: &'static str, expected: &'static str, found: &str) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::InvalidConfig { key, expected, found: found.into() })
}

#[cfg(test)]
mod tests;
