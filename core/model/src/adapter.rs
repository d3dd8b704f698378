//! Adapters: small tensors beside frozen weights, in PEFT's names, files and semantics.
//!
//! | method | is |
//! |---|---|
//! | LoRA | `y = W x + s B (A dropout(x))`, `s = alpha / r` |
//! | rsLoRA | LoRA with `s = alpha / sqrt(r)` |
//! | DoRA | `W + s B A` with its rows scaled to trained magnitudes |
//! | PiSSA | LoRA that starts as the largest singular triplets of `W`, which the base is relieved of |
//! | IA3 | a vector that scales a module's output, or a feed-forward module's input |
//!
//! Whatever the method, whole modules can be trained beside it (`modules_to_save`), and biases.

mod combine;
mod config;
mod ends;
mod ia3;
mod io;
mod lora;
mod merged;
mod peft;
mod pissa;
mod select;
#[cfg(test)]
mod tests;

pub use combine::Combination;
pub(crate) use ends::{EndLayout, EndSlots};

pub use config::{ALL_LINEAR, AdapterConfig, AdapterKind, Bias, LoraInit};
pub use merged::QuantizationError;

use crate::ops::linear::row_norms;
use crate::real::Real;
use crate::weights::{NamedTensor, Weights};
use crate::{Model, Result};
use select::Selection;
use std::sync::Arc;

/// Separates initial values from other uses of a seed.
const INIT_STREAM: u64 = 0x6c6f_7261_696e_6974;

/// An adapter's tensors on the modules of one model. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Adapter {
    config: AdapterConfig,
    /// Whether adapted modules store `[in, out]`, which PEFT's file says.
    fan_in_fan_out: bool,
    pub(crate) weights: Arc<AdapterWeights<f32>>,
}

/// Trained tensors, and where they are used.
#[derive(Debug, Clone)]
pub(crate) struct AdapterWeights<T> {
    /// In the order of `TrainableModel::parameters`, with the names of PEFT's file.
    pub(crate) tensors: Vec<NamedTensor<T>>,
    /// What is on each of the model's modules.
    pub(crate) slots: Vec<Option<SlotLayout<T>>>,
    /// What is on the embedding and on the head.
    pub(crate) ends: EndSlots,
    /// For each tensor of the model, the tensor here that stands in its place.
    pub(crate) replaced: Vec<Option<usize>>,
    /// What stands in the place of a head that shares the embedding's tensor.
    pub(crate) tied_head: Option<usize>,
    /// Probability of dropping an input of `A`.
    pub(crate) dropout: f64,
}

/// The tensors on a module, by their index.
#[derive(Debug, Clone)]
pub(crate) enum SlotLayout<T> {
    LowRank { a: usize, b: usize, magnitude: Option<usize>, scaling: f64, initial: Option<Arc<Initial<T>>> },
    Scale { scale: usize, on_input: bool },
}

/// A and B that PiSSA takes away from the base.
#[derive(Debug, Clone)]
pub(crate) struct Initial<T> {
    pub(crate) a: Vec<T>,
    pub(crate) b: Vec<T>,
}

impl Adapter {
    /// A new adapter that leaves the model's outputs as they are. LoRA's `A` is uniform in
    /// `±1/sqrt(in)` and `B` zero, as PEFT makes them.
    ///
    /// Errors: settings out of range, names or patterns that select nothing, a module or method that
    /// the model does not allow, each by its name.
    pub fn init(model: &Model, config: &AdapterConfig, seed: u64) -> Result<Self> {
        let (config, selection) = Selection::new(config, model, true)?;
        let mut weights = AdapterWeights::layout(model, &config, &selection);
        weights.copy_replaced(model.weights());
        match config.kind {
            AdapterKind::Lora => lora::init(&mut weights, model, &config, seed)?,
            AdapterKind::Ia3 => ia3::init(&mut weights),
        }
        ends::init(&mut weights, seed);
        Ok(Adapter { config, fan_in_fan_out: selection.fan_in_fan_out(model), weights: Arc::new(weights) })
    }

    /// The tensors of an adapter on a model of which only names and shapes are known.
    pub(crate) fn outline(model: &Model, config: &AdapterConfig) -> Result<AdapterWeights<f32>> {
        let (config, selection) = Selection::new(config, model, true)?;
        Ok(AdapterWeights::layout(model, &config, &selection))
    }

    /// The settings, with defaults filled in.
    pub fn config(&self) -> &AdapterConfig {
        &self.config
    }

    /// Number of trainable values.
    pub fn n_parameters(&self) -> u64 {
        self.weights.tensors.iter().map(|tensor| tensor.values.len() as u64).sum()
    }
}

impl<T: Real> AdapterWeights<T> {
    /// Tensors of zeros.
    fn layout(model: &Model, config: &AdapterConfig, selection: &Selection) -> Self {
        let (layout, base) = (&model.weights().layout, &model.weights().tensors);
        let mut weights = AdapterWeights {
            tensors: Vec::new(),
            slots: vec![None; layout.modules.len()],
            ends: EndSlots::default(),
            replaced: vec![None; base.len()],
            tied_head: None,
            dropout: config.dropout,
        };
        for target in &selection.targets {
            let module = &layout.modules[target.id];
            weights.slots[target.id] = Some(match config.kind {
                AdapterKind::Lora => lora::layout(&mut weights, module, config, target),
                AdapterKind::Ia3 => ia3::layout(&mut weights, module, target),
            });
        }
        weights.add_ends(model, &selection.ends);
        for replaced in &selection.replaced {
            let shape = base[replaced.tensor].shape.clone();
            let index = weights.push(format!("base_model.model.{}", replaced.name), shape);
            match replaced.is_tied_head {
                true => weights.tied_head = Some(index),
                false => weights.replaced[replaced.tensor] = Some(index),
            }
        }
        weights
    }

    /// Appends a tensor of zeros; returns its index.
    fn push(&mut self, name: String, shape: Vec<usize>) -> usize {
        let values = vec![T::ZERO; shape.iter().product()].into();
        self.tensors.push(NamedTensor { name, shape, values });
        self.tensors.len() - 1
    }

    pub(crate) fn values(&self, index: usize) -> &[T] {
        self.tensors[index].values.as_slice()
    }

    fn values_mut(&mut self, index: usize) -> &mut [T] {
        self.tensors[index].values.as_mut_slice()
    }

    /// Tensors that stand in the place of the model's start as those.
    fn copy_replaced(&mut self, base: &Weights<T>) {
        let own = self.replaced.clone().into_iter().enumerate();
        let head = (base.layout.head, self.tied_head);
        for (tensor, index) in own.chain([head]).filter_map(|(tensor, index)| Some((tensor, index?))) {
            self.values_mut(index).copy_from_slice(base.values(tensor));
        }
    }

    /// `||W + s B A||` of each row of each module with a magnitude, by module; empty for others.
    pub(crate) fn norms(&self, base: &Weights<T>) -> Vec<Vec<T>> {
        let norm = |(id, slot): (usize, &Option<SlotLayout<T>>)| match slot {
            Some(SlotLayout::LowRank { a, b, magnitude: Some(_), scaling, .. }) => {
                let module = &base.layout.modules[id];
                let weight = base.matrix(module.weight, module.transposed);
                row_norms(weight, module.in_size, T::from_f64(*scaling), self.values(*a), self.values(*b))
            }
            _ => Vec::new(),
        };
        self.slots.iter().enumerate().map(norm).collect()
    }

    /// The same tensors in another element type.
    #[cfg(test)]
    pub(crate) fn cast<U: Real>(&self) -> AdapterWeights<U> {
        let cast = |values: &[T]| values.iter().map(|x| U::from_f64(x.to_f64())).collect();
        let slot = |slot: &SlotLayout<T>| match slot {
            SlotLayout::Scale { scale, on_input } => SlotLayout::Scale { scale: *scale, on_input: *on_input },
            SlotLayout::LowRank { a, b, magnitude, scaling, initial } => SlotLayout::LowRank {
                a: *a,
                b: *b,
                magnitude: *magnitude,
                scaling: *scaling,
                initial: initial.as_ref().map(|it| Arc::new(Initial { a: cast(&it.a), b: cast(&it.b) })),
            },
        };
        AdapterWeights {
            tensors: self.tensors.iter().map(NamedTensor::cast).collect(),
            slots: self.slots.iter().map(|it| it.as_ref().map(slot)).collect(),
            ends: self.ends,
            replaced: self.replaced.clone(),
            tied_head: self.tied_head,
            dropout: self.dropout,
        }
    }
}
