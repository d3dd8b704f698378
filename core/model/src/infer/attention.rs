//! Attention of new tokens over the cache, one row at a time.

use super::cache::KvCache;
use super::{Inference, Segment};
use crate::ops::rope::Direction;
use crate::ops::softcap;
use crate::simd;
use rayon::prelude::*;

/// Query rows of one attention task.
const ATTENTION_ROWS: usize = 16;

impl Inference<'_> {
    /// Rotates queries in place, rotates keys into the caches, copies values there.
    pub(super) fn store(&self, layer: usize, q: &mut [f32], k: &[f32], v: &[f32], segments: &mut [Segment]) {
        let config = self.decoder.config;
        let d = config.head_dim;
        let mut rotated = vec![0.0; d];
        let mut row = 0;
        for segment in segments {
            let angles = self.angles(layer, segment);
            for t in 0..segment.ids.len() {
                let position = segment.cache.len() + t;
                if let Some(angles) = angles {
                    for q in q[row * config.q_size()..(row + 1) * config.q_size()].chunks_mut(d) {
                        angles.rotate(position, Direction::Forward, q, &mut rotated);
                        q.copy_from_slice(&rotated);
                    }
                }
                let kv_row = row * config.kv_size()..(row + 1) * config.kv_size();
                let heads = k[kv_row.clone()].chunks(d).zip(v[kv_row].chunks(d)).enumerate();
                for (head, (k, v)) in heads {
                    let (key, value) = segment.cache.slot(layer, head, position);
                    match angles {
                        Some(angles) => angles.rotate(position, Direction::Forward, k, key),
                        None => key.copy_from_slice(k),
                    }
                    value.copy_from_slice(v);
                }
                row += 1;
            }
        }
    }

    /// Attention of rotated queries `[n, heads * d]` over the caches.
    pub(super) fn attention(&self, layer: usize, q: &[f32], segments: &[Segment]) -> Vec<f32> {
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
        let scale = config.attention_scale[layer] as f32;
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
            if let Some(cap) = config.attention_softcap {
                softcap::forward(&mut scores, cap);
            }
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
