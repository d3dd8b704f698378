//! What turns gradients into new weights. One trait, four members, their whole state in plain
//! sight: a checkpoint holds it, and a resumed run goes on with the same bits.
//!
//! | name | state per value | moves a weight by |
//! |---|---|---|
//! | `adamw` | 8 bytes | the mean gradient over its root mean square ([`crate::adamw`]) |
//! | `adamw-8bit` | 2 bytes | the same, moments quantized by blocks ([`adamw8bit`]) |
//! | `sgd` | 4 bytes | a running sum of gradients ([`sgd`]) |
//! | `adafactor` | a row and a column per matrix | the gradient over a factored root mean square ([`adafactor`]) |

pub mod adafactor;
pub mod adamw8bit;
pub mod sgd;

use std::borrow::Cow;

use luthier_model::ParameterInfo;
use serde::{Deserialize, Serialize};

use crate::TrainConfig;
use crate::adamw::{AdamW, Moments};

/// Which optimizer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OptimizerKind {
    /// AdamW with both moments in f32.
    #[default]
    #[serde(rename = "adamw")]
    AdamW,
    /// AdamW with both moments in 8 bits.
    #[serde(rename = "adamw-8bit")]
    AdamW8bit,
    /// Stochastic gradient descent with momentum.
    #[serde(rename = "sgd")]
    Sgd,
    /// Adafactor with an external learning rate.
    #[serde(rename = "adafactor")]
    Adafactor,
}

/// Numbers that an optimizer keeps between steps.
#[derive(Debug, Clone, PartialEq)]
pub enum StateData<'a> {
    /// 32-bit floats.
    F32(Cow<'a, [f32]>),
    /// Codes of 8 bits.
    U8(Cow<'a, [u8]>),
}

impl StateData<'_> {
    /// How many numbers.
    pub fn len(&self) -> usize {
        match self {
            StateData::F32(values) => values.len(),
            StateData::U8(values) => values.len(),
        }
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same, owned.
    pub fn into_owned(self) -> StateData<'static> {
        match self {
            StateData::F32(values) => StateData::F32(Cow::Owned(values.into_owned())),
            StateData::U8(values) => StateData::U8(Cow::Owned(values.into_owned())),
        }
    }
}

/// One piece of an optimizer's state.
#[derive(Debug, Clone, PartialEq)]
pub struct StateTensor<'a> {
    /// `first_moment`, `momentum`, …
    pub kind: &'static str,
    /// Which trainable tensor it belongs to, in parameter order.
    pub index: usize,
    /// The numbers.
    pub data: StateData<'a>,
}

impl<'a> StateTensor<'a> {
    fn f32(kind: &'static str, index: usize, values: &'a [f32]) -> Self {
        StateTensor { kind, index, data: StateData::F32(Cow::Borrowed(values)) }
    }

    fn u8(kind: &'static str, index: usize, values: &'a [u8]) -> Self {
        StateTensor { kind, index, data: StateData::U8(Cow::Borrowed(values)) }
    }
}

/// The update of one tensor in one step.
#[derive(Debug)]
pub struct TensorUpdate<'a> {
    /// Place in parameter order.
    pub index: usize,
    /// Weights, changed in place.
    pub values: &'a mut [f32],
    /// Their gradient.
    pub gradient: &'a [f32],
    /// What the gradient is multiplied by first (the clipping factor).
    pub gradient_scale: f32,
    /// The learning rate of this step.
    pub learning_rate: f64,
    /// Weight decay applies to this tensor.
    pub decays: bool,
}

/// An update rule with its state. Results do not depend on the number of threads.
pub trait Optimizer: Send {
    /// Updates done so far.
    fn step(&self) -> u64;
    /// Start the next update; [`Optimizer::update`] must then be called once per tensor.
    fn begin_step(&mut self);
    /// Update one tensor.
    fn update(&mut self, update: TensorUpdate<'_>);
    /// All that the next update depends on besides [`Optimizer::step`], always in the same order.
    fn state(&self) -> Vec<StateTensor<'_>>;
    /// Go on from a saved state: `data` in the order of [`Optimizer::state`], of the same lengths.
    ///
    /// # Errors
    /// The first piece that does not fit.
    fn restore(&mut self, step: u64, data: Vec<StateData<'static>>) -> Result<(), String>;
}

/// The optimizer of a run, for tensors of these shapes, before its first step.
pub fn build(config: &TrainConfig, parameters: &[ParameterInfo]) -> Box<dyn Optimizer> {
    let lengths = parameters.iter().map(|parameter| parameter.shape.iter().product());
    match config.optimizer {
        OptimizerKind::AdamW => Box::new(AdamW::new(config.adamw(), lengths)),
        OptimizerKind::AdamW8bit => Box::new(adamw8bit::AdamW8bit::new(config.adamw(), lengths)),
        OptimizerKind::Sgd => Box::new(sgd::Sgd::new(config.momentum, config.weight_decay, lengths)),
        OptimizerKind::Adafactor => Box::new(adafactor::Adafactor::new(config.weight_decay, parameters)),
    }
}

/// Copy `data` over `to`, if it is of the same kind and length.
fn restore_f32(to: &mut [f32], data: &StateData<'_>) -> Result<(), String> {
    match data {
        StateData::F32(values) if values.len() == to.len() => {
            to.copy_from_slice(values);
            Ok(())
        }
        other => Err(format!("{} numbers of optimizer state where {} f32 belong", other.len(), to.len())),
    }
}

fn restore_u8(to: &mut [u8], data: &StateData<'_>) -> Result<(), String> {
    match data {
        StateData::U8(values) if values.len() == to.len() => {
            to.copy_from_slice(values);
            Ok(())
        }
        other => Err(format!("{} numbers of optimizer state where {} codes belong", other.len(), to.len())),
    }
}

/// The pieces in order, each once; what is missing or left over is an error.
fn expect_pieces(found: usize, expected: usize) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{found} pieces of optimizer state where {expected} belong"))
}

impl Optimizer for AdamW {
    fn step(&self) -> u64 {
        self.step
    }

    fn begin_step(&mut self) {
        AdamW::begin_step(self);
    }

    fn update(&mut self, update: TensorUpdate<'_>) {
        let TensorUpdate { index, values, gradient, gradient_scale, learning_rate, decays } = update;
        AdamW::update(self, index, values, gradient, gradient_scale, learning_rate, decays);
    }

    fn state(&self) -> Vec<StateTensor<'_>> {
        let mut state = Vec::with_capacity(2 * self.moments.len());
        for (index, Moments { first, second }) in self.moments.iter().enumerate() {
            state.push(StateTensor::f32("first_moment", index, first));
            state.push(StateTensor::f32("second_moment", index, second));
        }
        state
    }

    fn restore(&mut self, step: u64, data: Vec<StateData<'static>>) -> Result<(), String> {
        expect_pieces(data.len(), 2 * self.moments.len())?;
        for (moments, data) in self.moments.iter_mut().zip(data.chunks_exact(2)) {
            restore_f32(&mut moments.first, &data[0])?;
            restore_f32(&mut moments.second, &data[1])?;
        }
        self.step = step;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
