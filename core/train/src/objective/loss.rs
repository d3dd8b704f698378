//! Preference losses and their derivatives, on log-probabilities alone. Everything is f64: these
//! are a few numbers per sequence.
//!
//! A loss is given per pair (or example); means over a batch are the caller's.

use super::{DpoLoss, Objective};
use luthier_model::math;

/// Log-probabilities of one pair: sums over the completion's tokens, in nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairLogps {
    /// Of the chosen completion.
    pub chosen: f64,
    /// Of the rejected completion.
    pub rejected: f64,
    /// Tokens of the chosen completion.
    pub n_chosen: usize,
    /// Tokens of the rejected completion.
    pub n_rejected: usize,
}

/// One pair's loss, and what it asks of the policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairLoss {
    /// The loss.
    pub loss: f64,
    /// d loss / d (log-probability of the chosen completion).
    pub d_chosen: f64,
    /// d loss / d (log-probability of the rejected completion).
    pub d_rejected: f64,
    /// Implicit reward of the chosen completion.
    pub chosen_reward: f64,
    /// Implicit reward of the rejected completion.
    pub rejected_reward: f64,
}

/// One example's loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExampleLoss {
    /// The loss.
    pub loss: f64,
    /// d loss / d (log-probability of the completion).
    pub d_logp: f64,
    /// Implicit reward of the completion.
    pub reward: f64,
}

/// Direct preference optimization.
pub fn dpo(objective: &Objective, policy: PairLogps, reference: PairLogps) -> PairLoss {
    let beta = objective.beta;
    let (chosen, rejected) = (policy.chosen - reference.chosen, policy.rejected - reference.rejected);
    let margin = beta * (chosen - rejected);
    let epsilon = objective.label_smoothing;
    // Loss, and its derivative by the margin βΔ.
    let (loss, d_margin) = match objective.dpo_loss {
        DpoLoss::Sigmoid => (
            -(1.0 - epsilon) * log_sigmoid(margin) - epsilon * log_sigmoid(-margin),
            -(1.0 - epsilon) * sigmoid(-margin) + epsilon * sigmoid(margin),
        ),
        DpoLoss::Robust => {
            let scale = 1.0 / (1.0 - 2.0 * epsilon);
            (
                scale * (-(1.0 - epsilon) * log_sigmoid(margin) + epsilon * log_sigmoid(-margin)),
                scale * (-(1.0 - epsilon) * sigmoid(-margin) - epsilon * sigmoid(margin)),
            )
        }
        DpoLoss::Hinge => ((1.0 - margin).max(0.0), if margin < 1.0 { -1.0 } else { 0.0 }),
        DpoLoss::Ipo => {
            let (n_chosen, n_rejected) = (policy.n_chosen.max(1) as f64, policy.n_rejected.max(1) as f64);
            let distance = chosen / n_chosen - rejected / n_rejected - 1.0 / (2.0 * beta);
            return PairLoss {
                loss: distance * distance,
                d_chosen: 2.0 * distance / n_chosen,
                d_rejected: -2.0 * distance / n_rejected,
                chosen_reward: beta * chosen,
                rejected_reward: beta * rejected,
            };
        }
    };
    PairLoss {
        loss,
        d_chosen: beta * d_margin,
        d_rejected: -beta * d_margin,
        chosen_reward: beta * chosen,
        rejected_reward: beta * rejected,
    }
}

/// The odds ratio part of ORPO: `−β · log σ(log odds)` with log-probabilities per token.
pub fn orpo(objective: &Objective, policy: PairLogps) -> PairLoss {
    let beta = objective.beta;
    let (n_chosen, n_rejected) = (policy.n_chosen.max(1) as f64, policy.n_rejected.max(1) as f64);
    let (chosen, rejected) = (policy.chosen / n_chosen, policy.rejected / n_rejected);
    let log_odds = (chosen - rejected) - (log_one_minus_exp(chosen) - log_one_minus_exp(rejected));
    let d_log_odds = -beta * sigmoid(-log_odds);
    // d log(p / (1 − p)) / d log p = 1 / (1 − p)
    let d = |logp: f64| 1.0 / -math::exp_m1(logp);
    PairLoss {
        loss: -beta * log_sigmoid(log_odds),
        d_chosen: d_log_odds * d(chosen) / n_chosen,
        d_rejected: -d_log_odds * d(rejected) / n_rejected,
        chosen_reward: beta * chosen,
        rejected_reward: beta * rejected,
    }
}

/// Kahneman-Tversky optimization of one example: `log_ratio` of policy to reference, and the
/// batch's estimate of their KL divergence (not differentiated).
pub fn kto(objective: &Objective, log_ratio: f64, kl: f64, desirable: bool) -> ExampleLoss {
    let beta = objective.beta;
    let (sign, weight) = match desirable {
        true => (1.0, objective.desirable_weight),
        false => (-1.0, objective.undesirable_weight),
    };
    let value = sigmoid(sign * beta * (log_ratio - kl));
    ExampleLoss {
        loss: weight * (1.0 - value),
        d_logp: -weight * sign * beta * value * (1.0 - value),
        reward: beta * log_ratio,
    }
}

/// The KL divergence that KTO subtracts: the mean log-ratio of mismatched pairs, not below 0.
pub fn kl_estimate(log_ratios: &[f64]) -> f64 {
    (log_ratios.iter().sum::<f64>() / log_ratios.len().max(1) as f64).max(0.0)
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        return 1.0 / (1.0 + math::exp(-x));
    }
    let e = math::exp(x);
    e / (1.0 + e)
}

/// `log σ(x)`, without overflow on either side.
fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - math::ln_1p(math::exp(-x.abs()))
}

/// `log(1 − exp(x))` for `x < 0` (Mächler, 2012).
fn log_one_minus_exp(x: f64) -> f64 {
    if x > -std::f64::consts::LN_2 { math::ln(-math::exp_m1(x)) } else { math::ln_1p(-math::exp(x)) }
}
