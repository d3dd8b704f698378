//! Low-rank adapters: `y = W x + scaling * B (A dropout(x))` with `scaling = alpha / r`.

use crate::{Error, Model, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::Path;

/// What to adapt and how strongly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoraConfig {
    /// Rank.
    pub r: usize,
    /// Numerator of the scaling `alpha / r`.
    pub alpha: f64,
    /// Probability of dropping an input of `A` in training.
    pub dropout: f64,
    /// Names of projections; `"all-linear"` stands for all seven.
    pub target_modules: Vec<String>,
}

/// Low-rank matrices for some projections of every block.
#[derive(Debug, Clone)]
pub struct LoraAdapter {
    config: LoraConfig,
}

impl LoraAdapter {
    /// New matrices: `A` uniform in `±1/sqrt(in)`, `B` zero.
    pub fn init(_model: &Model, _config: &LoraConfig, _seed: u64) -> Result<Self> {
        Err(Error::Interrupted)
    }
    /// Writes PEFT's two files and, if `extra` is not empty, `luthier.json`.
    pub fn save(&self, _dir: &Path, _base_model_name: &str, _extra: &Map<String, Value>) -> Result<()> {
        Err(Error::Interrupted)
    }
    /// Reads PEFT's two files and checks every shape against the model.
    pub fn load(_dir: &Path, _model: &Model) -> Result<Self> {
        Err(Error::Interrupted)
    }
    /// The settings.
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }
    /// Number of trainable values.
    pub fn n_parameters(&self) -> u64 {
        0
    }
    /// Content of `luthier.json` of the directory that the adapter was loaded from.
    pub fn read_extra(_dir: &Path) -> Result<Map<String, Value>> {
        Err(Error::Interrupted)
    }
}
