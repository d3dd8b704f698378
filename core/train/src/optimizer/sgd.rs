//! Stochastic gradient descent with momentum, as `torch.optim.SGD` (no dampening, no Nesterov).
//!
//! ```text
//! g ← g + λ·w              matrices only; coupled, unlike AdamW's decay
//! b ← μ·b + g              b = g in the first step
//! w ← w − lr·b
//! ```

use rayon::prelude::*;

use super::{Optimizer, StateData, StateTensor, TensorUpdate, expect_pieces, restore_f32};

/// Elements per task. Elementwise: not part of the result.
const CHUNK: usize = 1 << 15;

/// SGD and its momentum buffers. Without momentum it keeps none.
#[derive(Debug, Clone, PartialEq)]
pub struct Sgd {
    momentum: f64,
    weight_decay: f64,
    step: u64,
    buffers: Vec<Vec<f32>>,
}

impl Sgd {
    /// An optimizer that has seen nothing, for tensors of these lengths.
    pub fn new(momentum: f64, weight_decay: f64, lengths: impl IntoIterator<Item = usize>) -> Self {
        let keep = momentum != 0.0;
        let buffer = |n| if keep { vec![0.0; n] } else { Vec::new() };
        Sgd { momentum, weight_decay, step: 0, buffers: lengths.into_iter().map(buffer).collect() }
    }
}

impl Optimizer for Sgd {
    fn step(&self) -> u64 {
        self.step
    }

    fn begin_step(&mut self) {
        self.step += 1;
    }

    fn update(&mut self, update: TensorUpdate<'_>) {
        let TensorUpdate { index, values, gradient, gradient_scale, learning_rate, decays } = update;
        let decay = if decays { self.weight_decay as f32 } else { 0.0 };
        let (momentum, rate, first) = (self.momentum as f32, learning_rate as f32, self.step == 1);
        let buffer = &mut self.buffers[index];
        let with_decay =
            |w: f32, g: f32| if decay == 0.0 { g * gradient_scale } else { g * gradient_scale + decay * w };
        if buffer.is_empty() {
            let step = |(w, &g): (&mut f32, &f32)| *w -= rate * with_decay(*w, g);
            let chunks = values.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
            chunks.for_each(|(values, gradient)| values.iter_mut().zip(gradient).for_each(step));
            return;
        }
        let chunks = values.par_chunks_mut(CHUNK).zip(buffer.par_chunks_mut(CHUNK)).zip(gradient.par_chunks(CHUNK));
        chunks.for_each(|((values, buffer), gradient)| {
            for ((w, b), &g) in values.iter_mut().zip(buffer).zip(gradient) {
                let g = with_decay(*w, g);
                *b = if first { g } else { *b * momentum + g };
                *w -= rate * *b;
            }
        });
    }

    fn state(&self) -> Vec<StateTensor<'_>> {
        let kept = self.buffers.iter().enumerate().filter(|(_, buffer)| !buffer.is_empty());
        kept.map(|(index, buffer)| StateTensor::f32("momentum", index, buffer)).collect()
    }

    fn restore(&mut self, step: u64, data: Vec<StateData<'static>>) -> Result<(), String> {
        let kept: Vec<&mut Vec<f32>> = self.buffers.iter_mut().filter(|buffer| !buffer.is_empty()).collect();
        expect_pieces(data.len(), kept.len())?;
        kept.into_iter().zip(&data).try_for_each(|(buffer, data)| restore_f32(buffer, data))?;
        self.step = step;
        Ok(())
    }
}
