//! Adapters in memory, and several as one.

use serde::{Deserialize, Serialize};

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
