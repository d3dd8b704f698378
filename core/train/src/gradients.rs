//! The gradients of one optimizer step: their buffers, their norms, their clipping.
//!
//! Norms are accumulated in f64 in an order that does not depend on the number of threads, so the
//! clipping factor, and with it every weight, has the same bits on one core and on many.

use rayon::prelude::*;

/// Elements whose squares one task adds up. Part of the result: changing it changes the last bits.
const CHUNK: usize = 1 << 14;

/// `‖gradient‖²` of one tensor. Not finite exactly if an element is not: squares of f32 cannot
/// overflow f64.
pub fn squared_norm(gradient: &[f32]) -> f64 {
    let partial: Vec<f64> = gradient.par_chunks(CHUNK).map(squared_norm_of_chunk).collect();
    partial.iter().sum()
}

fn squared_norm_of_chunk(chunk: &[f32]) -> f64 {
    // Eight independent sums: a fixed order that the compiler can still put into vector registers.
    let mut lanes = [0.0f64; 8];
    let blocks = chunk.chunks_exact(8);
    let rest: f64 = blocks.remainder().iter().map(|&g| f64::from(g) * f64::from(g)).sum();
    for block in blocks {
        for (lane, &g) in lanes.iter_mut().zip(block) {
            *lane += f64::from(g) * f64::from(g);
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// The L2 norm over all tensors, given each one's squared norm.
pub fn global_norm(squared_norms: &[f64]) -> f64 {
    squared_norms.iter().sum::<f64>().sqrt()
}

/// What gradients are multiplied with so that their norm is at most `max_grad_norm`: as
/// `torch.nn.utils.clip_grad_norm_` (its 1e-6 included); 0 switches clipping off.
pub fn clipping_factor(grad_norm: f64, max_grad_norm: f64) -> f32 {
    if max_grad_norm <= 0.0 {
        return 1.0;
    }
    (max_grad_norm / (grad_norm + 1e-6)).min(1.0) as f32
}

/// Set every buffer to zero, keeping its memory.
pub fn zero(gradients: &mut [Vec<f32>]) {
    gradients.par_iter_mut().for_each(|gradient| gradient.fill(0.0));
}

#[cfg(test)]
mod tests;
