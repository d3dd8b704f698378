//! What is measured, on what, and beside what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{GenerationSpec, ProviderSpec};

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
