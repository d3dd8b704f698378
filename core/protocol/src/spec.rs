//! The bodies of cells and recipes. Each is TOML to a person, JSON on the wire, and one type here.
//! Unknown keys are errors: a misspelled `learning_rate` must not train with the default.

mod attach;
mod dataset;
mod evaluate;
mod finetune;
mod look;

use serde::{Deserialize, Serialize};

pub use attach::*;
pub use dataset::*;
pub use evaluate::*;
pub use finetune::*;
pub use look::*;

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

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
