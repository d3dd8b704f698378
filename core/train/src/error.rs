//! Why training could not go on.

use std::fmt;
use std::path::PathBuf;

/// This crate's results.
pub type Result<T> = std::result::Result<T, Error>;

/// What differs between a checkpoint and the run that wants to resume from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `config.learning_rate`, `data`, `model`.
    pub what: String,
    /// The checkpoint's value.
    pub checkpoint: String,
    /// This run's value.
    pub run: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was {}, is {}", self.what, self.checkpoint, self.run)
    }
}

fn join<T: fmt::Display>(items: &[T]) -> String {
    const SHOWN: usize = 8;
    let mut text = items.iter().take(SHOWN).map(T::to_string).collect::<Vec<_>>().join(", ");
    if items.len() > SHOWN {
        text.push_str(&format!(" and {} more", items.len() - SHOWN));
    }
    text
}

fn safe(step: &Option<u64>) -> String {
    match step {
        Some(step) => format!("training state up to step {step} is safe"),
        None => "no earlier checkpoint exists".into(),
    }
}

/// Why training could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is out of range.
    #[error("{key} = {found} is not possible: expected {expected}")]
    InvalidConfig {
        /// Key of the configuration, as `learning_rate`.
        key: &'static str,
        /// What is accepted.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// There is not one example.
    #[error("there is nothing to train on: the training data has no examples")]
    NoExamples,
    /// Examples in which no token is trained on.
    #[error("{n} of {n_examples} examples have no token to train on (examples {})", join(examples))]
    NoTargets {
        /// How many.
        n: usize,
        /// Of how many.
        n_examples: usize,
        /// Indices of the first few.
        examples: Vec<usize>,
    },
    /// An example's columns do not fit together.
    #[error("example {example} has {n_input_ids} tokens and {n_labels} labels: they must be equal and not 0")]
    MalformedExample {
        /// Index of the example.
        example: usize,
        /// Length of `input_ids`.
        n_input_ids: usize,
        /// Length of `labels`.
        n_labels: usize,
    },
    /// Preferences that are no whole pairs, or too few.
    #[error("{n_examples} examples cannot be compared: this objective takes them {per_unit} by {per_unit}, at least 2")]
    IncompleteUnit {
        /// How many there are.
        n_examples: usize,
        /// How many belong together.
        per_unit: usize,
    },
    /// Evaluation is asked for, and there is nothing to evaluate on.
    #[error("eval_steps is {eval_steps}, but there is no evaluation data")]
    NoEvaluationData {
        /// As configured.
        eval_steps: u64,
    },
    /// Nothing is trainable.
    #[error("the model has no trainable tensor")]
    NothingTrainable,
    /// The loss is infinite or not a number.
    #[error(
        "the loss of step {step} is {loss}: {}; examples of the step: {}; {}",
        match (tensor, largest) {
            (Some(name), _) => format!("tensor {name} is not finite"),
            (None, Some(largest)) => {
                let (name, value) = &**largest;
                format!("every weight is finite, the largest ({value:.1e}) is in tensor {name}")
            }
            (None, None) => "every weight is finite".to_owned(),
        },
        join(examples),
        safe(safe_step)
    )]
    NonFiniteLoss {
        /// Optimizer step, from 1.
        step: u64,
        /// What the loss was.
        loss: f64,
        /// First tensor that holds an infinity or NaN, if it is the weights.
        tensor: Option<String>,
        /// Else the trained tensor with the largest magnitude, and that.
        largest: Option<Box<(String, f32)>>,
        /// Indices of the examples of this step.
        examples: Vec<usize>,
        /// Newest step that lies complete on disk.
        safe_step: Option<u64>,
    },
    /// A gradient is infinite or not a number.
    #[error(
        "step {step}: the gradient of {} is not finite; examples of the step: {}; {}",
        join(tensors),
        join(examples),
        safe(safe_step)
    )]
    NonFiniteGradient {
        /// Optimizer step, from 1.
        step: u64,
        /// Names of the tensors.
        tensors: Vec<String>,
        /// Indices of the examples of this step.
        examples: Vec<usize>,
        /// Newest step that lies complete on disk.
        safe_step: Option<u64>,
    },
    /// An evaluation's loss is infinite or not a number.
    #[error("the evaluation after step {step} has a loss of {loss}; {}", safe(safe_step))]
    NonFiniteEvaluation {
        /// Optimizer steps done.
        step: u64,
        /// What the loss was.
        loss: f64,
        /// Newest step that lies complete on disk.
        safe_step: Option<u64>,
    },
    /// The gradient-flow audit failed.
    #[error(
        "no gradient has reached {} up to step {step}: {} would never be trained",
        join(tensors), if tensors.len() == 1 { "it" } else { "they" }
    )]
    NoGradient {
        /// Optimizer step of the verdict, from 1.
        step: u64,
        /// Names of the tensors.
        tensors: Vec<String>,
    },
    /// The model counted other targets than the labels have.
    #[error("step {step}: the model trained on {model} tokens where the labels have {labels}")]
    TargetCount {
        /// Optimizer step, from 1.
        step: u64,
        /// Counted by the model.
        model: usize,
        /// Counted in the labels.
        labels: usize,
    },
    /// A checkpoint could not be written.
    #[error("the checkpoint of step {step} could not be written to {}: {source}; {}", dir.display(), safe(safe_step))]
    CheckpointNotWritten {
        /// The step that was to be saved.
        step: u64,
        /// Newest step that lies complete on disk.
        safe_step: Option<u64>,
        /// The directory of checkpoints.
        dir: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// A checkpoint directory could not be read, listed or cleaned.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// A checkpoint is damaged.
    #[error("the checkpoint {} is damaged: {reason}", path.display())]
    CorruptCheckpoint {
        /// The checkpoint's directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Every checkpoint is damaged.
    #[error("none of the {n} checkpoints in {} can be read; the newest: {newest}", dir.display())]
    NoReadableCheckpoint {
        /// The directory of checkpoints.
        dir: PathBuf,
        /// How many were tried.
        n: usize,
        /// What is wrong with the newest.
        newest: String,
    },
    /// A checkpoint was written by another version of the format.
    #[error("the checkpoint {} has format version {found}, this build reads version {expected}", path.display())]
    CheckpointVersion {
        /// The checkpoint's directory.
        path: PathBuf,
        /// Version found.
        found: u64,
        /// Version that is read.
        expected: u64,
    },
    /// A fresh run was asked for where checkpoints lie.
    #[error("{} holds a checkpoint of step {step}: resume it, or choose another directory", dir.display())]
    CheckpointsExist {
        /// The directory of checkpoints.
        dir: PathBuf,
        /// Newest step.
        step: u64,
    },
    /// The run is not the one that was saved.
    #[error("the checkpoint of step {step} is from another run: {}", join(differences))]
    Mismatch {
        /// The checkpoint's step.
        step: u64,
        /// Everything that differs.
        differences: Vec<Difference>,
    },
    /// The model failed.
    #[error(transparent)]
    Model(#[from] luthier_model::Error),
}

impl Error {
    /// The same error, saying which step lies complete on disk.
    pub(crate) fn with_safe_step(mut self, checkpoints: &crate::CheckpointDir) -> Self {
        let newest = checkpoints.steps().ok().and_then(|steps| steps.last().copied());
        if let Error::NonFiniteLoss { safe_step, .. }
        | Error::NonFiniteGradient { safe_step, .. }
        | Error::NonFiniteEvaluation { safe_step, .. } = &mut self
        {
            *safe_step = newest;
        }
        self
    }
}
