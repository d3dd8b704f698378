//! The bodies of cells and recipes. Each is TOML to a person, JSON on the wire, and one type here.
//! Unknown keys are errors: a misspelled `learning_rate` must not train with the default.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `%%dataset NAME`: where rows come from and what their columns mean.
///
/// Either `path` (CSV, JSON array, JSONL, Parquet; by extension or `format`) or `template`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatasetSpec {
    /// Name in the project. A cell's argument; in a recipe the file's stem if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A file, relative to the project directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `csv`, `json`, `jsonl` or `parquet`; by extension if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// A task template plugin: `text-to-sql`. Its generator makes the rows, unless `path` gives them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The template's own configuration; checked against its JSON Schema.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, serde_json::Value>,
    /// Rows asked of the template's generator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u32>,
    /// Seed of the generator.
    pub seed: u64,
    /// A SQLite file that the template and its metrics may read, by the name they use for it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub databases: BTreeMap<String, String>,
    /// Which columns are what; guessed from well-known names if absent.
    #[serde(skip_serializing_if = "RolesSpec::is_empty")]
    pub roles: RolesSpec,
    /// Shares by split name, adding up to at most 1; default train 0.9, test 0.1. A `split` column wins.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub splits: BTreeMap<String, f64>,
    /// Replace a dataset of the same name.
    pub overwrite: bool,
}

/// `%%synthesize NAME`: a dataset whose rows a template asks a language model for, or makes itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SynthesizeSpec {
    /// Name in the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A task template plugin: `text-to-sql`, `custom`, `code-generation`.
    pub template: String,
    /// The template's own configuration.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, serde_json::Value>,
    /// A model of this machine, or `openai:NAME`; without one the template makes the rows itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Address of the server of an `openai:NAME` model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// How that server is asked, and what its tokens cost.
    #[serde(skip_serializing_if = "ProviderSpec::is_default")]
    pub provider: ProviderSpec,
    /// Rows to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u32>,
    /// What rows should be about, in turn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// Text files whose passages rows should be made from, in turn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<String>,
    /// Rows asked for at a time.
    pub per_request: u32,
    /// Rows that share at least so much of their words, in order, with a kept one are left out; 0: none.
    pub near_duplicates: f64,
    /// Asking ends once so many tokens have been used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Show the first prompts and ask nothing.
    pub preview: bool,
    /// Seed of the template and of the model's sampler.
    pub seed: u64,
    /// SQLite files that the template may read, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub databases: BTreeMap<String, String>,
    /// Shares by split name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub splits: BTreeMap<String, f64>,
    /// How the model generates, unless the template says otherwise.
    pub generation: GenerationSpec,
    /// Replace a dataset of the same name.
    pub overwrite: bool,
}

impl Default for SynthesizeSpec {
    fn default() -> Self {
        SynthesizeSpec {
            name: None,
            template: String::new(),
            config: BTreeMap::new(),
            model: None,
            base_url: None,
            provider: ProviderSpec::default(),
            rows: None,
            topics: Vec::new(),
            documents: Vec::new(),
            per_request: 5,
            near_duplicates: 0.7,
            max_tokens: None,
            preview: false,
            seed: 0,
            databases: BTreeMap::new(),
            splits: BTreeMap::new(),
            generation: GenerationSpec { max_new_tokens: 2048, temperature: 0.8, ..GenerationSpec::default() },
            overwrite: false,
        }
    }
}

/// Which column plays which part.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RolesSpec {
    /// The prompt (or instruction, or question).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Further input shown after the prompt (Alpaca's `input`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The text to learn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion: Option<String>,
    /// Chat messages: a list of `{role, content}`; stands instead of prompt and completion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<String>,
    /// Rows of one group never fall into different splits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

impl RolesSpec {
    /// No role was given.
    pub fn is_empty(&self) -> bool {
        *self == RolesSpec::default()
    }
}

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

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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

/// `attach ADAPTER …`: keep adapters in memory, or combine several into one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachSpec {
    /// Names or directories, on one base model.
    pub adapters: Vec<String>,
    /// Weight of each in a combination; empty: 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<f64>,
    /// How they are combined.
    #[serde(default)]
    pub combination: CombinationSpec,
    /// Name of the combination, which is written as an adapter of its own; none: nothing is combined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Replace an adapter of that name.
    #[serde(default)]
    pub overwrite: bool,
}

/// How adapters are combined, as in PEFT's `add_weighted_adapter`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CombinationSpec {
    /// Exactly the weighted sum; the ranks add up.
    #[default]
    Cat,
    /// Near it, of the same rank.
    Linear,
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
    /// Train on the prompt's tokens too.
    pub train_on_prompt: bool,
    /// Seed of initialisation, order and dropout.
    pub seed: u64,
    /// Steps between checkpoints; 0: only at the end and on an interrupt.
    pub checkpoint_steps: u64,
    /// Newest checkpoints kept, besides the best.
    pub keep_checkpoints: usize,
    /// Pack sequences into rows of `max_seq_len` tokens; a micro-batch is then `batch_size` rows.
    pub packing: bool,
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
            train_on_prompt: false,
            seed: 0,
            checkpoint_steps: 50,
            keep_checkpoints: 2,
            packing: false,
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

/// `%%ask MODEL`: what to generate from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskSpec {
    /// Model or adapter name, or a directory.
    pub model: String,
    /// Text. Continued as it stands, unless `chat` or `data` renders it.
    pub prompt: String,
    /// Render the prompt as one user turn with the model's chat template.
    pub chat: bool,
    /// Render through this dataset's task template; the prompt is its question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// With `data`: this many training rows are shown as examples.
    pub num_fewshot: usize,
    /// Address of the server of an `openai:NAME` model, up to `/chat/completions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// How that server is asked.
    #[serde(skip_serializing_if = "ProviderSpec::is_default")]
    pub provider: ProviderSpec,
    /// How to generate.
    #[serde(flatten)]
    pub generation: GenerationSpec,
}

/// `[provider]`: how the server of an `openai:NAME` model is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderSpec {
    /// Name of the environment variable that holds the key; `OPENAI_API_KEY`, if it is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// Longest wait for one answer.
    pub timeout_s: f64,
    /// How often one request is tried, the first time included.
    pub attempts: u32,
    /// Pause before the second attempt; doubled before each further one.
    pub pause_s: f64,
    /// Requests at a time.
    pub concurrency: usize,
    /// Price of a million tokens of prompts, in any currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_price: Option<f64>,
    /// Price of a million tokens of answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_price: Option<f64>,
}

impl Default for ProviderSpec {
    fn default() -> Self {
        ProviderSpec {
            api_key_env: None,
            timeout_s: 120.0,
            attempts: 5,
            pause_s: 1.0,
            concurrency: 4,
            input_price: None,
            output_price: None,
        }
    }
}

impl ProviderSpec {
    /// Nothing was set.
    pub fn is_default(&self) -> bool {
        *self == ProviderSpec::default()
    }
}

/// How text is generated, with the names of `transformers.GenerationConfig`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GenerationSpec {
    /// Upper bound of new tokens.
    pub max_new_tokens: usize,
    /// 0 is greedy.
    pub temperature: f64,
    /// Keep the k most likely tokens; 0 keeps all.
    pub top_k: usize,
    /// Keep the smallest set of tokens with this much probability.
    pub top_p: f64,
    /// Generation ends before any of these.
    pub stop: Vec<String>,
    /// Seed of the sampler.
    pub seed: u64,
}

impl Default for GenerationSpec {
    fn default() -> Self {
        GenerationSpec { max_new_tokens: 128, temperature: 0.0, top_k: 0, top_p: 1.0, stop: Vec::new(), seed: 0 }
    }
}

/// `%export MODEL`: a model or adapter as files that other programs load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExportSpec {
    /// A model or an adapter.
    pub model: String,
    /// `safetensors` (a whole model), `peft` (the adapter alone) or `gguf`; by `for` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Type of safetensors' weights: `F32`, `BF16` or `F16`; as the base model is stored if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
    /// Type of GGUF's matrices: `F32`, `F16`, `BF16`, `Q8_0` or `Q4_K_M`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quant: Option<String>,
    /// What will load it: `vllm`, `peft`, `transformers` or `llama.cpp`. What it cannot load is refused first.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// Directory, relative to the project; made by the export.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<String>,
    /// Compare on this dataset's test split; the adapter's own dataset if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Replace a directory of an earlier export.
    pub overwrite: bool,
}

/// `%merge ADAPTER as NAME`: the adapter in its base's weights, as a model of the project.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MergeSpec {
    /// The adapter.
    pub adapter: String,
    /// The new model's name.
    pub name: String,
    /// `F32`, `BF16` or `F16`; as the base model is stored if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
    /// Compare on this dataset's test split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Replace a merged model of the same name.
    pub overwrite: bool,
}

/// `%push NAME to ORG/NAME` and `%pull ORG/NAME as NAME`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HubSpec {
    /// To push: an adapter, a model, a dataset or a directory. To pull: a hub id.
    pub source: String,
    /// To push: a hub id. To pull: a name in the project.
    pub target: String,
    /// It is a dataset.
    pub dataset: bool,
    /// To push: a new repository is visible to everybody. Otherwise only to its owner.
    pub public: bool,
    /// To push: the commit's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// To pull: replace what has the same name.
    pub overwrite: bool,
}

/// `%%evaluate NAME`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluateSpec {
    /// Name of the evaluation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// One model, or …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ArmSpec>,
    /// … several, compared pair by pair on the same rows. The first is the baseline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ArmSpec>,
    /// Dataset name or file.
    pub data: String,
    /// The split scored.
    #[serde(default = "test_split")]
    pub split: String,
    /// Metric plugins; the template's own by default, else `exact-match`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricSpec>,
    /// Column whose values divide the report into parts; `part` if the dataset has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Score at most this many rows of each part, the first in the dataset's order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// How answers are generated (greedy by default).
    #[serde(default)]
    pub generation: GenerationSpec,
    /// Answers drawn for each prompt; more than one needs a temperature above 0.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub samples: u32,
    /// Address of the server of `openai:NAME` models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// How that server is asked.
    #[serde(default, skip_serializing_if = "ProviderSpec::is_default")]
    pub provider: ProviderSpec,
    /// Level of the intervals.
    #[serde(default = "ninety_five")]
    pub confidence: f64,
    /// Seed of example choice and bootstrap.
    #[serde(default)]
    pub seed: u64,
    /// Write every row's prediction there as Parquet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predictions: Option<String>,
}

fn test_split() -> String {
    "test".into()
}

fn one() -> u32 {
    1
}

fn is_one(samples: &u32) -> bool {
    *samples == 1
}

fn ninety_five() -> f64 {
    0.95
}

/// One thing compared: a name, or a table with examples in the prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ArmSpec {
    /// A model or adapter, no examples.
    Name(String),
    /// With settings.
    Full(ArmTable),
}

/// An arm with settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmTable {
    /// Model or adapter.
    pub model: String,
    /// Training rows shown in the prompt.
    #[serde(default)]
    pub num_fewshot: usize,
    /// Label in the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Address of the server of an `openai:NAME` model, where it is not the evaluation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
}

impl ArmSpec {
    /// The arm with all settings, labelled.
    pub fn table(&self) -> ArmTable {
        match self {
            ArmSpec::Name(model) => {
                ArmTable { model: model.clone(), num_fewshot: 0, name: Some(model.clone()), base_url: None }
            }
            ArmSpec::Full(table) => {
                let label = match table.num_fewshot {
                    0 => table.model.clone(),
                    n => format!("{} {n}-shot", table.model),
                };
                ArmTable { name: Some(table.name.clone().unwrap_or(label)), ..table.clone() }
            }
        }
    }
}

/// One metric: a plugin's name, or a table with its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MetricSpec {
    /// A plugin with its defaults.
    Name(String),
    /// With settings.
    Full(MetricTable),
}

/// A metric with settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricTable {
    /// The plugin.
    pub metric: String,
    /// Its configuration.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub config: serde_json::Map<String, serde_json::Value>,
    /// Columns of the dataset under the names that the metric reads: `{ reference = "gold" }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, String>,
    /// Label in the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl MetricSpec {
    /// The metric with all settings.
    pub fn table(&self) -> MetricTable {
        match self {
            MetricSpec::Name(metric) => MetricTable { metric: metric.clone(), ..MetricTable::default() },
            MetricSpec::Full(table) => table.clone(),
        }
    }
}

impl From<&str> for MetricSpec {
    fn from(metric: &str) -> Self {
        MetricSpec::Name(metric.to_owned())
    }
}

impl From<String> for MetricSpec {
    fn from(metric: String) -> Self {
        MetricSpec::Name(metric)
    }
}
