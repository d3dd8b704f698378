//! What to adapt and how: PEFT's settings under PEFT's names.

use super::select::Selection;
use crate::{Error, Model, Result};
use serde::{Deserialize, Serialize};

/// Stands for all linear modules of all blocks in [`AdapterConfig::target_modules`].
pub const ALL_LINEAR: &str = "all-linear";

/// What is put on a module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdapterKind {
    /// Two matrices whose product is added: LoRA, rsLoRA, DoRA, PiSSA.
    #[default]
    Lora,
    /// A vector that scales.
    Ia3,
}

/// Initial values of a low-rank pair.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoraInit {
    /// `A` uniform, `B` zero.
    #[default]
    Kaiming,
    /// The largest singular triplets of the weight, which the base loses (arXiv:2404.02948).
    Pissa,
}

/// Which biases are trained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bias {
    /// None.
    #[default]
    None,
    /// Every bias of the model.
    All,
    /// Those of the modules that are adapted.
    LoraOnly,
}

/// What to adapt and how strongly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdapterConfig {
    /// What is put on a module.
    pub kind: AdapterKind,
    /// Rank of the update.
    pub r: usize,
    /// Numerator of the scaling `alpha / r`.
    pub alpha: f64,
    /// Probability of dropping an input of `A` in training, in `[0, 1)`.
    pub dropout: f64,
    /// The scaling is `alpha / sqrt(r)`.
    pub use_rslora: bool,
    /// Rows are scaled to trained magnitudes.
    pub use_dora: bool,
    /// Initial values of `A` and `B`.
    pub init: LoraInit,
    /// Names of modules (`q_proj`, …), or whole paths, by PEFT's rule: a path is chosen if it is, or ends
    /// after a dot with, one of them. [`ALL_LINEAR`] stands for every linear module of every block. Empty:
    /// for IA3 the modules that make keys and values and the last of the feed-forward layer.
    pub target_modules: Vec<String>,
    /// Instead of names: a regular expression that the whole path matches.
    pub target_regex: Option<String>,
    /// Names (as in `target_modules`) that are left out.
    pub exclude_modules: Vec<String>,
    /// IA3: ends of the paths whose input is scaled instead of the output. Empty: the last module of the
    /// feed-forward layer.
    pub feedforward_modules: Vec<String>,
    /// Only these blocks (PEFT's `layers_to_transform`); empty: all.
    pub layers: Vec<usize>,
    /// Regular expressions for what comes before the block's number in a path; empty: anything.
    pub layers_pattern: Vec<String>,
    /// Ranks by regular expression for the end of a path; the first that matches counts.
    pub rank_pattern: Vec<(String, usize)>,
    /// Alphas in the same way.
    pub alpha_pattern: Vec<(String, f64)>,
    /// Ends of paths of modules that are trained as they are and saved with the adapter.
    pub modules_to_save: Vec<String>,
    /// Which biases are trained.
    pub bias: Bias,
}

impl Default for AdapterConfig {
    /// LoRA of rank 8, alpha 16, no dropout, all linear modules.
    fn default() -> Self {
        AdapterConfig {
            kind: AdapterKind::Lora,
            r: 8,
            alpha: 16.0,
            dropout: 0.0,
            use_rslora: false,
            use_dora: false,
            init: LoraInit::Kaiming,
            target_modules: vec![ALL_LINEAR.to_owned()],
            target_regex: None,
            exclude_modules: Vec::new(),
            feedforward_modules: Vec::new(),
            layers: Vec::new(),
            layers_pattern: Vec::new(),
            rank_pattern: Vec::new(),
            alpha_pattern: Vec::new(),
            modules_to_save: Vec::new(),
            bias: Bias::None,
        }
    }
}

impl AdapterConfig {
    /// Checks the settings against a model: what [`Adapter::init`](crate::Adapter::init) would refuse.
    pub fn check(&self, model: &Model) -> Result<()> {
        Selection::new(self, model, true).map(|_| ())
    }

    /// What `B A x` is multiplied by.
    pub fn scaling(&self, r: usize, alpha: f64) -> f64 {
        let r = r as f64;
        alpha / if self.use_rslora { r.sqrt() } else { r }
    }

    /// Checks everything that does not depend on the model.
    pub(super) fn validate(&self) -> Result<()> {
        let ranks = self.rank_pattern.iter().map(|(_, r)| *r);
        if let Some(r) = ranks.chain([self.r]).find(|&r| r == 0) {
            return invalid("r", "at least 1", r);
        }
        let alphas = self.alpha_pattern.iter().map(|(_, alpha)| *alpha);
        if let Some(alpha) = alphas.chain([self.alpha]).find(|alpha| !(alpha.is_finite() && *alpha > 0.0)) {
            return invalid("alpha", "a positive number", alpha);
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return invalid("dropout", "in [0, 1)", self.dropout);
        }
        if self.target_regex.is_some() && !self.layers.is_empty() {
            return invalid("layers", "unset if target_modules is a regular expression", format!("{:?}", self.layers));
        }
        if self.layers.is_empty() && !self.layers_pattern.is_empty() {
            return invalid("layers_pattern", "layers beside it", self.layers_pattern.join(", "));
        }
        if self.kind == AdapterKind::Ia3 {
            return self.validate_ia3();
        }
        if self.use_dora && self.init == LoraInit::Pissa {
            return invalid("use_dora", "false with PiSSA's initial values", "true");
        }
        Ok(())
    }

    fn validate_ia3(&self) -> Result<()> {
        let unset = [
            ("dropout", self.dropout != 0.0),
            ("rank_pattern", !self.rank_pattern.is_empty()),
            ("alpha_pattern", !self.alpha_pattern.is_empty()),
            ("layers", !self.layers.is_empty()),
            ("use_dora", self.use_dora),
            ("use_rslora", self.use_rslora),
            ("bias", self.bias != Bias::None),
        ];
        match unset.into_iter().find(|(_, is_set)| *is_set) {
            Some((setting, _)) => invalid(setting, "unset: IA3 has no such setting", "set"),
            None => Ok(()),
        }
    }
}

pub(super) fn invalid<T>(setting: &str, expected: &str, found: impl ToString) -> Result<T> {
    Err(Error::InvalidAdapter { setting: setting.to_owned(), expected: expected.to_owned(), found: found.to_string() })
}
