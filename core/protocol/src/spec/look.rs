//! Looking at rows, and judging them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::LossOn;

/// `%show NAME`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShowSpec {
    /// Dataset name or file.
    pub data: String,
    /// Only this split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Rows shown at most.
    pub limit: usize,
    /// Show tokens and the loss mask, under this model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_of: Option<String>,
    /// Show how long all rows are, under this model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lengths_of: Option<String>,
    /// Show what the data lint says about all rows, under this model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lint_of: Option<String>,
    /// Which tokens the loss would see.
    pub loss_on: LossOn,
}

/// `%review NAME`. Rows are counted from 1 in the dataset as it was imported.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReviewSpec {
    /// Dataset name or file.
    pub data: String,
    /// Rows that are right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<u64>,
    /// Rows to leave out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reject: Vec<u64>,
    /// New cells of rows, by column (or role).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub correct: Vec<RowCells>,
    /// Words about rows, by column.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub label: Vec<RowCells>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who says so; the account's name if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Show next only rows of this split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Rows shown next, those without a verdict first.
    pub limit: usize,
}

/// Cells of one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowCells {
    /// From 1.
    pub row: u64,
    /// By column.
    pub cells: BTreeMap<String, String>,
}
