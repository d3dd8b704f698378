//! Where gradients are added: the caller's buffers, each handed out once.

use super::Decoder;
use crate::adapter::{AdapterWeights, EndLayout, SlotLayout};
use crate::block::{BlockGradient, Norms};
use crate::layout::{Layout, MlpLayout, ModuleId, NormLayout};
use crate::ops::ends::PairGradient;
use crate::ops::linear::{LinearGradient, LowRankGradient, SlotGradient};
use crate::ops::norm::NormGradient;
use crate::real::Real;

/// Which gradients are computed and where they are added.
#[derive(Debug)]
pub(crate) enum Gradients<'a, T> {
    /// One buffer per tensor of the model.
    Full(&'a mut [Vec<T>]),
    /// One buffer per tensor of the adapter.
    Adapter(&'a mut [Vec<T>]),
}

/// Buffers that can each be taken once.
pub(super) struct Buffers<'a, 'w, T> {
    slots: Vec<Option<&'a mut [T]>>,
    /// Whose tensors the buffers are for; without one, the model's.
    pub(super) adapter: Option<&'w AdapterWeights<T>>,
}

impl<'a, 'w, T> Buffers<'a, 'w, T> {
    pub(super) fn new(gradients: Gradients<'a, T>, adapter: Option<&'w AdapterWeights<T>>) -> Self {
        let (buffers, adapter) = match gradients {
            Gradients::Full(buffers) => (buffers, None),
            Gradients::Adapter(buffers) => (buffers, adapter),
        };
        Buffers { slots: buffers.iter_mut().map(|buffer| Some(buffer.as_mut_slice())).collect(), adapter }
    }

    /// The buffer of the model's tensor `index`, or of what the adapter has in its place; nothing if it
    /// is frozen.
    pub(super) fn tensor(&mut self, index: usize) -> Option<&'a mut [T]> {
        match self.adapter {
            None => self.take(index),
            Some(adapter) => self.take(adapter.replaced[index]?),
        }
    }

    /// The buffer of the head's weight.
    pub(super) fn head(&mut self, layout: &Layout) -> Option<&'a mut [T]> {
        match self.adapter {
            Some(adapter) if layout.head == layout.embedding => self.take(adapter.tied_head?),
            _ => self.tensor(layout.head),
        }
    }

    /// Gradients of what an adapter has on a module.
    pub(super) fn slot(&mut self, id: ModuleId) -> SlotGradient<'a, T> {
        let slot = self.adapter.and_then(|adapter| adapter.slots[id].as_ref());
        let gradient = match slot {
            None => None,
            Some(SlotLayout::Scale { scale, .. }) => self.take(*scale).map(SlotGradient::Scale),
            Some(SlotLayout::LowRank { a, b, magnitude, .. }) => {
                let magnitude = magnitude.and_then(|index| self.take(index));
                let pair = self.take(*a).zip(self.take(*b));
                pair.map(|(a, b)| SlotGradient::LowRank(LowRankGradient { a, b, magnitude }))
            }
        };
        gradient.unwrap_or(SlotGradient::Frozen)
    }

    /// Gradients of what an adapter has on the embedding or the head.
    pub(super) fn end(&mut self, of: impl Fn(&AdapterWeights<T>) -> Option<EndLayout>) -> Option<PairGradient<'a, T>> {
        let EndLayout { a, b, .. } = of(self.adapter?)?;
        let (a, b) = self.take(a).zip(self.take(b))?;
        Some(PairGradient { a, b })
    }

    pub(super) fn take(&mut self, index: usize) -> Option<&'a mut [T]> {
        self.slots.get_mut(index).and_then(Option::take)
    }
}

impl<T: Real> Decoder<'_, T> {
    pub(super) fn block_gradient<'b>(&self, layer: usize, buffers: &mut Buffers<'b, '_, T>) -> BlockGradient<'b, T> {
        let layout = &self.weights.layout.blocks[layer];
        BlockGradient {
            norms: Norms {
                input: norm_gradient(layout.input_norm, buffers),
                q: layout.attention.q_norm.map(|norm| norm_gradient(norm, buffers)),
                k: layout.attention.k_norm.map(|norm| norm_gradient(norm, buffers)),
                attention_out: layout.attention_out_norm.map(|norm| norm_gradient(norm, buffers)),
                mlp: norm_gradient(layout.mlp_norm, buffers),
                mlp_out: layout.mlp_out_norm.map(|norm| norm_gradient(norm, buffers)),
            },
            router: match &layout.mlp {
                MlpLayout::Experts { router, .. } => buffers.tensor(*router),
                _ => None,
            },
            linears: layout.modules.clone().map(|id| self.linear_gradient(id, buffers)).collect(),
        }
    }

    fn linear_gradient<'b>(&self, id: ModuleId, buffers: &mut Buffers<'b, '_, T>) -> LinearGradient<'b, T> {
        let module = &self.weights.layout.modules[id];
        LinearGradient {
            weight: buffers.tensor(module.weight),
            bias: module.bias.and_then(|index| buffers.tensor(index)),
            slot: buffers.slot(id),
        }
    }
}

pub(super) fn norm_gradient<'a, T>(layout: NormLayout, buffers: &mut Buffers<'a, '_, T>) -> NormGradient<'a, T> {
    NormGradient { weight: buffers.tensor(layout.weight), bias: layout.bias.and_then(|index| buffers.tensor(index)) }
}
