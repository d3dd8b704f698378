//! The gradient-flow audit: a tensor that is called trainable must be reached by a gradient.
//!
//! An op without a backward cuts everything upstream off and says nothing; the loss still falls,
//! only less. LoRA's A has a zero gradient until B has moved, and B moves in the first step whose
//! learning rate is not zero, so the verdict falls with the second step after that one.

use serde::{Deserialize, Serialize};

/// Which tensors a gradient has reached so far. Part of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GradientAudit {
    /// By tensor, in parameter order.
    reached: Vec<bool>,
    /// First step (from 1) with a learning rate above zero.
    first_moving_step: Option<u64>,
}

impl GradientAudit {
    /// An audit that has seen nothing.
    pub fn new(n_tensors: usize) -> Self {
        GradientAudit { reached: vec![false; n_tensors], first_moving_step: None }
    }

    /// Leaves out tensors that a gradient need not reach: of an expert that no token was sent to.
    #[must_use]
    pub fn without(mut self, is_left_out: impl Fn(usize) -> bool) -> Self {
        for (index, reached) in self.reached.iter_mut().enumerate() {
            *reached |= is_left_out(index);
        }
        self
    }

    /// Number of tensors watched.
    pub fn n_tensors(&self) -> usize {
        self.reached.len()
    }

    /// Take in one step's (finite) squared norms. Returns the indices of tensors that no gradient
    /// has reached, if the time for a verdict has come.
    pub fn observe(&mut self, step: u64, learning_rate: f64, squared_norms: &[f64]) -> Vec<usize> {
        for (reached, &norm) in self.reached.iter_mut().zip(squared_norms) {
            *reached |= norm > 0.0;
        }
        if learning_rate != 0.0 && self.first_moving_step.is_none() {
            self.first_moving_step = Some(step);
        }
        match self.first_moving_step {
            Some(first) if step >= first + 2 => self.unreached(),
            _ => Vec::new(),
        }
    }

    /// Indices of the tensors that no gradient has reached yet.
    pub fn unreached(&self) -> Vec<usize> {
        (0..self.reached.len()).filter(|&index| !self.reached[index]).collect()
    }
}

#[cfg(test)]
mod tests;
