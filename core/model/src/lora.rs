//! Low-rank adapters: `y = W x + scaling * B (A dropout(x))` with `scaling = alpha / r`
//! (`alpha / sqrt(r)` for an adapter that was saved with `use_rslora`).

mod io;
#[cfg(test)]
mod tests;

use crate::layout::{Layout, ModuleId};
use crate::real::Real;
use crate::rng::CounterRng;
use crate::weights::NamedTensor;
use crate::{Error, Model, Result};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Stands for all linear modules of all blocks in [`LoraConfig::target_modules`].
pub const ALL_LINEAR: &str = "all-linear";

/// What to adapt and how strongly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoraConfig {
    /// Rank of the update.
    pub r: usize,
    /// Numerator of the scaling `alpha / r`.
    pub alpha: f64,
    /// Probability of dropping an input of `A` in training, in `[0, 1)`.
    pub dropout: f64,
    /// Names of modules (`q_proj`, …), or whole paths, by PEFT's rule: a path is chosen if it is, or ends
    /// after a dot with, one of them. [`ALL_LINEAR`] stands for every linear module of every block.
    pub target_modules: Vec<String>,
}

impl Default for LoraConfig {
    /// Rank 8, alpha 16, no dropout, all linear modules.
    fn default() -> Self {
        LoraConfig { r: 8, alpha: 16.0, dropout: 0.0, target_modules: vec![ALL_LINEAR.to_owned()] }
    }
}

impl LoraConfig {
    /// The modules that are named, in the model's order.
    fn modules(&self, layout: &Layout) -> Result<Vec<ModuleId>> {
        let known = || layout.module_names().join(", ");
        let is_known = |name: &str| name == ALL_LINEAR || layout.modules.iter().any(|m| m.is_named(name));
        if let Some(module) = self.target_modules.iter().find(|name| !is_known(name)) {
            return Err(Error::UnknownModule { module: module.clone(), known: known() });
        }
        if self.target_modules.is_empty() {
            return Err(Error::InvalidLora {
                setting: "target_modules".to_owned(),
                expected: format!("{ALL_LINEAR} or some of {}", known()),
                found: "empty".to_owned(),
            });
        }
        let is_named = |id: &ModuleId| {
            self.target_modules.iter().any(|name| name == ALL_LINEAR || layout.modules[*id].is_named(name))
        };
        Ok((0..layout.modules.len()).filter(is_named).collect())
    }

    /// The names as PEFT's file has them: [`ALL_LINEAR`] spelled out, in the model's order.
    fn target_names(&self, layout: &Layout) -> Vec<String> {
        if self.target_modules.iter().any(|name| name == ALL_LINEAR) {
            return layout.module_names().into_iter().map(str::to_owned).collect();
        }
        let first = |name: &String| layout.modules.iter().position(|module| module.is_named(name));
        let mut names = self.target_modules.clone();
        names.sort_by_key(first);
        names.dedup();
        names
    }

    fn validate(&self) -> Result<()> {
        let invalid = |setting: &str, expected: &str, found: String| {
            Err(Error::InvalidLora { setting: setting.to_owned(), expected: expected.to_owned(), found })
        };
        if self.r == 0 {
            return invalid("r", "at least 1", self.r.to_string());
        }
        if !(self.alpha.is_finite() && self.alpha > 0.0) {
            return invalid("alpha", "a positive number", self.alpha.to_string());
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return invalid("dropout", "in [0, 1)", self.dropout.to_string());
        }
        Ok(())
    }
}

/// Indices of A and B of each module that has them.
pub(crate) type LoraLayout = Vec<Option<(usize, usize)>>;

/// An adapter's matrices: per module, in the model's order, A `[r, in]` then B `[out, r]`.
#[derive(Debug, Clone)]
pub(crate) struct LoraWeights<T> {
    pub(crate) scaling: f64,
    pub(crate) dropout: f64,
    pub(crate) tensors: Vec<NamedTensor<T>>,
    pub(crate) layout: LoraLayout,
}

impl<T: Real> LoraWeights<T> {
    /// Matrices of zeros for `config` on a model with these modules.
    fn zeros(model: &Layout, config: &LoraConfig, scaling: f64) -> Result<Self> {
        config.validate()?;
        let mut tensors = Vec::new();
        let mut layout = vec![None; model.modules.len()];
        for id in config.modules(model)? {
            let module = &model.modules[id];
            let mut push = |matrix: &str, shape: [usize; 2]| {
                tensors.push(NamedTensor {
                    name: format!("base_model.model.{}.{matrix}.weight", module.path),
                    shape: shape.to_vec(),
                    values: vec![T::ZERO; shape[0] * shape[1]].into(),
                });
                tensors.len() - 1
            };
            let a = push("lora_A", [config.r, module.in_size]);
            layout[id] = Some((a, push("lora_B", [module.out_size, config.r])));
        }
        Ok(LoraWeights { scaling, dropout: config.dropout, tensors, layout })
    }

    #[cfg(test)]
    pub(crate) fn cast<U: Real>(&self) -> LoraWeights<U> {
        LoraWeights {
            scaling: self.scaling,
            dropout: self.dropout,
            tensors: self.tensors.iter().map(NamedTensor::cast).collect(),
            layout: self.layout.clone(),
        }
    }
}

/// Low-rank matrices for some modules of every block. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct LoraAdapter {
    config: LoraConfig,
    /// The names in PEFT's file.
    target_modules: Vec<String>,
    use_rslora: bool,
    pub(crate) weights: Arc<LoraWeights<f32>>,
}

impl LoraAdapter {
    /// New matrices as PEFT makes them: `A` uniform in `±1/sqrt(in)` (Kaiming's with `a = sqrt(5)`),
    /// `B` zero, so that training starts from the base model.
    pub fn init(model: &Model, config: &LoraConfig, seed: u64) -> Result<Self> {
        config.validate()?;
        let scaling = config.alpha / config.r as f64;
        let mut weights = LoraWeights::<f32>::zeros(&model.weights().layout, config, scaling)?;
        for (stream, (a, _)) in weights.layout.iter().flatten().enumerate() {
            let rng = CounterRng::new(seed, INIT_STREAM).fork(stream as u64);
            let tensor = &mut weights.tensors[*a];
            let bound = 1.0 / (tensor.shape[1] as f64).sqrt();
            for (i, value) in tensor.values.as_mut_slice().iter_mut().enumerate() {
                *value = ((2.0 * rng.uniform_at(i as u64) - 1.0) * bound) as f32;
            }
        }
        let target_modules = config.target_names(&model.weights().layout);
        Ok(LoraAdapter { config: config.clone(), target_modules, use_rslora: false, weights: Arc::new(weights) })
    }

    /// The settings.
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }

    /// What `B A x` is multiplied by.
    pub fn scaling(&self) -> f64 {
        self.weights.scaling
    }

    /// Number of trainable values.
    pub fn n_parameters(&self) -> u64 {
        self.weights.tensors.iter().map(|tensor| tensor.values.len() as u64).sum()
    }
}

/// Separates initial values from other uses of a seed.
const INIT_STREAM: u64 = 0x6c6f_7261_696e_6974;
