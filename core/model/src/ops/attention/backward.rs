//! Gradients of attention: one task per sequence and query head.

use super::{Attention, QUERY_BLOCK, Tile, room, rows};
use crate::buffers;
use crate::matmul::{Mat, MatMut, Update, product};
use crate::ops::softcap;
use crate::profile::span;
use crate::real::Real;
use rayon::prelude::*;
use std::ops::Range;

/// One head's forward values.
struct HeadSaved<'a, T> {
    q: &'a [T],
    k: &'a [T],
    v: &'a [T],
    o: &'a [T],
    d_o: &'a [T],
    lse: &'a [T],
}

/// Where one head's gradients go.
struct HeadGradient<'a, T> {
    dq: &'a mut [T],
    dk: &'a mut [T],
    dv: &'a mut [T],
}

/// Memory of one thread.
#[derive(Default)]
struct Work<T> {
    p: Vec<T>,
    ds: Vec<T>,
    capped: Vec<T>,
}

impl Attention<'_> {
    /// `[dq, dk, dv]`, head-major; `dk` and `dv` have one head per *query* head, to be added by group.
    pub(crate) fn backward<T: Real>(&self, d_o: &[T], q: &[T], k: &[T], v: &[T], o: &[T], lse: &[T]) -> [Vec<T>; 3] {
        let d = self.heads.head_dim;
        let _span = span("attention, backward", || 5.0 * self.product_flops());
        let [mut dq, mut dk, mut dv] = [(); 3].map(|()| buffers::take(q.len()));
        let mut tasks: Vec<_> = self
            .heads
            .split(&mut dq, d)
            .into_iter()
            .zip(self.heads.split(&mut dk, d))
            .zip(self.heads.split(&mut dv, d))
            .map(|(((sequence, head, dq), (_, _, dk)), (_, _, dv))| (sequence, head, HeadGradient { dq, dk, dv }))
            .collect();
        // The longest first, so that no thread begins it when the others are done.
        tasks.sort_by_key(|task| usize::MAX - task.2.dq.len());
        tasks.into_par_iter().with_max_len(1).for_each_init(Work::default, |work, (sequence, head, gradient)| {
            let (k, v) = self.keys_values(k, v, sequence, head);
            let saved = HeadSaved {
                q: self.heads.piece(q, sequence, head, d),
                k,
                v,
                o: self.heads.piece(o, sequence, head, d),
                d_o: self.heads.piece(d_o, sequence, head, d),
                lse: self.heads.piece(lse, sequence, head, 1),
            };
            self.backward_head(&saved, gradient, work);
        });
        [dq, dk, dv]
    }

    fn backward_head<T: Real>(&self, saved: &HeadSaved<T>, mut gradient: HeadGradient<T>, work: &mut Work<T>) {
        let d = self.heads.head_dim;
        let length = saved.lse.len();
        gradient.dk.fill(T::ZERO);
        gradient.dv.fill(T::ZERO);
        for first in (0..length).step_by(QUERY_BLOCK) {
            let queries = first..(first + QUERY_BLOCK).min(length);
            let mut deltas = [T::ZERO; QUERY_BLOCK];
            for (delta, i) in deltas.iter_mut().zip(queries.clone()) {
                *delta = T::dot(&saved.d_o[i * d..(i + 1) * d], &saved.o[i * d..(i + 1) * d]);
            }
            for (index, tile) in self.tiles(queries).enumerate() {
                let update = if index == 0 { Update::Set } else { Update::Add };
                self.backward_tile(saved, &mut gradient, &tile, &deltas, update, work);
            }
        }
    }

    fn backward_tile<T: Real>(
        &self,
        saved: &HeadSaved<T>,
        gradient: &mut HeadGradient<T>,
        tile: &Tile,
        deltas: &[T],
        update: Update,
        work: &mut Work<T>,
    ) {
        let d = self.heads.head_dim;
        let Tile { queries, keys } = tile;
        let (n_q, n_k) = (queries.len(), keys.len());
        let Work { p, ds, capped } = work;
        let p = self.scores(saved.q, saved.k, tile, p);
        let ds = room(ds, n_q * n_k);
        let d_out = rows(saved.d_o, queries, d);
        product(MatMut::new(ds, n_q, n_k), Update::Set, T::ONE, d_out, rows(saved.v, keys, d).t());
        let tile_rows = p.chunks_mut(n_k).zip(ds.chunks_mut(n_k)).zip(queries.clone()).zip(deltas);
        for (((p, ds), i), &delta) in tile_rows {
            let visible = self.visible(i, keys);
            for hidden in [0..visible.start, visible.end..n_k] {
                p[hidden.clone()].fill(T::ZERO);
                ds[hidden].fill(T::ZERO);
            }
            let (p, ds) = (&mut p[visible.clone()], &mut ds[visible]);
            if self.softcap.is_some() {
                room(capped, p.len()).copy_from_slice(p);
            }
            T::exp_shift_sum(p, saved.lse[i]);
            T::softmax_backward(ds, p, delta);
            if let Some(cap) = self.softcap {
                softcap::backward(&capped[..ds.len()], ds, cap);
            }
        }
        let (p, ds) = (Mat::new(&*p, n_q, n_k), Mat::new(&*ds, n_q, n_k));
        let span = |range: &Range<usize>| range.start * d..range.end * d;
        let dq = MatMut::new(&mut gradient.dq[span(queries)], n_q, d);
        product(dq, update, self.scale(), ds, rows(saved.k, keys, d));
        let dk = MatMut::new(&mut gradient.dk[span(keys)], n_k, d);
        product(dk, Update::Add, self.scale(), ds.t(), rows(saved.q, queries, d));
        let dv = MatMut::new(&mut gradient.dv[span(keys)], n_k, d);
        product(dv, Update::Add, T::ONE, p.t(), d_out);
    }
}
