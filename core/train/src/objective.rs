//! What a run minimizes: the likelihood of given text, or a preference between texts.
//!
//! | name | one unit of data | loss |
//! |---|---|---|
//! | `sft` | a sequence | mean negative log-likelihood of the targets |
//! | `dpo` | chosen and rejected | `−log σ(β·Δ)`, Δ the difference of log-ratios to the reference |
//! | `orpo` | chosen and rejected | likelihood of the chosen and the log-odds against the rejected; no reference |
//! | `kto` | a sequence with a thumb up or down | `1 − σ(±β·(log-ratio − KL))`, weighted by thumb |
//!
//! The reference is the model as the run starts; its log-probabilities are computed once, before the
//! first step. Losses equal those of TRL (`tests/oracles/preference.py`).

pub(crate) mod batch;
pub mod loss;
pub(crate) mod reference;

use serde::{Deserialize, Serialize};

use crate::config::check;
use crate::{Result, TrainConfig};

/// Which loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectiveKind {
    /// Supervised fine-tuning.
    #[default]
    Sft,
    /// Direct preference optimization (Rafailov et al., 2023).
    Dpo,
    /// Odds ratio preference optimization (Hong et al., 2024).
    Orpo,
    /// Kahneman-Tversky optimization (Ethayarajh et al., 2024).
    Kto,
}

/// The shape of DPO's loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DpoLoss {
    /// `−(1 − ε) log σ(βΔ) − ε log σ(−βΔ)`, ε the label smoothing (with ε = 0 the paper's loss).
    #[default]
    Sigmoid,
    /// `max(0, 1 − βΔ)`.
    Hinge,
    /// `(Δ̄ − 1/(2β))²`, Δ̄ of log-ratios per token (Azar et al., 2023).
    Ipo,
    /// Unbiased under labels flipped with probability ε (Chowdhury et al., 2024).
    Robust,
}

/// The objective with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objective {
    /// Which loss.
    pub kind: ObjectiveKind,
    /// How strongly the policy is held to the reference (for ORPO: weight of the odds ratio).
    pub beta: f64,
    /// DPO's loss.
    pub dpo_loss: DpoLoss,
    /// Probability that a preference is the wrong way round (DPO: `sigmoid` and `robust`).
    pub label_smoothing: f64,
    /// KTO: weight of desirable examples.
    pub desirable_weight: f64,
    /// KTO: weight of undesirable examples.
    pub undesirable_weight: f64,
}

impl Default for Objective {
    /// TRL's defaults.
    fn default() -> Self {
        Objective {
            kind: ObjectiveKind::Sft,
            beta: 0.1,
            dpo_loss: DpoLoss::Sigmoid,
            label_smoothing: 0.0,
            desirable_weight: 1.0,
            undesirable_weight: 1.0,
        }
    }
}

impl Objective {
    /// Compares sequences instead of predicting tokens.
    pub fn is_preference(&self) -> bool {
        self.kind != ObjectiveKind::Sft
    }

    /// Consecutive examples that belong together: chosen, then rejected.
    pub fn examples_per_unit(&self) -> usize {
        match self.kind {
            ObjectiveKind::Sft | ObjectiveKind::Kto => 1,
            ObjectiveKind::Dpo | ObjectiveKind::Orpo => 2,
        }
    }

    /// Needs the log-probabilities of the model that the run starts from.
    pub(crate) fn has_reference(&self) -> bool {
        matches!(self.kind, ObjectiveKind::Dpo | ObjectiveKind::Kto)
    }

    pub(crate) fn validate(&self, config: &TrainConfig) -> Result<()> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        check(positive(self.beta), "beta", "a number above 0", &self.beta.to_string())?;
        let (smoothing, limit) = (self.label_smoothing, if self.dpo_loss == DpoLoss::Robust { 0.5 } else { 1.0 });
        let smooth = (0.0..limit).contains(&smoothing);
        let expected = "a probability from 0 to below 1 (below 0.5 for the robust loss)";
        check(smooth, "label_smoothing", expected, &smoothing.to_string())?;
        let (up, down) = (self.desirable_weight, self.undesirable_weight);
        check(positive(up), "desirable_weight", "a number above 0", &up.to_string())?;
        check(positive(down), "undesirable_weight", "a number above 0", &down.to_string())?;
        if !self.is_preference() {
            return Ok(());
        }
        check(config.pack_tokens.is_none(), "packing", "false: preference tuning does not pack", "true")?;
        check(config.neftune_alpha.is_none(), "neftune_alpha", "no noise with preference tuning", "a value")?;
        let enough = self.kind != ObjectiveKind::Kto || config.batch_size > 1;
        check(enough, "batch_size", "at least 2: KTO estimates a KL divergence from other rows of the batch", "1")
    }
}

#[cfg(test)]
mod tests;
