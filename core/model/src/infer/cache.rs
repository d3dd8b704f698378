//! Keys and values of one sequence.

use crate::ModelConfig;
use std::ops::Range;

/// Positions a cache has room for at first, and at least by how many it grows.
const LEAST_GROWTH: usize = 64;

/// Rotated keys and values, per layer `[kv_heads, capacity, head_dim]`. Capacity doubles when it runs
/// out, so that a token costs no copy of the others.
#[derive(Debug, Clone)]
pub(crate) struct KvCache {
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
    n_kv_heads: usize,
    head_dim: usize,
    capacity: usize,
    len: usize,
    /// Length of the sequence when its keys were rotated.
    length: usize,
}

impl KvCache {
    pub(crate) fn new(config: &ModelConfig, capacity: usize) -> Self {
        let size = config.n_kv_heads * capacity * config.head_dim;
        KvCache {
            keys: vec![vec![0.0; size]; config.n_layers],
            values: vec![vec![0.0; size]; config.n_layers],
            n_kv_heads: config.n_kv_heads,
            head_dim: config.head_dim,
            capacity,
            len: 0,
            length: 0,
        }
    }

    /// Number of positions that are filled.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Makes room for `n` further positions.
    pub(crate) fn reserve(&mut self, n: usize) {
        if self.len + n <= self.capacity {
            return;
        }
        let capacity = (self.len + n).max(2 * self.capacity).max(LEAST_GROWTH);
        let (old, d, filled) = (self.capacity, self.head_dim, self.len * self.head_dim);
        let size = self.n_kv_heads * capacity * d;
        for buffer in self.keys.iter_mut().chain(&mut self.values) {
            let mut grown = vec![0.0; size];
            for head in 0..self.n_kv_heads {
                let (to, from) = (head * capacity * d, head * old * d);
                grown[to..to + filled].copy_from_slice(&buffer[from..from + filled]);
            }
            *buffer = grown;
        }
        self.capacity = capacity;
    }

    /// Key and value of one position, for writing.
    pub(crate) fn slot(&mut self, layer: usize, head: usize, position: usize) -> (&mut [f32], &mut [f32]) {
        let span = self.span(head, position..position + 1);
        (&mut self.keys[layer][span.clone()], &mut self.values[layer][span])
    }

    /// Counts `n` positions as filled, once all layers have written them, as part of a sequence of
    /// `length` tokens.
    pub(crate) fn commit(&mut self, n: usize, length: usize) {
        self.len += n;
        self.length = length;
    }

    /// Length of the sequence when its last keys were rotated.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Empties the cache and keeps its room.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Keys of some positions, `[n, head_dim]`.
    pub(crate) fn keys(&self, layer: usize, head: usize, positions: Range<usize>) -> &[f32] {
        &self.keys[layer][self.span(head, positions)]
    }

    /// Values of some positions, `[n, head_dim]`.
    pub(crate) fn values(&self, layer: usize, head: usize, positions: Range<usize>) -> &[f32] {
        &self.values[layer][self.span(head, positions)]
    }

    /// Makes this empty cache start with the first `n` positions of `other`, whose tokens are the same.
    pub(crate) fn copy_prefix(&mut self, other: &KvCache, n: usize) {
        self.reserve(n);
        for layer in 0..self.keys.len() {
            for head in 0..self.n_kv_heads {
                let span = self.span(head, 0..n);
                self.keys[layer][span.clone()].copy_from_slice(other.keys(layer, head, 0..n));
                self.values[layer][span].copy_from_slice(other.values(layer, head, 0..n));
            }
        }
        self.len = n;
        self.length = other.length;
    }

    fn span(&self, head: usize, positions: Range<usize>) -> Range<usize> {
        let first = head * self.capacity;
        (first + positions.start) * self.head_dim..(first + positions.end) * self.head_dim
    }
}
