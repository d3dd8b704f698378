//! AdamW (Loshchilov & Hutter, 2019) with the state in plain sight.
//!
//! ```text
//! w ← w − lr·λ·w                               matrices only
//! m ← β₁·m + (1 − β₁)·g        v ← β₂·v + (1 − β₂)·g²
//! w ← w − lr/(1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
//! ```
//!
//! The order of roundings is that of `torch.optim.AdamW` on one tensor, so trajectories agree to
//! the last few bits. Elementwise: the result does not depend on how threads share the work.

use luthier_model::math;
use rayon::prelude::*;

/// Hyperparameters that stay the same over a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWConfig {
    /// Decay of the first and second moment.
    pub betas: (f64, f64),
    /// Added to the denominator.
    pub epsilon: f64,
    /// Decoupled weight decay λ, for tensors that decay.
    pub weight_decay: f64,
}

/// Both moments of one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// First moment `m`.
    pub first: Vec<f32>,
    /// Second moment `v`.
    pub second: Vec<f32>,
}

/// The optimizer and its state: one [`Moments`] per tensor, in the model's parameter order.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamW {
    /// Hyperparameters.
    pub config: AdamWConfig,
    /// Updates done so far (`t`).
    pub step: u64,
    /// State by tensor.
    pub moments: Vec<Moments>,
}

/// Scalars of one update, rounded to f32 where torch rounds them.
#[derive(Clone, Copy)]
struct Update {
    decay: f32,
    beta1_complement: f32,
    beta2: f32,
    beta2_complement: f32,
    step_size: f32,
    bias_correction2_sqrt: f32,
    epsilon: f32,
    gradient_scale: f32,
}

/// Elements per task: large enough to amortize a task, small enough to share a matrix.
const CHUNK: usize = 1 << 15;

impl AdamW {
    /// An optimizer that has seen nothing, for tensors of these lengths.
    pub fn new(config: AdamWConfig, lengths: impl IntoIterator<Item = usize>) -> Self {
        let zeros = |n| Moments { first: vec![0.0; n], second: vec![0.0; n] };
        AdamW { config, step: 0, moments: lengths.into_iter().map(zeros).collect() }
    }

    /// Start the next update; [`AdamW::update`] must then be called once per tensor.
    pub fn begin_step(&mut self) {
        self.step += 1;
    }

    /// Update tensor `index` in place with `gradient · gradient_scale` (the clipping factor).
    pub fn update(
        &mut self,
        index: usize,
        values: &mut [f32],
        gradient: &[f32],
        gradient_scale: f32,
        learning_rate: f64,
        decays: bool,
    ) {
        let update = self.scalars(learning_rate, decays, gradient_scale);
        let Moments { first, second } = &mut self.moments[index];
        values
            .par_chunks_mut(CHUNK)
            .zip(first.par_chunks_mut(CHUNK))
            .zip(second.par_chunks_mut(CHUNK))
            .zip(gradient.par_chunks(CHUNK))
            .for_each(|(((values, first), second), gradient)| update.apply(values, first, second, gradient));
    }

    fn scalars(&self, learning_rate: f64, decays: bool, gradient_scale: f32) -> Update {
        let (beta1, beta2) = self.config.betas;
        // Exponents beyond i32 leave both powers at 0, as they should be.
        let t = self.step as f64;
        let weight_decay = if decays { self.config.weight_decay } else { 0.0 };
        Update {
            decay: (1.0 - learning_rate * weight_decay) as f32,
            beta1_complement: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            beta2_complement: (1.0 - beta2) as f32,
            step_size: (learning_rate / (1.0 - math::pow(beta1, t))) as f32,
            bias_correction2_sqrt: (1.0 - math::pow(beta2, t)).sqrt() as f32,
            epsilon: self.config.epsilon as f32,
            gradient_scale,
        }
    }
}

impl Update {
    fn apply(self, values: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32]) {
        for (((w, m), v), &g) in values.iter_mut().zip(first).zip(second).zip(gradient) {
            let g = g * self.gradient_scale;
            let decayed = *w * self.decay;
            *m += (g - *m) * self.beta1_complement;
            *v = *v * self.beta2 + g * g * self.beta2_complement;
            let denominator = v.sqrt() / self.bias_correction2_sqrt + self.epsilon;
            *w = decayed - self.step_size * (*m / denominator);
        }
    }
}

#[cfg(test)]
mod tests;
