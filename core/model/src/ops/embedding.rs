//! Token embedding: `x[i] = w[ids[i]]`; w `[vocab, h]`, x `[n, h]`.

use super::ROWS_PER_TASK;
use crate::buffers;
use crate::profile::span;
use crate::real::Real;
use rayon::prelude::*;

/// Rows of the table.
pub(crate) fn forward<T: Real>(ids: &[u32], w: &[T], h: usize) -> Vec<T> {
    let _span = span("embedding", || 0.0);
    let mut x = buffers::take(ids.len() * h);
    x.par_chunks_mut(h * ROWS_PER_TASK).zip(ids.par_chunks(ROWS_PER_TASK)).for_each(|(x, ids)| {
        for (x, &id) in x.chunks_mut(h).zip(ids) {
            x.copy_from_slice(&w[id as usize * h..(id as usize + 1) * h]);
        }
    });
    x
}

/// `dw[ids[i]] += dx[i]`. Each task owns a range of ids and reads all positions in order.
pub(crate) fn backward<T: Real>(ids: &[u32], dx: &[T], h: usize, dw: &mut [T]) {
    let _span = span("embedding", || 0.0);
    const TASKS: usize = 16;
    let vocab_size = dw.len() / h;
    let ids_per_task = vocab_size.div_ceil(TASKS);
    dw.par_chunks_mut(ids_per_task * h).enumerate().for_each(|(task, dw)| {
        let first = task * ids_per_task;
        let n_ids = dw.len() / h;
        for (&id, dx) in ids.iter().zip(dx.chunks(h)) {
            let local = (id as usize).wrapping_sub(first);
            if local < n_ids {
                for (dw, &dx) in dw[local * h..(local + 1) * h].iter_mut().zip(dx) {
                    *dw += dx;
                }
            }
        }
    });
}
