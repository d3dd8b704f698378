//! Low-rank updates `s B A` of the two matrices outside the blocks: of the embedding, `A [r, vocab]` and
//! `B [hidden, r]`, and of the head, `A [r, hidden]` and `B [vocab, r]`.

use super::dropout::Dropout;
use crate::matmul::{Mat, MatMut, Update, par_product};
use crate::real::Real;
use rayon::prelude::*;
use std::borrow::Cow;

/// A and B with their factor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair<'a, T> {
    pub(crate) r: usize,
    pub(crate) scaling: T,
    pub(crate) a: &'a [T],
    pub(crate) b: &'a [T],
}

/// Where the gradients of A and B are added.
#[derive(Debug)]
pub(crate) struct PairGradient<'a, T> {
    pub(crate) a: &'a mut [T],
    pub(crate) b: &'a mut [T],
}

impl<T: Real> Pair<'_, T> {
    /// Columns of an embedding's A, `[ids, r]`.
    fn columns(&self, ids: &[u32]) -> Vec<T> {
        let vocab_size = self.a.len() / self.r;
        ids.iter().flat_map(|&id| (0..self.r).map(move |k| self.a[k * vocab_size + id as usize])).collect()
    }

    /// `x[i] += s B A[:, ids[i]]`; a row's bits do not depend on the other rows.
    pub(crate) fn embed(&self, ids: &[u32], x: &mut [T]) {
        let (hidden, low) = (self.b.len() / self.r, self.columns(ids));
        x.par_chunks_mut(hidden).zip(low.par_chunks(self.r)).for_each(|(x, low)| {
            for (x, b) in x.iter_mut().zip(self.b.chunks(self.r)) {
                let mut sum = T::ZERO;
                b.iter().zip(low).for_each(|(&b, &low)| sum += b * low);
                *x += self.scaling * sum;
            }
        });
    }

    /// The gradients of A and B from those of the embeddings, `dx [ids, hidden]`.
    pub(crate) fn embed_backward(&self, ids: &[u32], dx: &[T], gradient: PairGradient<T>) {
        let (n, hidden, vocab_size) = (ids.len(), self.b.len() / self.r, self.a.len() / self.r);
        let (dx, low) = (Mat::new(dx, n, hidden), self.columns(ids));
        let mut d_low = vec![T::ZERO; low.len()];
        let b = Mat::new(self.b, hidden, self.r);
        par_product(MatMut::new(&mut d_low, n, self.r), Update::Set, self.scaling, dx, b);
        let db = MatMut::new(gradient.b, hidden, self.r);
        par_product(db, Update::Add, self.scaling, dx.t(), Mat::new(&low, n, self.r));
        for (&id, d_low) in ids.iter().zip(d_low.chunks(self.r)) {
            for (k, &d) in d_low.iter().enumerate() {
                gradient.a[k * vocab_size + id as usize] += d;
            }
        }
    }

    /// `logits += s B (A h)`; returns `A h`, `[rows, r]`.
    fn add_to_logits(&self, h: &[T], logits: &mut [T]) -> Vec<T> {
        let (hidden, vocab_size) = (self.a.len() / self.r, self.b.len() / self.r);
        let n = h.len() / hidden;
        let mut low = vec![T::ZERO; n * self.r];
        let a = Mat::new(self.a, self.r, hidden).t();
        par_product(MatMut::new(&mut low, n, self.r), Update::Set, T::ONE, Mat::new(h, n, hidden), a);
        let b = Mat::new(self.b, vocab_size, self.r).t();
        let logits = MatMut::new(logits, n, vocab_size);
        par_product(logits, Update::Add, self.scaling, Mat::new(&low, n, self.r), b);
        low
    }
}

/// The head's weight `[vocab, hidden]`, and the update of it if there is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a, T> {
    pub(crate) weight: &'a [T],
    pub(crate) pair: Option<Pair<'a, T>>,
    /// Of the update's input.
    pub(crate) dropout: Option<Dropout>,
}

/// What the gradients of an update need of the forward pass: its input and `A` times it.
pub(crate) struct HeadSaved<'h, T: Real> {
    input: Cow<'h, [T]>,
    low: Vec<T>,
}

impl<T: Real> Head<'_, T> {
    /// The update's part of the logits of some rows `h`, of which `first` is the first of the batch.
    pub(crate) fn add<'h>(&self, first: usize, h: &'h [T], logits: &mut [T]) -> Option<HeadSaved<'h, T>> {
        let pair = self.pair?;
        let input = match self.dropout_of(first) {
            None => Cow::Borrowed(h),
            Some(dropout) => {
                let mut h = h.to_vec();
                dropout.apply(&mut h);
                Cow::Owned(h)
            }
        };
        let low = pair.add_to_logits(&input, logits);
        Some(HeadSaved { input, low })
    }

    /// `dh += d(loss)/dh` through the update; the gradients of A and B where they are wanted.
    pub(crate) fn backward(
        &self,
        first: usize,
        saved: HeadSaved<T>,
        d_logits: &[T],
        dh: &mut [T],
        gradient: Option<&mut PairGradient<T>>,
    ) {
        let Some(pair) = self.pair else { return };
        let (hidden, vocab_size) = (pair.a.len() / pair.r, pair.b.len() / pair.r);
        let n = dh.len() / hidden;
        let d_logits = Mat::new(d_logits, n, vocab_size);
        let mut d_low = vec![T::ZERO; n * pair.r];
        let b = Mat::new(pair.b, vocab_size, pair.r);
        par_product(MatMut::new(&mut d_low, n, pair.r), Update::Set, pair.scaling, d_logits, b);
        let d_low = Mat::new(&d_low, n, pair.r);
        if let Some(gradient) = gradient {
            let low = Mat::new(&saved.low, n, pair.r);
            let db = MatMut::new(gradient.b, vocab_size, pair.r);
            par_product(db, Update::Add, pair.scaling, d_logits.t(), low);
            let da = MatMut::new(gradient.a, pair.r, hidden);
            par_product(da, Update::Add, T::ONE, d_low.t(), Mat::new(&saved.input, n, hidden));
        }
        let mut d_input = vec![T::ZERO; dh.len()];
        let a = Mat::new(pair.a, pair.r, hidden);
        par_product(MatMut::new(&mut d_input, n, hidden), Update::Set, T::ONE, d_low, a);
        if let Some(dropout) = self.dropout_of(first) {
            dropout.apply(&mut d_input);
        }
        super::add_assign(dh, &d_input);
    }

    /// Every chunk of rows draws its own mask.
    fn dropout_of(&self, first: usize) -> Option<Dropout> {
        self.dropout.map(|dropout| Dropout { rng: dropout.rng.fork(first as u64), ..dropout })
    }
}
