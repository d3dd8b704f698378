//! What a client may ask of the engine. One variant per command.

use serde::{Deserialize, Serialize};

use crate::plugin::PluginRequest;
use crate::spec::{
    AskSpec, AttachSpec, DatasetSpec, EvaluateSpec, ExportSpec, FinetuneSpec, HubSpec, MergeSpec, ReviewSpec, ShowSpec,
    SynthesizeSpec,
};

/// A request, in the project directory that its envelope names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// What the engine runs on.
    Device,
    /// Built-in, loaded and known models.
    Models,
    /// Adapters of this project.
    Adapters,
    /// Datasets of this project.
    Datasets,
    /// Runs of this project.
    Runs,
    /// Everything on record of one run.
    RunRecord { run: String },
    /// What two runs have in common, and what not.
    RunDiff { run: String, against: String },
    /// Plugins and what each may do.
    Plugins,
    /// Make, test, install or remove a plugin.
    Plugin(PluginRequest),
    /// All scores of this project, best first.
    Leaderboard,
    /// Load a model and keep it: built-in name or directory.
    Load {
        model: String,
        name: Option<String>,
        /// Use an adapter on a base that it was not trained on, from now on.
        #[serde(default)]
        accept_base: bool,
    },
    /// Keep adapters in memory, or combine several into one.
    Attach(AttachSpec),
    /// Give up an adapter that is kept in memory; none: all.
    Detach { adapter: Option<String> },
    /// Import or generate a dataset.
    Dataset(DatasetSpec),
    /// Have a template ask a language model for a dataset.
    Synthesize(SynthesizeSpec),
    /// Look at rows, their tokens, their lengths or what is wrong with them.
    Show(ShowSpec),
    /// Record what a person says about rows, and show the next ones.
    Review(ReviewSpec),
    /// Write rows to a JSONL file and return its path.
    Rows { data: String, split: Option<String> },
    /// Train.
    Finetune(FinetuneSpec),
    /// Measure the training invariances on a recipe's own model and data: given whole, or as a file.
    CheckTraining { spec: Option<Box<FinetuneSpec>>, recipe: Option<String> },
    /// Memory and time of a training run, before it begins.
    Plan(FinetuneSpec),
    /// Go on with a paused, cancelled or broken run.
    Resume { run: String },
    /// Pause a running run with a checkpoint.
    CancelRun { run: String },
    /// Watch a running run; ends with it.
    Follow { run: String },
    /// Generate text.
    Ask(AskSpec),
    /// Generate answers for every row and score them.
    Evaluate(EvaluateSpec),
    /// Predictions only, as JSONL rows, for scoring in the client.
    Predict(EvaluateSpec),
    /// Store scores that a client's closure computed; marked *local* in the signature.
    RecordLocal { predictions: String, metric: String, scores: Vec<Option<f64>> },
    /// Write a model or adapter as files that other programs load.
    Export(ExportSpec),
    /// An adapter in its base's weights, as a model of the project.
    Merge(MergeSpec),
    /// Put an adapter, model or dataset on the Hugging Face hub.
    Push(HubSpec),
    /// Get an adapter, model or dataset of the hub into the project.
    Pull(HubSpec),
    /// End the engine once nothing runs.
    Shutdown,
}
