//! PiSSA's initial values: `A = sqrt(S/s) V^T`, `B = U sqrt(S/s)` of the `r` largest singular triplets
//! of the weight, so that `W = (W - s B A) + s B A` (arXiv:2404.02948).
//!
//! The base is not changed. The decoder subtracts the initial pair beside it, so that several adapters
//! share a base; a file has `[A; A0]` and `[B, -B0]`, a LoRA of twice the rank on the original base, as
//! PEFT's `path_initial_model_for_weight_conversion` writes it.

mod svd;
#[cfg(test)]
mod tests;

use super::{Adapter, AdapterWeights, Initial, LoraInit, SlotLayout};
use crate::layout::Module;
use crate::ops::linear::Weight;
use std::sync::Arc;

/// The pair that a module starts with.
pub(super) fn initial(weight: Weight<f32>, module: &Module, r: usize, scaling: f64) -> Initial<f32> {
    let mut values = vec![0.0; module.out_size * module.in_size];
    weight.rows(0, module.in_size, &mut values);
    let triplets = svd::largest(&values, module.out_size, module.in_size, r);
    let (mut a, mut b) = (vec![0.0; r * module.in_size], vec![0.0; module.out_size * r]);
    for (k, triplet) in triplets.iter().enumerate() {
        let root = (triplet.value / scaling).sqrt();
        for (a, v) in a[k * module.in_size..].iter_mut().zip(&triplet.right) {
            *a = (root * v) as f32;
        }
        for (b, u) in b[k..].iter_mut().step_by(r).zip(&triplet.left) {
            *b = (root * u) as f32;
        }
    }
    Initial { a, b }
}

impl Adapter {
    /// The same adapter on the original base without PiSSA's initial pair: a LoRA of twice the rank.
    /// Any other adapter as it is.
    pub fn converted(&self) -> Adapter {
        if self.config.init != LoraInit::Pissa {
            return self.clone();
        }
        let mut config = self.config.clone();
        config.init = LoraInit::Kaiming;
        // The scaling stays what it is at twice the rank.
        let factor = if config.use_rslora { std::f64::consts::SQRT_2 } else { 2.0 };
        config.r *= 2;
        config.alpha *= factor;
        config.rank_pattern.iter_mut().for_each(|(_, r)| *r *= 2);
        config.alpha_pattern.iter_mut().for_each(|(_, alpha)| *alpha *= factor);
        let mut weights = AdapterWeights::clone(&self.weights);
        for slot in weights.slots.iter_mut().flatten() {
            if let SlotLayout::LowRank { a, b, initial, .. } = slot
                && let Some(initial) = initial.take()
                && let Ok([a, b]) = weights.tensors.get_disjoint_mut([*a, *b])
            {
                double(a, b, &initial);
            }
        }
        Adapter { config, fan_in_fan_out: self.fan_in_fan_out, weights: Arc::new(weights) }
    }
}

type Tensor = crate::weights::NamedTensor<f32>;

/// `A` to `[A; A0]`, `B` to `[B, -B0]`.
fn double(a: &mut Tensor, b: &mut Tensor, initial: &Initial<f32>) {
    let r = a.shape[0];
    let mut doubled = a.values.as_slice().to_vec();
    doubled.extend(&initial.a);
    (a.shape[0], a.values) = (2 * r, doubled.into());
    let rows = b.values.as_slice().chunks(r).zip(initial.b.chunks(r));
    let doubled: Vec<f32> = rows.flat_map(|(b, b0)| b.iter().copied().chain(b0.iter().map(|x| -x))).collect();
    (b.shape[1], b.values) = (2 * r, doubled.into());
}
