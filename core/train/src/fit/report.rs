//! What a run says while it goes on, and at its end.

use std::collections::BTreeMap;

/// Something that happened. Losing one loses no result.
#[derive(Debug, Clone, PartialEq)]
pub enum FitEvent {
    /// The first event: how far it is to go, and the step of the checkpoint that it goes on from.
    Started {
        /// Steps in the whole run.
        total_steps: u64,
        /// Step of the checkpoint, if the run was resumed.
        resumed_from: Option<u64>,
    },
    /// The reference of a preference objective is being computed.
    Reference {
        /// Units done.
        done: usize,
        /// Units in all.
        total: usize,
    },
    /// One optimizer step.
    Step(StepEvent),
    /// One look at the evaluation data.
    Evaluation(Evaluation),
    /// No evaluation has been better for as long as the run is patient: it ends.
    StoppedEarly {
        /// Optimizer steps done.
        step: u64,
    },
    /// A checkpoint of this step lies on disk.
    Checkpoint {
        /// Optimizer steps done.
        step: u64,
    },
    /// Something to know that stops nothing.
    Warning(String),
}

/// Measurements of one optimizer step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepEvent {
    /// Optimizer steps done, from 1.
    pub global_step: u64,
    /// Steps in the whole run.
    pub total_steps: u64,
    /// Epochs done, fractional.
    pub epoch: f64,
    /// The objective's loss: for `sft` the mean negative log-likelihood per trained token, in nats.
    pub loss: f64,
    /// Further means of the step, by name: rewards of a preference objective.
    pub metrics: BTreeMap<String, f64>,
    /// The learning rate of this step.
    pub learning_rate: f64,
    /// L2 norm of all gradients before clipping.
    pub grad_norm: f64,
    /// Tokens trained on in this step.
    pub n_target_tokens: u64,
    /// All tokens of the step, per second.
    pub tokens_per_second: f64,
    /// Seconds since the run started or was resumed.
    pub elapsed_s: f64,
}

/// The loss on the evaluation data after a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Optimizer steps done.
    pub step: u64,
    /// The objective's loss over all evaluation data, without dropout or noise.
    pub loss: f64,
    /// Target tokens evaluated.
    pub n_target_tokens: u64,
    /// Whether it is the lowest so far.
    pub is_best: bool,
    /// Further means by name.
    pub metrics: BTreeMap<String, f64>,
}

/// How a run ended, if not by an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FitOutcome {
    /// All steps are done.
    Finished,
    /// Somebody cancelled; a checkpoint of this step lies on disk.
    Paused {
        /// Optimizer steps done.
        step: u64,
    },
}

/// The whole run in numbers, the time before a resume included.
#[derive(Debug, Clone, PartialEq)]
pub struct FitReport {
    /// How it ended.
    pub outcome: FitOutcome,
    /// Optimizer steps done.
    pub global_step: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Step of the checkpoint that it went on from.
    pub resumed_from: Option<u64>,
    /// Mean loss of every step, in nats per trained token.
    pub losses: Vec<f64>,
    /// Tokens trained on.
    pub n_target_tokens: u64,
    /// Examples in the data.
    pub n_examples: u64,
    /// Trainable values.
    pub n_trainable: u64,
    /// Every evaluation, in order.
    pub evaluations: Vec<Evaluation>,
    /// It ended before its last step, for evaluations did not get better.
    pub stopped_early: bool,
    /// The step whose weights the model holds now: the best evaluation's if that was asked for.
    pub result_step: u64,
    /// Seconds spent training.
    pub seconds: f64,
    /// All tokens per second, since the start or resume.
    pub tokens_per_second: f64,
    /// Things to know that stopped nothing.
    pub warnings: Vec<String>,
}

impl FitReport {
    /// Loss of the last step; `None` if there was none.
    pub fn final_loss(&self) -> Option<f64> {
        self.losses.last().copied()
    }

    /// The best evaluation.
    pub fn best(&self) -> Option<&Evaluation> {
        self.evaluations.iter().rev().find(|evaluation| evaluation.is_best)
    }
}
