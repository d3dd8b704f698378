//! Causal attention within sequences: `o = softmax(softcap(scale * q k^T) + mask) v`, head-major buffers
//! (see [`rope`](super::rope)); `n_heads` a multiple of `n_kv_heads`.
//!
//! Scores exist for [`QUERY_BLOCK`] queries and [`KEY_BLOCK`] keys at a time. The forward pass keeps a
//! running maximum and sum per query (Milakov and Gimelshein, arXiv:1805.02867) and the backward pass
//! recomputes scores from the saved log-sum-exp, so memory grows with the length, not its square, and
//! key blocks outside the window cost nothing:
//! `p = exp(s - lse)`, `dp = do v^T`, `ds = p * (dp - sum(do * o))`, `dq = scale ds k`,
//! `dk = scale ds^T q`, `dv = p^T do`.

mod backward;
#[cfg(test)]
mod tests;

use super::rope::HeadLayout;
use super::softcap;
use crate::buffers;
use crate::matmul::{Mat, MatMut, Update, product};
use crate::profile::span;
use crate::real::Real;
use rayon::prelude::*;
use std::ops::Range;

/// Queries whose scores exist at one time.
const QUERY_BLOCK: usize = 64;

/// Keys whose scores exist at one time: with the queries 128 KiB, which the second-level cache keeps.
const KEY_BLOCK: usize = 512;

/// Geometry of one attention layer over a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attention<'a> {
    /// Layout of q and of the output.
    pub(crate) heads: HeadLayout<'a>,
    /// Number of key and value heads.
    pub(crate) n_kv_heads: usize,
    /// How many positions a query sees, itself included; `None` sees all before it.
    pub(crate) window: Option<usize>,
    /// Factor of the products of queries and keys.
    pub(crate) scale: f64,
    /// Soft limit of the scaled products.
    pub(crate) softcap: Option<f64>,
}

/// Queries and keys of one product.
struct Tile {
    queries: Range<usize>,
    keys: Range<usize>,
}

/// Softmax of a query so far: the largest score and the sum of `exp(score - largest)`.
#[derive(Clone, Copy)]
struct Running<T> {
    max: T,
    sum: T,
}

impl Attention<'_> {
    fn kv(&self) -> HeadLayout<'_> {
        HeadLayout { n_heads: self.n_kv_heads, ..self.heads }
    }

    fn scale<T: Real>(&self) -> T {
        T::from_f64(self.scale)
    }

    /// Of one product over all visible pairs of queries and keys.
    fn product_flops(&self) -> f64 {
        let pairs = |length: usize| {
            let (length, window) = (length as f64, self.window.map_or(f64::INFINITY, |window| window as f64));
            // A triangle, without the one beyond the window.
            (length * length - (length - window.min(length)).powi(2)) / 2.0
        };
        let pairs: f64 = self.heads.ranges.iter().map(|range| pairs(range.len())).sum();
        2.0 * pairs * (self.heads.n_heads * self.heads.head_dim) as f64
    }

    /// First key that query `i` sees.
    fn first_key(&self, i: usize) -> usize {
        self.window.map_or(0, |window| (i + 1).saturating_sub(window))
    }

    /// The tiles of a block of queries: blocks of the keys that any of its queries sees.
    fn tiles(&self, queries: Range<usize>) -> impl Iterator<Item = Tile> + use<> {
        let (first, end) = (self.first_key(queries.start), queries.end);
        (first..end)
            .step_by(KEY_BLOCK)
            .map(move |start| Tile { queries: queries.clone(), keys: start..(start + KEY_BLOCK).min(end) })
    }

    /// Columns of the tile's scores that query `i` sees; may be empty.
    fn visible(&self, i: usize, keys: &Range<usize>) -> Range<usize> {
        let start = self.first_key(i).clamp(keys.start, keys.end);
        let end = (i + 1).clamp(start, keys.end);
        start - keys.start..end - keys.start
    }

    /// Output `[o, lse]`, head-major, of `q [.., d]` and `k`, `v` of fewer heads; `lse` has one value
    /// per row.
    pub(crate) fn forward<T: Real>(&self, q: &[T], k: &[T], v: &[T]) -> (Vec<T>, Vec<T>) {
        let d = self.heads.head_dim;
        let _span = span("attention, forward", || 2.0 * self.product_flops());
        let mut o = buffers::take(q.len());
        let mut lse = buffers::take(q.len() / d);
        let tasks: Vec<_> = self
            .heads
            .split(&mut o, d)
            .into_iter()
            .zip(self.heads.split(&mut lse, 1))
            .flat_map(|((sequence, head, o), (_, _, lse))| {
                let blocks = o.chunks_mut(QUERY_BLOCK * d).zip(lse.chunks_mut(QUERY_BLOCK));
                blocks.enumerate().map(move |(block, (o, lse))| (sequence, head, block * QUERY_BLOCK, o, lse))
            })
            .collect();
        tasks.into_par_iter().for_each_init(Vec::new, |scores, (sequence, head, first, o, lse)| {
            let (k, v) = self.keys_values(k, v, sequence, head);
            let q = self.heads.piece(q, sequence, head, d);
            self.forward_block(first..first + lse.len(), [q, k, v], o, lse, scores);
        });
        (o, lse)
    }

    /// Some queries of one head.
    fn forward_block<T: Real>(
        &self,
        queries: Range<usize>,
        [q, k, v]: [&[T]; 3],
        o: &mut [T],
        lse: &mut [T],
        scores: &mut Vec<T>,
    ) {
        let d = self.heads.head_dim;
        let mut running = [Running { max: T::NEG_INFINITY, sum: T::ZERO }; QUERY_BLOCK];
        for (index, tile) in self.tiles(queries.clone()).enumerate() {
            let n_keys = tile.keys.len();
            let p = self.scores(q, k, &tile, scores);
            let scored = p.chunks_mut(n_keys).zip(queries.clone()).zip(o.chunks_mut(d)).zip(&mut running);
            for (((p, i), o), running) in scored {
                let factor = running.extend(p, self.visible(i, &tile.keys));
                if index > 0 {
                    o.iter_mut().for_each(|o| *o *= factor);
                }
            }
            let update = if index == 0 { Update::Set } else { Update::Add };
            let p = Mat::new(&*p, queries.len(), n_keys);
            product(MatMut::new(o, queries.len(), d), update, T::ONE, p, rows(v, &tile.keys, d));
        }
        for ((o, lse), running) in o.chunks_mut(d).zip(lse).zip(running) {
            let inverse = T::ONE / running.sum;
            o.iter_mut().for_each(|o| *o *= inverse);
            *lse = running.max + T::from_f64(crate::math::ln(running.sum.to_f64()));
        }
    }

    /// Key and value rows that serve query head `head`.
    fn keys_values<'b, T>(&self, k: &'b [T], v: &'b [T], sequence: usize, head: usize) -> (&'b [T], &'b [T]) {
        let d = self.heads.head_dim;
        let kv_head = head / (self.heads.n_heads / self.n_kv_heads);
        let kv = self.kv();
        (kv.piece(k, sequence, kv_head, d), kv.piece(v, sequence, kv_head, d))
    }

    /// `softcap(scale * q k^T)` of the tile, without the mask.
    fn scores<'s, T: Real>(&self, q: &[T], k: &[T], tile: &Tile, scores: &'s mut Vec<T>) -> &'s mut [T] {
        let d = self.heads.head_dim;
        let (n_queries, n_keys) = (tile.queries.len(), tile.keys.len());
        let scores = room(scores, n_queries * n_keys);
        let out = MatMut::new(scores, n_queries, n_keys);
        product(out, Update::Set, self.scale(), rows(q, &tile.queries, d), rows(k, &tile.keys, d).t());
        if let Some(cap) = self.softcap {
            softcap::forward(scores, cap);
        }
        scores
    }
}

impl<T: Real> Running<T> {
    /// Takes in the visible scores of a tile, which become `exp(score - largest)`, zero elsewhere.
    /// Returns what earlier results must be multiplied by.
    fn extend(&mut self, row: &mut [T], visible: Range<usize>) -> T {
        row[..visible.start].fill(T::ZERO);
        row[visible.end..].fill(T::ZERO);
        let row = &mut row[visible];
        if row.is_empty() {
            return T::ONE;
        }
        let largest = T::max(row);
        let max = if largest > self.max { largest } else { self.max };
        let factor = if self.sum > T::ZERO { (self.max - max).exp() } else { T::ZERO };
        let sum = T::exp_shift_sum(row, max);
        *self = Running { max, sum: self.sum * factor + sum };
        factor
    }
}

/// The first `n` elements, whatever they were.
fn room<T: Real>(buffer: &mut Vec<T>, n: usize) -> &mut [T] {
    if buffer.len() < n {
        buffer.resize(n, T::ZERO);
    }
    &mut buffer[..n]
}

/// Rows `range` of a `[.., d]` buffer.
fn rows<'a, T>(x: &'a [T], range: &Range<usize>, d: usize) -> Mat<'a, T> {
    Mat::new(&x[range.start * d..range.end * d], range.len(), d)
}
