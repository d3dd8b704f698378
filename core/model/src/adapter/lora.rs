//! Low-rank pairs: `y = W x + s B (A dropout(x))`; with DoRA the rows of `W + s B A` have trained
//! magnitudes.

#[cfg(test)]
mod tests;

use super::config::{AdapterConfig, LoraInit};
use super::pissa;
use super::select::Target;
use super::{AdapterWeights, INIT_STREAM, SlotLayout};
use crate::layout::Module;
use crate::real::Real;
use crate::rng::CounterRng;
use crate::{Model, Result};
use std::sync::Arc;

/// Tensors of zeros for one module: A, B, and with DoRA the magnitudes.
pub(super) fn layout<T: Real>(
    weights: &mut AdapterWeights<T>,
    module: &Module,
    config: &AdapterConfig,
    target: &Target,
) -> SlotLayout<T> {
    let name = |tensor: &str| format!("base_model.model.{}.{tensor}", module.path);
    SlotLayout::LowRank {
        a: weights.push(name("lora_A.weight"), vec![target.r, module.in_size]),
        b: weights.push(name("lora_B.weight"), vec![module.out_size, target.r]),
        magnitude: config.use_dora.then(|| weights.push(name("lora_magnitude_vector"), vec![module.out_size])),
        scaling: config.scaling(target.r, target.alpha),
        initial: None,
    }
}

/// `A` uniform in `±1/sqrt(in)` (Kaiming's with `a = sqrt(5)`) and `B` zero, or PiSSA's; magnitudes
/// are the norms of the weight's rows.
pub(super) fn init(weights: &mut AdapterWeights<f32>, model: &Model, config: &AdapterConfig, seed: u64) -> Result<()> {
    match config.init {
        LoraInit::Pissa => relieve(weights, model),
        LoraInit::Kaiming => {
            let pairs = weights.slots.iter().flatten().enumerate();
            let stream_and_a = pairs.filter_map(|(stream, slot)| match slot {
                SlotLayout::LowRank { a, .. } => Some((stream as u64, *a)),
                SlotLayout::Scale { .. } => None,
            });
            for (stream, a) in stream_and_a.collect::<Vec<_>>() {
                let rng = CounterRng::new(seed, INIT_STREAM).fork(stream);
                let bound = 1.0 / (weights.tensors[a].shape[1] as f64).sqrt();
                for (i, value) in weights.values_mut(a).iter_mut().enumerate() {
                    *value = ((2.0 * rng.uniform_at(i as u64) - 1.0) * bound) as f32;
                }
            }
        }
    }
    for (id, norms) in weights.norms(model.weights()).into_iter().enumerate() {
        if let Some(SlotLayout::LowRank { magnitude: Some(magnitude), .. }) = weights.slots[id] {
            weights.values_mut(magnitude).copy_from_slice(&norms);
        }
    }
    Ok(())
}

/// Sets every pair to its weight's largest singular triplets, and notes that the base lacks them.
pub(super) fn relieve(weights: &mut AdapterWeights<f32>, model: &Model) {
    let base = model.weights();
    for id in 0..weights.slots.len() {
        let Some(SlotLayout::LowRank { a, b, scaling, .. }) = weights.slots[id] else {
            continue;
        };
        let module = &base.layout.modules[id];
        let r = weights.tensors[a].shape[0];
        let initial = pissa::initial(base.matrix(module.weight, module.transposed), module, r, scaling);
        weights.values_mut(a).copy_from_slice(&initial.a);
        weights.values_mut(b).copy_from_slice(&initial.b);
        if let Some(SlotLayout::LowRank { initial: slot, .. }) = &mut weights.slots[id] {
            *slot = Some(Arc::new(initial));
        }
    }
}
