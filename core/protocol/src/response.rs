//! What a request comes to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::plugin::PluginReport;

/// The result of a request; its variants mirror [`crate::Request`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "snake_case")]
#[allow(missing_docs, reason = "each variant wraps a documented type")]
pub enum Response {
    Done,
    Device(DeviceInfo),
    Models { models: Vec<ModelInfo> },
    Adapters { adapters: Vec<AdapterInfo> },
    Datasets { datasets: Vec<DatasetInfo> },
    Runs { runs: Vec<RunInfo> },
    RunRecord(RunDetails),
    RunDiff(RunDiff),
    Plugins { plugins: Vec<PluginInfo> },
    Plugin(PluginReport),
    Leaderboard { rows: Vec<ScoreRow> },
    Loaded(ModelInfo),
    Dataset(DatasetInfo),
    Synthesized(Synthesized),
    Shown(Shown),
    Rows { path: String, n_rows: u64, fingerprint: String },
    Reviewed(Reviewed),
    Finetuned(Finetuned),
    TrainingChecked(TrainingCheck),
    Planned(TrainingPlan),
    Asked(Asked),
    Evaluated(Evaluation),
    Exported(Exported),
    Pushed(Pushed),
    Pulled(Pulled),
    Predicted { predictions: String, path: String, n_rows: u64, signature: Signature },
}

/// Files of a model or adapter, and how near they are to what they were made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exported {
    /// The model or adapter.
    pub source: String,
    /// The new model's name, if it was merged into the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `safetensors`, `peft` or `gguf`.
    pub format: String,
    /// `F32`, `BF16`, `Q4_K_M`, …
    pub dtype: String,
    /// Where the files are.
    pub dir: String,
    /// Name and size.
    pub files: Vec<(String, u64)>,
    pub proof: Proof,
    /// What a consumer will do otherwise.
    pub warnings: Vec<String>,
}

/// The exported files, loaded again, against base + adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// Where the prompts came from: `shop, split test` or `built-in texts`.
    pub prompts: String,
    pub n_prompts: u64,
    pub n_positions: u64,
    /// Largest difference of a logit, and what it may be.
    pub max_difference: f64,
    pub max_difference_limit: f64,
    /// Largest logit of the original, for scale.
    pub max_logit: f64,
    /// Mean Kullback-Leibler divergence per position in nats, and what it may be.
    pub mean_kl: f64,
    pub mean_kl_limit: f64,
    /// Share of positions with the same most likely token.
    pub top1_agreement: f64,
    /// What the adapter changes: mean divergence of the base alone, for scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter_kl: Option<f64>,
}

/// A commit on the hub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pushed {
    /// `org/name`.
    pub repository: String,
    pub commit: String,
    pub url: String,
    /// Names in the repository.
    pub files: Vec<String>,
    pub n_bytes: u64,
    /// Bytes that the hub did not have.
    pub n_sent_bytes: u64,
}

/// Something of the hub that is now in the project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pulled {
    /// `org/name`.
    pub repository: String,
    pub commit: String,
    /// `model`, `adapter` or `dataset`.
    pub kind: String,
    /// Its name in the project.
    pub name: String,
    /// Where it is.
    pub dir: String,
    /// Rows of a dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_rows: Option<u64>,
}

/// What a training run will need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingPlan {
    /// The model, as it was asked for.
    pub model: String,
    pub n_parameters: u64,
    pub n_trainable: u64,
    pub n_examples: u64,
    /// Tokens of the longest example.
    pub longest_tokens: u64,
    /// Tokens of the largest micro-batch.
    pub batch_tokens: u64,
    /// Peak memory of the engine's process.
    pub peak_bytes: u64,
    /// What it is made of, the largest first; together `peak_bytes`.
    pub parts: Vec<MemoryPart>,
    /// Memory that the process could have.
    pub available_bytes: u64,
    pub fits: bool,
    /// Largest micro-batch of the longest example that fits; 0 if none does.
    pub largest_batch_size: u64,
    /// Longest example of which the recipe's batch size fits; at most the model's context.
    pub largest_seq_len: u64,
    pub total_steps: u64,
    /// The largest micro-batch, forward and backward.
    pub seconds_per_batch: f64,
    /// Its slowest block: how long an interrupt may take.
    pub seconds_per_block: f64,
    /// The whole run, without saving checkpoints.
    pub seconds: f64,
    pub warnings: Vec<String>,
}

/// A part of a plan's memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemoryPart {
    /// Such as `weights`.
    pub name: String,
    pub bytes: u64,
}

/// What the engine runs on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// `cpu` or `cuda:0`.
    pub device: String,
    /// The processor's or card's own name.
    pub name: String,
    /// Worker threads.
    pub threads: usize,
    /// Memory of the machine or card.
    pub memory_bytes: u64,
    /// Resident memory of the engine.
    pub resident_bytes: u64,
    /// Engine version and build.
    pub engine: String,
    /// The engine's process id.
    pub pid: u32,
    /// Names of loaded models.
    pub loaded: Vec<String>,
}

/// A model that can be named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    pub name: String,
    /// `built-in` or a directory.
    pub source: String,
    pub architecture: String,
    pub n_parameters: u64,
    pub n_layers: usize,
    pub hidden_size: usize,
    pub vocab_size: usize,
    pub max_seq_len: usize,
    pub dtype: String,
    pub loaded: bool,
    /// Hash of the weights; empty until loaded once.
    pub fingerprint: String,
    /// From the model card: held-out perplexity, training text, licence.
    pub notes: String,
}

/// A trained adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdapterInfo {
    pub name: String,
    pub base_model: String,
    pub dir: String,
    pub method: String,
    pub n_trainable: u64,
    pub run: String,
    pub data: String,
    pub final_loss: f64,
    pub created: String,
}

/// A dataset of the project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetInfo {
    pub name: String,
    /// Content hash, `sha256:…`.
    pub fingerprint: String,
    pub n_rows: u64,
    /// Rows by split, in order of first appearance.
    pub splits: Vec<(String, u64)>,
    /// Name and Arrow type of each column.
    pub columns: Vec<(String, String)>,
    /// Template id, if a plugin renders it.
    pub template: Option<String>,
    /// Where rows came from.
    pub source: String,
    /// requested = kept + rejected + failed, by reason.
    pub accounting: Accounting,
    /// First rows, as text, in the order of `columns`.
    pub sample: Vec<Vec<String>>,
    /// Findings of the data lint.
    pub warnings: Vec<String>,
}

/// A dataset that a language model was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Synthesized {
    /// The dataset; none of a preview.
    pub dataset: Option<DatasetInfo>,
    /// The model that was asked.
    pub model: String,
    pub requests: u64,
    pub failed_requests: u64,
    /// Answers taken over from a run that was interrupted; counted in `requests`, not asked again.
    pub resumed_requests: u64,
    /// As far as the server says.
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// Of all tokens, if both prices are known.
    pub cost: Option<f64>,
    /// Topic, rows asked, rows kept.
    pub topics: Vec<(String, u64, u64)>,
    /// The first prompts, if only those were wanted: turns as role and text.
    pub preview: Vec<Vec<(String, String)>>,
    pub seconds: f64,
}

/// requested = kept + Σ rejected + Σ failed, always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounting {
    pub requested: u64,
    pub kept: u64,
    /// By reason: duplicates, empty results, failed validation.
    pub rejected: BTreeMap<String, u64>,
    /// By reason: rows that could not be made or read.
    pub failed: BTreeMap<String, u64>,
}

/// A run, running or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    pub run: String,
    pub name: String,
    /// `running`, `paused`, `finished`, `failed` or `broken` (the engine died under it).
    pub status: String,
    pub model: String,
    pub data: String,
    pub global_step: u64,
    pub total_steps: u64,
    pub loss: Option<f64>,
    pub started: String,
    pub seconds: f64,
    /// Why it ended, if not well.
    pub message: Option<String>,
}

/// Everything on record of one run, as dotted keys and text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDetails {
    pub run: String,
    pub name: String,
    pub status: String,
    pub started: String,
    /// What shapes the result: settings and hashes of what they name.
    pub inputs: Vec<(String, String)>,
    /// What may shape it: processor, threads, build.
    pub environment: Vec<(String, String)>,
    /// What came of it.
    pub outcome: Vec<(String, String)>,
    pub warnings: Vec<String>,
    /// Per-step metrics as Parquet, if the run has ended.
    pub metrics: Option<String>,
}

/// Two runs side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDiff {
    pub run: String,
    pub against: String,
    /// Inputs that differ.
    pub inputs: Vec<Difference>,
    /// How many inputs are equal.
    pub n_equal: usize,
    /// What differs of processor, threads and build.
    pub environment: Vec<Difference>,
    /// All of the outcome, equal or not.
    pub outcome: Vec<Difference>,
}

/// One key of two runs; `None`: one of them does not have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    pub key: String,
    pub run: Option<String>,
    pub against: Option<String>,
}

/// A plugin and its audit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginInfo {
    pub id: String,
    pub version: String,
    /// `template` or `metric`.
    pub kind: String,
    pub summary: String,
    /// What it imports, which is all that it can do.
    pub imports: Vec<String>,
    /// `sha256:…` of the component.
    pub digest: String,
    pub size_bytes: u64,
    /// `built-in` or a path.
    pub source: String,
}

/// Rows, or tokens, to look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    pub data: String,
    pub split: Option<String>,
    pub n_rows: u64,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// One entry per shown row when tokens were asked for.
    pub tokens: Vec<Vec<ShownToken>>,
    /// How long the rows are, when that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lengths: Option<Lengths>,
    /// What the data lint finds, when that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<Vec<Finding>>,
}

/// Lengths of rows in the tokens of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lengths {
    pub model: String,
    /// The model's context.
    pub max_seq_len: u64,
    /// Rows that are longer.
    pub n_too_long: u64,
    /// Whole rows.
    pub tokens: LengthStats,
    /// The tokens that the loss sees.
    pub targets: LengthStats,
    /// Of whole rows.
    pub histogram: Vec<LengthBin>,
}

/// Statistics of lengths; percentiles interpolate between neighbors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LengthStats {
    pub n: u64,
    pub total: u64,
    pub mean: f64,
    pub min: u64,
    pub max: u64,
    pub p50: f64,
    pub p75: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
}

/// How many rows are `from` to `to` tokens long, both included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LengthBin {
    pub from: u64,
    pub to: u64,
    pub n: u64,
}

/// What people have said about a dataset's rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reviewed {
    pub data: String,
    /// Of the version after all edits: what `finetune` trains on.
    pub fingerprint: String,
    /// Of the version that the edits were made to.
    pub source_fingerprint: String,
    /// Rows of the source; their numbers are those of the review.
    pub n_rows: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub corrected: u64,
    pub labeled: u64,
    /// Rows without a verdict.
    pub left: u64,
    /// Edits that this request recorded.
    pub recorded: Vec<ReviewEdit>,
    /// The next rows to look at.
    pub next: Vec<ReviewRow>,
    /// Names of the columns of `next`.
    pub columns: Vec<String>,
}

/// One edit, as it is kept for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewEdit {
    /// Row of the source, from 1.
    pub row: u64,
    /// `accept`, `reject`, `correct` or `label`.
    pub action: String,
    /// The column that is corrected or labeled.
    pub column: Option<String>,
    pub old: Option<String>,
    pub new: Option<String>,
    pub reason: Option<String>,
    pub who: String,
    /// RFC 3339, UTC.
    pub at: String,
}

/// A row under review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewRow {
    /// From 1, in the source.
    pub row: u64,
    /// `accepted`, `rejected` or `corrected`; None if nobody has judged it.
    pub verdict: Option<String>,
    /// Cells in the order of `columns`, corrections and labels included.
    pub cells: Vec<String>,
}

/// One token and whether the loss sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownToken {
    pub id: u32,
    pub text: String,
    /// Trained on.
    pub target: bool,
    /// A special token.
    pub special: bool,
}

/// Something that the data lint found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its name, as `allow` takes it: `all-masked`.
    pub name: String,
    /// Stops a run, unless allowed; else it is a warning.
    pub is_error: bool,
    /// The person let it pass by name.
    #[serde(default)]
    pub allowed: bool,
    /// Rows that have it, counted from 1 in the split that was looked at; the first ones.
    pub rows: Vec<u64>,
    /// How many rows have it; 0 if it is not about rows.
    pub n_rows: u64,
    /// What is wrong, in one sentence.
    pub message: String,
    /// The first of those rows, shortened.
    pub excerpt: String,
    /// What to do about it.
    pub remedy: String,
}

impl std::fmt::Display for Finding {
    /// `error all-masked: rows 2, 5: no token to learn` with excerpt and remedy below.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let severity = match (self.is_error, self.allowed) {
            (true, false) => "error",
            (true, true) => "allowed",
            (false, _) => "warning",
        };
        write!(f, "{severity} {}: ", self.name)?;
        if self.n_rows > 0 {
            let rows: Vec<String> = self.rows.iter().map(u64::to_string).collect();
            let (noun, more) = (if self.n_rows == 1 { "row" } else { "rows" }, self.n_rows - self.rows.len() as u64);
            write!(f, "{noun} {}", rows.join(", "))?;
            if more > 0 {
                write!(f, " and {more} more")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)?;
        if !self.excerpt.is_empty() {
            write!(f, "\n    {}", self.excerpt)?;
        }
        if !self.remedy.is_empty() {
            write!(f, "\n    remedy: {}", self.remedy)?;
        }
        Ok(())
    }
}

/// A finished training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finetuned {
    pub run: String,
    pub name: String,
    pub adapter_dir: String,
    pub steps: u64,
    pub final_loss: f64,
    pub seconds: f64,
    pub n_trainable: u64,
    pub n_examples: u64,
    pub n_target_tokens: u64,
    pub tokens_per_second: f64,
    /// Loss by step, at most 500 points.
    pub losses: Vec<(u64, f64)>,
    /// Evaluation loss by step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub eval_losses: Vec<(u64, f64)>,
    /// The step whose weights the adapter has, if it is not the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_step: Option<u64>,
    /// It ended early: evaluations did not get better.
    #[serde(default)]
    pub stopped_early: bool,
    /// Rows dropped or cut, and why.
    pub warnings: Vec<String>,
}

/// The training invariances of a recipe, measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingCheck {
    pub model: String,
    pub data: String,
    /// Rows that every short run trained on.
    pub n_rows: u64,
    /// Optimizer steps of each.
    pub n_steps: u64,
    pub checks: Vec<CheckLine>,
    /// All of them hold.
    pub passed: bool,
    pub seconds: f64,
}

/// One invariance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckLine {
    pub name: String,
    /// What was compared.
    pub detail: String,
    /// The largest difference found.
    pub measured: f64,
    /// The largest difference allowed.
    pub tolerance: f64,
    /// What is measured.
    pub unit: String,
    pub passed: bool,
}

/// Generated text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    pub model: String,
    /// The whole rendered prompt.
    pub rendered: String,
    pub completion: String,
    /// What the task template took out of the completion; none found, or no template: empty.
    pub answer: Option<String>,
    pub n_prompt_tokens: usize,
    pub n_new_tokens: usize,
    /// `stop` or `length`.
    pub finish_reason: String,
    pub seconds: f64,
}

/// Scores of all arms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    pub name: String,
    pub data: String,
    pub split: String,
    pub confidence: f64,
    pub rows: Vec<ScoreRow>,
    /// Every later arm against the first, and each other pair, by part.
    pub comparisons: Vec<Comparison>,
    /// Rows side by side where arms disagree.
    pub examples: Vec<ExampleRow>,
    /// Parquet file of every prediction.
    pub predictions: String,
    pub seconds: f64,
}

/// One score: an arm, a metric, a part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreRow {
    /// Label of the arm.
    pub model: String,
    pub metric: String,
    /// Which part of the split; `all` if it has none.
    pub part: String,
    /// Rates as fractions. None if no row could be scored.
    pub mean: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// Rows asked.
    pub n: u64,
    /// Share of rows that have a score; an error is never a score of zero.
    pub coverage: f64,
    /// Reasons why rows have none.
    pub errors: BTreeMap<String, u64>,
    /// How the interval was made: `wilson`, `bootstrap(1000)` or `bootstrap(1000, clustered)`.
    pub interval: String,
    /// How rows are combined: `mean`, `proportion`, `ratio`, `quantile(0.5)` or `corpus`.
    #[serde(default)]
    pub aggregation: String,
    pub higher_is_better: bool,
    pub signature: Signature,
    /// The evaluation this is from.
    pub evaluation: String,
}

/// Everything a number depends on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// Short hash over all the rest.
    pub id: String,
    pub data: String,
    pub prompt_template: String,
    pub plugin: String,
    pub weights: String,
    pub adapter: String,
    pub tokenizer: String,
    pub generation: String,
    pub num_fewshot: usize,
    pub seed: u64,
    pub engine: String,
    /// Computed by the client's own closure, outside the sandbox.
    pub local: bool,
}

/// A paired comparison on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    pub metric: String,
    pub part: String,
    pub model: String,
    pub against: String,
    /// Mean of (model − against) over rows that both have.
    pub difference: f64,
    pub low: f64,
    pub high: f64,
    pub n: u64,
    /// Rows only `model` gets right, rows only `against` does.
    pub wins: u64,
    pub losses: u64,
    /// Two-sided, of the named test.
    pub p_value: Option<f64>,
    /// `mcnemar` (exact, for zeros and ones) or `randomization(10000)`; empty without a p-value.
    #[serde(default)]
    pub test: String,
    /// As in [`ScoreRow`].
    #[serde(default)]
    pub aggregation: String,
}

/// One row of the split under every arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExampleRow {
    pub part: String,
    pub prompt: String,
    pub reference: String,
    /// Arm label, answer, score.
    pub answers: Vec<(String, String, Option<f64>)>,
}
