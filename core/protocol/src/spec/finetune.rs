//! What is trained, how, and on what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::is_default;

/// `%%finetune NAME`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinetuneSpec {
    /// Name of the adapter that results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Built-in name, loaded name, or directory.
    pub model: String,
    /// Dataset name, or a file that `%%dataset` could import.
    pub data: String,
    /// The split trained on.
    #[serde(default = "train_split")]
    pub split: String,
    /// What is trained.
    #[serde(default)]
    pub method: Method,
    /// The adapter's shape, whatever the method.
    #[serde(default)]
    pub lora: LoraSpec,
    /// The optimizer's schedule.
    #[serde(default)]
    pub train: TrainSpec,
    /// Findings of the data lint that may pass, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Refuse rows that nobody has accepted or corrected in `review`.
    #[serde(default)]
    pub require_review: bool,
    /// Replace an adapter of the same name.
    #[serde(default)]
    pub overwrite: bool,
}

fn train_split() -> String {
    "train".into()
}

/// What is trained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Low-rank adapters beside frozen weights.
    #[default]
    Lora,
    /// LoRA scaled by `alpha / sqrt(r)`.
    Rslora,
    /// LoRA whose merged rows have trained magnitudes.
    Dora,
    /// LoRA that starts as the largest singular triplets of the weights.
    Pissa,
    /// Vectors that scale keys, values and the feed-forward layer.
    Ia3,
    /// LoRA on weights in four bits (NF4).
    Qlora,
    /// Every weight.
    Full,
}

impl Method {
    /// As it is written in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Method::Lora => "lora",
            Method::Rslora => "rslora",
            Method::Dora => "dora",
            Method::Pissa => "pissa",
            Method::Ia3 => "ia3",
            Method::Qlora => "qlora",
            Method::Full => "full",
        }
    }
}

/// Which biases are trained beside an adapter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BiasSpec {
    /// None.
    #[default]
    None,
    /// All of the model's.
    All,
    /// Those of the modules that are adapted.
    LoraOnly,
}

/// `[lora]`, with PEFT's names and defaults where PEFT has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoraSpec {
    /// Rank.
    pub r: usize,
    /// `scaling = alpha / r`.
    pub alpha: f64,
    /// Dropout on the adapter's input while training.
    pub dropout: f64,
    /// Module names as PEFT's `target_modules`; `["all-linear"]` for every projection of the decoder (with
    /// `ia3`: keys, values, and the last module of the feed-forward layer).
    pub target_modules: Vec<String>,
    /// Modules that are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_modules: Vec<String>,
    /// Only these blocks, from 0 (PEFT's `layers_to_transform`); empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<usize>,
    /// Ranks of some modules, by a regular expression for the end of their path.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rank_pattern: BTreeMap<String, usize>,
    /// Alphas in the same way.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub alpha_pattern: BTreeMap<String, f64>,
    /// Modules that are trained whole and saved with the adapter: `embed_tokens`, `lm_head`, `norm`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modules_to_save: Vec<String>,
    /// Which biases are trained.
    #[serde(skip_serializing_if = "is_default")]
    pub bias: BiasSpec,
    /// With `qlora`: the scales of the four-bit blocks are in eight bits.
    pub double_quant: bool,
}

impl Default for LoraSpec {
    fn default() -> Self {
        LoraSpec {
            r: 8,
            alpha: 16.0,
            dropout: 0.0,
            target_modules: vec!["all-linear".into()],
            exclude_modules: Vec::new(),
            layers: Vec::new(),
            rank_pattern: BTreeMap::new(),
            alpha_pattern: BTreeMap::new(),
            modules_to_save: Vec::new(),
            bias: BiasSpec::None,
            double_quant: true,
        }
    }
}

/// `[train]`, with the names of Hugging Face's `TrainingArguments` where they exist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainSpec {
    /// Passes over the data; ignored if `max_steps` is given.
    pub epochs: f64,
    /// Optimizer steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u64>,
    /// Sequences per micro-batch.
    pub batch_size: usize,
    /// Micro-batches per optimizer step.
    pub gradient_accumulation_steps: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// What moves the weights.
    pub optimizer: Optimizer,
    /// SGD's momentum.
    pub momentum: f64,
    /// `linear`, `cosine`, `constant` or `wsd`, after the warm-up.
    pub schedule: Schedule,
    /// Share of all steps spent warming up; `warmup_steps` wins.
    pub warmup_ratio: f64,
    /// Steps spent warming up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<u64>,
    /// Share of all steps spent in `wsd`'s decay.
    pub decay_ratio: f64,
    /// Weight decay, on matrices only.
    pub weight_decay: f64,
    /// AdamW's first and second moment decay.
    pub betas: (f64, f64),
    /// AdamW's epsilon.
    pub epsilon: f64,
    /// Gradient norm above which gradients are scaled down; 0 switches clipping off.
    pub max_grad_norm: f64,
    /// Longest sequence, in tokens; longer examples are refused or cut as `on_too_long` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_seq_len: Option<usize>,
    /// `error`, `drop` (counted and reported) or `truncate`.
    pub on_too_long: OnTooLong,
    /// Which tokens the loss sees.
    pub loss_on: LossOn,
    /// Train on the prompt's tokens too: `loss_on = "all"`.
    pub train_on_prompt: bool,
    /// Seed of initialisation, order and dropout.
    pub seed: u64,
    /// Steps between checkpoints; 0: only at the end and on an interrupt.
    pub checkpoint_steps: u64,
    /// Newest checkpoints kept, besides the best.
    pub keep_checkpoints: usize,
    /// Pack sequences into rows of `max_seq_len` tokens; a micro-batch is then `batch_size` rows.
    pub packing: bool,
    /// Blocks keep their inputs alone and compute the rest again in the backward pass: less memory, more
    /// time, the same bits.
    #[serde(skip_serializing_if = "is_default")]
    pub gradient_checkpointing: bool,
    /// NEFTune's α: noise on the embeddings while training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neftune_alpha: Option<f64>,
    /// Steps between evaluations on `eval_split`; 0: none.
    pub eval_steps: u64,
    /// Split evaluated on; `validation`, `valid`, `dev` or `test`, the first that there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_split: Option<String>,
    /// End after so many evaluations in a row without a better loss, with the best weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping_patience: Option<u64>,
    /// By how much a loss must be lower to be better, in nats.
    pub early_stopping_threshold: f64,
    /// The adapter has the weights of the best evaluation, not the last.
    pub load_best: bool,
    /// What is minimized.
    pub objective: Objective,
    /// How strongly a preference objective holds to the model it started from.
    pub beta: f64,
    /// DPO's loss.
    pub dpo_loss: DpoLoss,
    /// Probability that a preference is the wrong way round.
    pub label_smoothing: f64,
    /// KTO: weight of desirable examples.
    pub desirable_weight: f64,
    /// KTO: weight of undesirable examples.
    pub undesirable_weight: f64,
    /// The same bits on every processor.
    pub portable: bool,
    /// A directory for TensorBoard's event files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tensorboard: Option<String>,
}

impl Default for TrainSpec {
    fn default() -> Self {
        TrainSpec {
            epochs: 1.0,
            max_steps: None,
            batch_size: 16,
            gradient_accumulation_steps: 1,
            learning_rate: 2e-4,
            optimizer: Optimizer::AdamW,
            momentum: 0.9,
            schedule: Schedule::Cosine,
            warmup_ratio: 0.03,
            warmup_steps: None,
            decay_ratio: 0.1,
            weight_decay: 0.0,
            betas: (0.9, 0.999),
            epsilon: 1e-8,
            max_grad_norm: 1.0,
            max_seq_len: None,
            on_too_long: OnTooLong::Error,
            loss_on: LossOn::Completion,
            train_on_prompt: false,
            seed: 0,
            checkpoint_steps: 50,
            keep_checkpoints: 2,
            packing: false,
            gradient_checkpointing: false,
            neftune_alpha: None,
            eval_steps: 0,
            eval_split: None,
            early_stopping_patience: None,
            early_stopping_threshold: 0.0,
            load_best: false,
            objective: Objective::Sft,
            beta: 0.1,
            dpo_loss: DpoLoss::Sigmoid,
            label_smoothing: 0.0,
            desirable_weight: 1.0,
            undesirable_weight: 1.0,
            portable: false,
            tensorboard: None,
        }
    }
}

/// What moves the weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Optimizer {
    /// AdamW with moments in f32.
    #[default]
    #[serde(rename = "adamw")]
    AdamW,
    /// AdamW with moments in 8 bits.
    #[serde(rename = "adamw-8bit")]
    AdamW8bit,
    /// Gradient descent with momentum.
    #[serde(rename = "sgd")]
    Sgd,
    /// Adafactor.
    #[serde(rename = "adafactor")]
    Adafactor,
}

/// What is minimized.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Supervised fine-tuning: the likelihood of given text.
    #[default]
    Sft,
    /// Direct preference optimization, of chosen and rejected.
    Dpo,
    /// Odds ratio preference optimization, of chosen and rejected.
    Orpo,
    /// Kahneman-Tversky optimization, of rows with a thumb up or down.
    Kto,
}

/// The shape of DPO's loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DpoLoss {
    /// The paper's, with optional label smoothing.
    #[default]
    Sigmoid,
    /// A hinge on the margin.
    Hinge,
    /// IPO: a squared distance to a margin.
    Ipo,
    /// Unbiased under flipped labels.
    Robust,
}

/// Learning-rate schedules (as in `transformers.optimization`).
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
    /// Warm-up, stable, decay.
    Wsd,
}

/// Which tokens of a row the loss sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossOn {
    /// What answers the prompt; of a conversation its last assistant turn.
    #[default]
    Completion,
    /// Every assistant turn, with the token that ends it.
    Assistant,
    /// The last assistant turn alone, even where a completion has several.
    LastTurn,
    /// Every token.
    All,
}

impl TrainSpec {
    /// What the loss sees, with the older `train_on_prompt` understood.
    pub fn loss_on(&self) -> LossOn {
        if self.train_on_prompt { LossOn::All } else { self.loss_on }
    }
}

/// What happens to an example longer than `max_seq_len`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTooLong {
    /// Refuse to train, naming the row.
    #[default]
    Error,
    /// Leave the example out, and say how many were.
    Drop,
    /// Cut the end off, and say how many were.
    Truncate,
}
