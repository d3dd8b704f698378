//! The head and its loss in one: `sum over targets of -log softmax(h W^T)[target]`.
//!
//! Rows that predict no target never reach the head, and logits exist for a chunk of rows at a time
//! (their gradient overwrites them), so an `n x vocab` matrix is never held. h `[m, hidden]`,
//! W `[vocab, hidden]`.

use super::ends::{Head, PairGradient};
use super::softcap;
use crate::buffers;
use crate::matmul::{Mat, MatMut, Update, par_product};
use crate::profile::span;
use crate::real::Real;
use crate::{Error, Result};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Logits held at one time, as far as [`LEAST_ROWS`] allows: 16 MiB in f32.
const LOGITS_PER_CHUNK: usize = 1 << 22;

/// Rows of a chunk at least: fewer would spend more time on copying the head's matrix into the order
/// that products read than on multiplying.
const LEAST_ROWS: usize = 192;

/// What a target's negative log-likelihood is multiplied by in the loss.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LossScale<'a, T> {
    /// The same for all.
    Uniform(T),
    /// `[m]`: one each.
    PerTarget(&'a [T]),
}

impl<T: Real> LossScale<'_, T> {
    fn of(self, target: usize) -> T {
        match self {
            LossScale::Uniform(scale) => scale,
            LossScale::PerTarget(scales) => scales[target],
        }
    }
}

/// Gradients of the head; `scale` multiplies the loss.
#[derive(Debug)]
pub(crate) struct HeadGradient<'a, T> {
    pub(crate) scale: LossScale<'a, T>,
    /// `d(loss)/dh`, overwritten.
    pub(crate) dh: &'a mut [T],
    /// `d(loss)/dW`, added to; `None` if the head is frozen.
    pub(crate) dw: Option<&'a mut [T]>,
    /// Of the head's low-rank update, if it has a trained one.
    pub(crate) pair: Option<PairGradient<'a, T>>,
}

/// The negative log-likelihood of each target, in nats, of logits with the soft limit `cap`, if any.
pub(crate) fn linear_cross_entropy<T: Real>(
    h: &[T],
    head: Head<T>,
    hidden: usize,
    cap: Option<f64>,
    targets: &[u32],
    mut gradient: Option<HeadGradient<T>>,
    cancel: &AtomicBool,
) -> Result<Vec<f64>> {
    let w = head.weight;
    let vocab_size = w.len() / hidden;
    let product_flops = |rows: usize| 2.0 * (rows * w.len()) as f64;
    let rows_per_chunk = (LOGITS_PER_CHUNK / vocab_size).clamp(LEAST_ROWS, 1024);
    let w_mat = Mat::new(w, vocab_size, hidden);
    let mut logits = buffers::take(rows_per_chunk.min(targets.len()) * vocab_size);
    let mut nll = vec![0.0f64; targets.len()];
    for start in (0..targets.len()).step_by(rows_per_chunk) {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let rows = start..(start + rows_per_chunk).min(targets.len());
        let elements = rows.start * hidden..rows.end * hidden;
        let h_rows = &h[elements.clone()];
        let h = Mat::new(h_rows, rows.len(), hidden);
        let logits = &mut logits[..rows.len() * vocab_size];
        let out = MatMut::new(logits, rows.len(), vocab_size);
        {
            let _span = span("head, forward", || product_flops(rows.len()));
            par_product(out, Update::Set, T::ONE, h, w_mat.t());
        }
        let update = head.add(rows.start, h_rows, logits);
        let softmax = span("loss", || 0.0);
        let scale = gradient.as_ref().map(|g| g.scale);
        logits
            .par_chunks_mut(vocab_size)
            .zip(&targets[rows.clone()])
            .zip(nll[rows.clone()].par_iter_mut().enumerate())
            .for_each(|((row, &target), (at, nll))| {
                let scale = scale.map(|scale| scale.of(rows.start + at));
                *nll = cross_entropy_row(row, cap, target as usize, scale);
            });
        drop(softmax);
        if let Some(gradient) = &mut gradient {
            let both = if gradient.dw.is_some() { 2.0 } else { 1.0 };
            let _span = span("head, backward", || both * product_flops(rows.len()));
            let d_logits = Mat::new(logits, rows.len(), vocab_size);
            let dh = &mut gradient.dh[elements];
            par_product(MatMut::new(dh, rows.len(), hidden), Update::Set, T::ONE, d_logits, w_mat);
            if let Some(update) = update {
                head.backward(rows.start, update, logits, dh, gradient.pair.as_mut());
            }
            if let Some(dw) = gradient.dw.as_deref_mut() {
                let dw = MatMut::new(dw, vocab_size, hidden);
                par_product(dw, Update::Add, T::ONE, d_logits.t(), h);
            }
        }
    }
    buffers::give(logits);
    Ok(nll)
}

/// Negative log-likelihood of `target`; with a scale, the row becomes the gradient of the uncapped
/// logits, without a cap `scale * (softmax - one hot)`.
fn cross_entropy_row<T: Real>(row: &mut [T], cap: Option<f64>, target: usize, scale: Option<T>) -> f64 {
    if let Some(cap) = cap {
        softcap::forward(row, cap);
    }
    let capped = cap.filter(|_| scale.is_some()).map(|cap| (cap, row.to_vec()));
    let max = T::max(row);
    let at_target = row[target];
    let sum = T::exp_shift_sum(row, max);
    if let Some(scale) = scale {
        let factor = scale / sum;
        row.iter_mut().for_each(|p| *p *= factor);
        row[target] += -scale;
        if let Some((cap, logits)) = capped {
            softcap::backward(&logits, row, cap);
        }
    }
    (max - at_target).to_f64() + crate::math::ln(sum.to_f64())
}
