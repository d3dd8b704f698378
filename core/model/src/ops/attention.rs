//! Causal attention within sequences: `o = softmax(scale * q k^T + mask) v`, head-major buffers
//! (see [`rope`](super::rope)); `n_heads` a multiple of `n_kv_heads`.
//!
//! The score matrix exists for [`QUERY_BLOCK`] queries at a time and is recomputed in the backward
//! pass from the saved log-sum-exp, so memory grows with the length, not its square:
//! `p = exp(s - lse)`, `dp = do v^T`, `ds = p * (dp - sum(do * o))`, `dq = scale ds k`,
//! `dk = scale ds^T q`, `dv = p^T do`.

use super::rope::HeadLayout;
use crate::matmul::{Mat, MatMut, Update, product};
use crate::real::Real;
use rayon::prelude::*;
use std::ops::Range;

/// Queries whose scores exist at one time.
const QUERY_BLOCK: usize = 64;

/// Geometry of one attention layer over a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attention<'a> {
    /// Layout of q and of the output.
    pub(crate) heads: HeadLayout<'a>,
    /// Number of key and value heads.
    pub(crate) n_kv_heads: usize,
    /// How many positions a query sees, itself included; `None` sees all before it.
    pub(crate) window: Option<usize>,
}

impl Attention<'_> {
    fn kv(&self) -> HeadLayout<'_> {
        HeadLayout { n_heads: self.n_kv_heads, ..self.heads }
    }

    fn scale<T: Real>(&self) -> T {
        T::from_f64((self.heads.head_dim as f64).powf(-0.5))
    }

    /// First key that query `i` sees.
    fn first_key(&self, i: usize) -> usize {
        self.window.map_or(0, |window| (i + 1).saturating_sub(window))
    }

    /// Keys that any query of the block sees.
    fn keys_of(&self, queries: &Range<usize>) -> Range<usize> {
        self.first_key(queries.start)..queries.end
    }

    /// Output `[o, lse]`, head-major, of `q [.., d]` and `k`, `v` of fewer heads; `lse` has one value
    /// per row.
    pub(crate) fn forward<T: Real>(&self, q: &[T], k: &[T], v: &[T]) -> (Vec<T>, Vec<T>) {
        let d = self.heads.head_dim;
        let mut o = vec![T::ZERO; q.len()];
        let mut lse = vec![T::ZERO; q.len() / d];
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
        tasks.into_par_iter().for_each(|(sequence, head, first, o, lse)| {
            let (k, v) = self.keys_values(k, v, sequence, head);
            let q = self.heads.piece(q, sequence, head, d);
            let queries = first..first + lse.len();
            let keys = self.keys_of(&queries);
            let mut p = self.scores(q, k, &queries, &keys);
            for ((row, i), lse) in p.chunks_mut(keys.len()).zip(queries.clone()).zip(lse) {
                *lse = self.softmax(row, i, keys.start);
            }
            let p = Mat::new(&p, queries.len(), keys.len());
            let v = rows(v, &keys, d);
            product(MatMut::new(o, queries.len(), d), Update::Set, T::ONE, p, v);
        });
        (o, lse)
    }

    /// Key and value rows that serve query head `head`.
    fn keys_values<'b, T>(&self, k: &'b [T], v: &'b [T], sequence: usize, head: usize) -> (&'b [T], &'b [T]) {
        let d = self.heads.head_dim;
        let kv_head = head / (self.heads.n_heads / self.n_kv_heads);
        let kv = self.kv();
        (kv.piece(k, sequence, kv_head, d), kv.piece(v, sequence, kv_head, d))
    }

    /// `scale * q k^T` of the block, without the mask.
    fn scores<T: Real>(&self, q: &[T], k: &[T], queries: &Range<usize>, keys: &Range<usize>) -> Vec<T> {
        let d = self.heads.head_dim;
        let mut scores = vec![T::ZERO; queries.len() * keys.len()];
        let out = MatMut::new(&mut scores, queries.len(), keys.len());
        product(out, Update::Set, self.scale(), rows(q, queries, d), rows(k, keys, d).t());
        scores
    }

    /// Columns of the block's scores that query `i` sees.
    fn visible(&self, i: usize, first_key: usize) -> Range<usize> {
        self.first_key(i) - first_key..i + 1 - first_key
    }

    /// Softmax over what query `i` sees, zero elsewhere; returns the log-sum-exp.
    fn softmax<T: Real>(&self, row: &mut [T], i: usize, first_key: usize) -> T {
        let visible = self.visible(i, first_key);
        row[..visible.start].fill(T::ZERO);
        row[visible.end..].fill(T::ZERO);
        let row = &mut row[visible];
        let max = T::max(row);
        let sum = T::exp_shift_sum(row, max);
        let inverse = T::ONE / sum;
        row.iter_mut().for_each(|p| *p *= inverse);
        max + T::from_f64(sum.to_f64().ln())
    }

    /// `[dq, dk, dv]`, head-major; `dk` and `dv` have one head per *query* head, to be added by group.
    pub(crate) fn backward<T: Real>(&self, d_o: &[T], q: &[T], k: &[T], v: &[T], o: &[T], lse: &[T]) -> [Vec<T>; 3] {
        let d = self.heads.head_dim;
        let [mut dq, mut dk, mut dv] = [(); 3].map(|()| vec![T::ZERO; q.len()]);
        let tasks: Vec<_> = self
            .heads
            .split(&mut dq, d)
            .into_iter()
            .zip(self.heads.split(&mut dk, d))
            .zip(self.heads.split(&mut dv, d))
            .map(|(((sequence, head, dq), (_, _, dk)), (_, _, dv))| (sequence, head, dq, dk, dv))
            .collect();
        tasks.into_par_iter().for_each(|(sequence, head, dq, dk, dv)| {
            let (k, v) = self.keys_values(k, v, sequence, head);
            let saved = HeadSaved {
                q: self.heads.piece(q, sequence, head, d),
                k,
                v,
                o: self.heads.piece(o, sequence, head, d),
                d_o: self.heads.piece(d_o, sequence, head, d),
                lse: self.heads.piece(lse, sequence, head, 1),
            };
            self.backward_head(saved, dq, dk, dv);
        });
        [dq, dk, dv]
    }

    fn backward_head<T: Real>(&self, saved: HeadSaved<T>, dq: &mut [T], dk: &mut [T], dv: &mut [T]) {
        let d = self.heads.head_dim;
        let HeadSaved { q, k, v, o, d_o, lse } = saved;
        let length = lse.len();
        for first in (0..length).step_by(QUERY_BLOCK) {
            let queries = first..(first + QUERY_BLOCK).min(length);
            let keys = self.keys_of(&queries);
            let (n_q, n_k) = (queries.len(), keys.len());
            let mut p = self.scores(q, k, &queries, &keys);
            let mut ds = vec![T::ZERO; n_q * n_k];
            let d_out = rows(d_o, &queries, d);
            product(MatMut::new(&mut ds, n_q, n_k), Update::Set, T::ONE, d_out, rows(v, &keys, d).t());
            for ((p, ds), i) in p.chunks_mut(n_k).zip(ds.chunks_mut(n_k)).zip(queries.clone()) {
                let delta = T::dot(&d_o[i * d..(i + 1) * d], &o[i * d..(i + 1) * d]);
                let visible = self.visible(i, keys.start);
                for range in [0..visible.start, visible.end..n_k] {
                    p[range.clone()].fill(T::ZERO);
                    ds[range].fill(T::ZERO);
                }
                let (p, ds) = (&mut p[visible.clone()], &mut ds[visible]);
                T::exp_shift_sum(p, lse[i]);
                for (ds, &p) in ds.iter_mut().zip(&*p) {
                    *ds = p * (*ds - delta);
                }
            }
            let p = Mat::new(&p, n_q, n_k);
            let ds = Mat::new(&ds, n_q, n_k);
            let span = |range: &Range<usize>| range.start * d..range.end * d;
            let dq = MatMut::new(&mut dq[span(&queries)], n_q, d);
            product(dq, Update::Set, self.scale(), ds, rows(k, &keys, d));
            let dk = MatMut::new(&mut dk[span(&keys)], n_k, d);
            product(dk, Update::Add, self.scale(), ds.t(), rows(q, &queries, d));
            let dv = MatMut::new(&mut dv[span(&keys)], n_k, d);
            product(dv, Update::Add, T::ONE, p.t(), d_out);
        }
    }
}

/// One head's forward values.
struct HeadSaved<'a, T> {
    q: &'a [T],
    k: &'a [T],
    v: &'a [T],
    o: &'a [T],
    d_o: &'a [T],
    lse: &'a [T],
}

/// Rows `range` of a `[.., d]` buffer.
fn rows<'a, T>(x: &'a [T], range: &Range<usize>, d: usize) -> Mat<'a, T> {
    Mat::new(&x[range.start * d..range.end * d], range.len(), d)
}
