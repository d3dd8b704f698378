//! IA3: a vector per module that scales its output, or the input of a feed-forward module
//! (arXiv:2205.05638). It starts as ones.

#[cfg(test)]
mod tests;

use super::select::Target;
use super::{AdapterWeights, SlotLayout};
use crate::layout::Module;
use crate::real::Real;

/// The vector of one module: `[1, in]` or `[out, 1]`.
pub(super) fn layout<T: Real>(weights: &mut AdapterWeights<T>, module: &Module, target: &Target) -> SlotLayout<T> {
    let shape = if target.on_input { vec![1, module.in_size] } else { vec![module.out_size, 1] };
    let scale = weights.push(format!("base_model.model.{}.ia3_l", module.path), shape);
    SlotLayout::Scale { scale, on_input: target.on_input }
}

/// Ones: the model as it is.
pub(super) fn init<T: Real>(weights: &mut AdapterWeights<T>) {
    for id in 0..weights.slots.len() {
        if let Some(SlotLayout::Scale { scale, .. }) = weights.slots[id] {
            weights.values_mut(scale).fill(T::ONE);
        }
    }
}
