//! The forward pass of generation and scoring: no gradients, a key-value cache, and results of a row
//! that do not depend on which other rows are computed with it.
//!
//! Every product goes through [`rows_product`](crate::matmul::rows_product), every other operation works
//! on one row at a time. So greedy text does not depend on the batch, a prefix's keys and values may
//! be copied from another sequence, and a prompt may be fed in pieces, bit for bit.

pub(crate) mod cache;
pub(crate) mod linear;

use crate::decoder::{Decoder, poll};
use crate::ops::rms_norm;
use crate::ops::rope::{Direction, RopeTable};
use crate::simd;
use crate::{LoraAdapter, Model, ModelConfig, Result};
use cache::KvCache;
use rayon::prelude::*;
use std::sync::atomic::AtomicBool;

/// Query rows of one attention task.
const ATTENTION_ROWS: usize = 16;

/// Tokens to append to one sequence.
#[derive(Debug)]
pub(crate) struct Segment<'a> {
    /// The next tokens, at least one.
    pub(crate) ids: &'a [u32],
    /// Keys and values of all tokens before; those of `ids` are added.
    pub(crate) cache: &'a mut KvCache,
}

/// A model, its adapter, and the angles computed so far.
#[derive(Debug)]
pub(crate) struct Inference<'a> {
    decoder: Decoder<'a, f32>,
    rope: RopeTable<f32>,
}

impl<'a> Inference<'a> {
    pub(crate) fn new(model: &'a Model, adapter: Option<&'a LoraAdapter>) -> Self {
        let config = model.config();
        let lora = adapter.map(|adapter| adapter.weights.as_ref());
        Inference {
            decoder: Decoder { config, weights: model.weights(), lora },
            rope: RopeTable::new(&config.rope, config.head_dim, 256),
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
        if longest > self.rope.n_positions() {
            self.rope = RopeTable::new(&config.rope, config.head_dim, longest.next_power_of_two());
        }
        let ids: Vec<u32> = segments.iter().flat_map(|segment| segment.ids.iter().copied()).collect();
        for segment in segments.iter_mut() {
            segment.cache.reserve(segment.ids.len());
        }
        let mut x = crate::ops::embedding::forward(&ids, self.decoder.embedding(), config.hidden_size);
        for layer in 0..config.n_layers {
            poll(cancel)?;
            self.block(layer, &mut x, segments);
        }
        for segment in segments.iter_mut() {
            segment.cache.commit(segment.ids.len());
        }
        Ok(x)
    }

    /// Logits `[rows, vocab]` of some rows of hidden states `x`.
    pub(crate) fn logits(&self, x: &[f32], rows: &[usize]) -> Vec<f32> {
        let hidden = self.decoder.config.hidden_size;
        let selected: Vec<f32> = rows.iter().flat_map(|&i| &x[i * hidden..(i + 1) * hidden]).copied().collect();
        let layout = &self.decoder.weights.layout;
        let norm = self.decoder.weights.values(layout.final_norm);
        let h = rms_norm::forward(&selected, norm, self.decoder.config.rms_norm_eps as f32).0;
        linear::product(&h, self.decoder.weights.values(layout.head), hidden)
    }

    fn block(&self, layer: usize, x: &mut [f32], segments: &mut [Segment]) {
        let config = self.decoder.config;
        let eps = config.rms_norm_eps as f32;
        let block = self.decoder.block(layer, None);
        let (attention, mlp) = (&block.layout.attention, &block.layout.mlp);
        let project = |id, x: &[f32]| linear::forward(block.linear(id), x);
        let h = rms_norm::forward(x, block.input_norm, eps).0;
        let mut q = project(attention.q, &h);
        let (k, v) = (project(attention.k, &h), project(attention.v, &h));
        self.store(layer, &mut q, &k, &v, segments);
        let o = self.attention(layer, &q, segments);
        add(x, &project(attention.o, &o));
        let h = rms_norm::forward(x, block.post_norm, eps).0;
        let (gate, up) = (project(mlp.gate, &h), project(mlp.up, &h));
        let width = config.intermediate_size;
        let mut act = vec![0.0; gate.len()];
        act.par_chunks_mut(width)
            .with_min_len(8)
            .zip(gate.par_chunks(width))
            .zip(up.par_chunks(width))
            .for_each(|((act, gate), up)| simd::swiglu(gate, up, act));
        add(x, &project(mlp.down, &act));
    }

    /// Rotates queries in place, rotates keys into the caches, copies values there.
    fn store(&self, layer: usize, q: &mut [f32], k: &[f32], v: &[f32], segments: &mut [Segment]) {
        let config = self.decoder.config;
        let d = config.head_dim;
        let mut rotated = vec![0.0; d];
        let mut row = 0;
        for segment in segments {
            for t in 0..segment.ids.len() {
                let position = segment.cache.len() + t;
                for q in q[row * config.q_size()..(row + 1) * config.q_size()].chunks_mut(d) {
                    self.rope.rotate(position, Direction::Forward, q, &mut rotated);
                    q.copy_from_slice(&rotated);
                }
                let kv_row = row * config.kv_size()..(row + 1) * config.kv_size();
                let heads = k[kv_row.clone()].chunks(d).zip(v[kv_row].chunks(d)).enumerate();
                for (head, (k, v)) in heads {
                    let (key, value) = segment.cache.slot(layer, head, position);
                    self.rope.rotate(position, Direction::Forward, k, key);
                    value.copy_from_slice(v);
                }
                row += 1;
            }
        }
    }

    /// Attention of rotated queries `[n, heads * d]` over the caches.
    fn attention(&self, layer: usize, q: &[f32], segments: &[Segment]) -> Vec<f32> {
        let width = self.decoder.config.q_size();
        let mut out = vec![0.0; q.len()];
        let mut tasks = Vec::new();
        let (mut rest, mut row) = (out.as_mut_slice(), 0);
        for segment in segments {
            for first in (0..segment.ids.len()).step_by(ATTENTION_ROWS) {
                let n = ATTENTION_ROWS.min(segment.ids.len() - first);
                let piece;
                (piece, rest) = rest.split_at_mut(n * width);
                let queries = &q[row * width..(row + n) * width];
                tasks.push((&*segment.cache, segment.cache.len() + first, queries, piece));
                row += n;
            }
        }
        tasks.into_par_iter().for_each(|(cache, position, queries, out)| {
            self.attend(layer, cache, position, queries, out);
        });
        out
    }

    /// Some queries of one sequence, the first at `position`.
    fn attend(&self, layer: usize, cache: &KvCache, position: usize, queries: &[f32], out: &mut [f32]) {
        let config = self.decoder.config;
        let (d, width) = (config.head_dim, config.q_size());
        let n = queries.len() / width;
        let scale = (d as f64).powf(-0.5) as f32;
        let window = config.sliding_window[layer];
        let first_key = |i: usize| window.map_or(0, |w| (position + i + 1).saturating_sub(w));
        let keys = first_key(0)..position + n;
        let mut scores = vec![0.0; n * keys.len()];
        let mut q = vec![0.0; n * d];
        for head in 0..config.n_heads {
            let kv_head = head / (config.n_heads / config.n_kv_heads);
            for (q, row) in q.chunks_mut(d).zip(queries.chunks(width)) {
                for (q, &x) in q.iter_mut().zip(&row[head * d..]) {
                    *q = x * scale;
                }
            }
            let k = cache.keys(layer, kv_head, keys.clone());
            simd::row_product(&q, k, d, &mut scores, keys.len());
            let rows = scores.chunks_mut(keys.len()).zip(out.chunks_mut(width)).enumerate();
            for (i, (scores, out)) in rows {
                let visible = first_key(i)..position + i + 1;
                let p = &mut scores[visible.start - keys.start..visible.end - keys.start];
                let max = simd::max(p);
                let inverse = 1.0 / simd::exp_shift_sum(p, max);
                let out = &mut out[head * d..(head + 1) * d];
                simd::add_weighted_rows(out, p, cache.values(layer, kv_head, visible));
                out.iter_mut().for_each(|x| *x *= inverse);
            }
        }
    }
}

fn add(x: &mut [f32], y: &[f32]) {
    for (x, &y) in x.iter_mut().zip(y) {
        *x += y;
    }
}
