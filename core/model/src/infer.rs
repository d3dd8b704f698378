//! The forward pass of generation and scoring: no gradients, a key-value cache, and results of a row
//! that do not depend on which other rows are computed with it.
//!
//! Every product goes through [`rows_product`](crate::matmul::rows_product), every other operation works
//! on one row at a time. So greedy text does not depend on the batch, a prefix's keys and values may
//! be copied from another sequence, and a prompt may be fed in pieces, bit for bit.

mod attention;
mod block;
pub(crate) mod cache;
pub(crate) mod linear;

use crate::decoder::{Decoder, poll};
use crate::ops::ends::Pair;
use crate::ops::rope::{RopeTable, Rotary};
use crate::ops::softcap;
use crate::{Adapter, LayerRope, Model, ModelConfig, Result};
use cache::KvCache;
use std::sync::atomic::AtomicBool;

/// Positions whose angles are computed at first.
const INITIAL_POSITIONS: usize = 256;

/// Tokens to append to one sequence.
#[derive(Debug)]
pub(crate) struct Segment<'a> {
    /// The next tokens, at least one.
    pub(crate) ids: &'a [u32],
    /// Keys and values of all tokens before; those of `ids` are added.
    pub(crate) cache: &'a mut KvCache,
    /// Length of the sequence as far as it is known, which chooses the frequencies of LongRoPE and dynamic
    /// NTK. Those of the tokens in the cache must be the same
    /// ([`rotates_differently`](ModelConfig::rotates_differently)).
    pub(crate) length: usize,
}

/// A model, its adapter, and the angles computed so far.
#[derive(Debug)]
pub(crate) struct Inference<'a> {
    decoder: Decoder<'a, f32>,
    rope: Rotary<f32>,
    local_rope: Option<Rotary<f32>>,
}

impl<'a> Inference<'a> {
    pub(crate) fn new(model: &'a Model, adapter: Option<&'a Adapter>) -> Self {
        let config = model.config();
        let adapter = adapter.map(|adapter| adapter.weights.as_ref());
        Inference {
            decoder: Decoder::new(config, model.weights(), adapter),
            rope: Rotary::new(&config.rope, INITIAL_POSITIONS, std::iter::empty()),
            local_rope: config.local_rope.as_ref().map(|rope| Rotary::new(rope, INITIAL_POSITIONS, std::iter::empty())),
        }
    }

    pub(crate) fn config(&self) -> &'a ModelConfig {
        self.decoder.config
    }

    /// Appends the segments' tokens; returns the final hidden states before the last norm,
    /// `[sum of segment lengths, hidden]`.
    pub(crate) fn forward(&mut self, segments: &mut [Segment], cancel: &AtomicBool) -> Result<Vec<f32>> {
        let config = self.decoder.config;
        let longest = segments.iter().map(|s| s.cache.len() + s.ids.len()).max().unwrap_or(0);
        config.check_length(longest)?;
        let lengths = segments.iter().map(|segment| segment.length);
        for rope in [Some(&mut self.rope), self.local_rope.as_mut()].into_iter().flatten() {
            rope.prepare(longest, lengths.clone());
        }
        let ids: Vec<u32> = segments.iter().flat_map(|segment| segment.ids.iter().copied()).collect();
        for segment in segments.iter_mut() {
            segment.cache.reserve(segment.ids.len());
        }
        let positions = segments.iter().flat_map(|s| s.cache.len()..s.cache.len() + s.ids.len());
        let mut x = self.decoder.embed(&ids, positions);
        for layer in 0..config.n_layers {
            poll(cancel)?;
            self.block(layer, &mut x, segments);
        }
        for segment in segments.iter_mut() {
            segment.cache.commit(segment.ids.len(), segment.length);
        }
        Ok(x)
    }

    /// Logits `[rows, vocab]` of some rows of hidden states `x`.
    pub(crate) fn logits(&self, x: &[f32], rows: &[usize]) -> Vec<f32> {
        let hidden = self.decoder.config.hidden_size;
        let selected: Vec<f32> = rows.iter().flat_map(|&i| &x[i * hidden..(i + 1) * hidden]).copied().collect();
        let layout = &self.decoder.weights.layout;
        let h = self.decoder.norm(layout.final_norm).forward(&selected).0;
        let head = self.decoder.adapted_head(None);
        let mut logits = linear::product(&h, head.weight, hidden);
        if let Some(Pair { r, scaling, a, b }) = head.pair {
            let update = linear::product(&linear::product(&h, a, hidden), b, r);
            logits.iter_mut().zip(&update).for_each(|(logit, update)| *logit += scaling * update);
        }
        if let Some(cap) = self.decoder.config.final_softcap {
            softcap::forward(&mut logits, cap);
        }
        logits
    }

    /// Angles of `layer` for a sequence.
    fn angles(&self, layer: usize, segment: &Segment) -> Option<&RopeTable<f32>> {
        let rope = match self.decoder.config.layer_rope[layer] {
            LayerRope::None => None,
            LayerRope::Global => Some(&self.rope),
            LayerRope::Local => self.local_rope.as_ref(),
        };
        rope.map(|rope| rope.table(segment.length))
    }
}
