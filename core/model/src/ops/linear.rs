//! Linear layer with an optional low-rank adapter:
//! `y = x W^T + b + scaling * (drop(x) A^T) B^T`; x `[n, in]`, W `[out, in]`, A `[r, in]`, B `[out, r]`.

use super::dropout::Dropout;
use super::{add_assign, sum_over_rows};
use crate::matmul::{Mat, MatMut, Update, par_product};
use crate::real::Real;
use rayon::prelude::*;
use std::borrow::Cow;

/// A layer's matrix in the form that the model holds it in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Weight<'a, T> {
    /// `[out, in]`.
    Dense(&'a [T]),
    /// `[in, out]`, as GPT-2's Conv1D has it.
    Transposed(&'a [T]),
}

/// Weights of one layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Linear<'a, T> {
    pub(crate) out_size: usize,
    pub(crate) in_size: usize,
    pub(crate) weight: Weight<'a, T>,
    pub(crate) bias: Option<&'a [T]>,
    pub(crate) lora: Option<LowRank<'a, T>>,
}

/// A low-rank adapter on one layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LowRank<'a, T> {
    pub(crate) r: usize,
    pub(crate) scaling: T,
    pub(crate) a: &'a [T],
    pub(crate) b: &'a [T],
    pub(crate) dropout: Option<Dropout>,
}

/// What the backward pass needs of a layer's forward pass, besides its input.
#[derive(Debug)]
pub(crate) struct LinearSaved<T> {
    /// `drop(x) A^T`, `[n, r]`; empty without an adapter.
    low: Vec<T>,
}

/// Where the gradients of a layer are added; `None` is frozen and costs nothing. The gradient of the
/// weight has the weight's own orientation.
#[derive(Debug)]
pub(crate) struct LinearGradient<'a, T> {
    pub(crate) weight: Option<&'a mut [T]>,
    pub(crate) bias: Option<&'a mut [T]>,
    /// Gradients of A and B.
    pub(crate) lora: Option<(&'a mut [T], &'a mut [T])>,
}

impl<T> Default for LinearGradient<'_, T> {
    /// Everything frozen.
    fn default() -> Self {
        LinearGradient { weight: None, bias: None, lora: None }
    }
}

impl<'a, T: Real> Linear<'a, T> {
    /// The weight as `[out, in]`.
    fn matrix(&self) -> Mat<'a, T> {
        match self.weight {
            Weight::Dense(w) => Mat::new(w, self.out_size, self.in_size),
            Weight::Transposed(w) => Mat::new(w, self.in_size, self.out_size).t(),
        }
    }

    /// `y [n, out]`, and what the backward pass needs.
    pub(crate) fn forward(&self, x: &[T]) -> (Vec<T>, LinearSaved<T>) {
        let n = x.len() / self.in_size;
        let mut y = vec![T::ZERO; n * self.out_size];
        let update = match self.bias {
            None => Update::Set,
            Some(bias) => {
                y.par_chunks_mut(self.out_size).for_each(|row| row.copy_from_slice(bias));
                Update::Add
            }
        };
        let x_mat = Mat::new(x, n, self.in_size);
        par_product(MatMut::new(&mut y, n, self.out_size), update, T::ONE, x_mat, self.matrix().t());
        let Some(lora) = &self.lora else {
            return (y, LinearSaved { low: Vec::new() });
        };
        let mut low = vec![T::ZERO; n * lora.r];
        let dropped = lora.drop(x);
        let a = Mat::new(lora.a, lora.r, self.in_size);
        let b = Mat::new(lora.b, self.out_size, lora.r);
        let low_out = MatMut::new(&mut low, n, lora.r);
        par_product(low_out, Update::Set, T::ONE, Mat::new(&dropped, n, self.in_size), a.t());
        let y_out = MatMut::new(&mut y, n, self.out_size);
        par_product(y_out, Update::Add, lora.scaling, Mat::new(&low, n, lora.r), b.t());
        (y, LinearSaved { low })
    }

    /// `dx (+)= d(loss)/dx`, and the gradients that `gradient` asks for.
    pub(crate) fn backward(
        &self,
        dy: &[T],
        x: &[T],
        saved: &LinearSaved<T>,
        dx: &mut [T],
        update: Update,
        gradient: LinearGradient<T>,
    ) {
        let n = x.len() / self.in_size;
        let dy_mat = Mat::new(dy, n, self.out_size);
        par_product(MatMut::new(dx, n, self.in_size), update, T::ONE, dy_mat, self.matrix());
        if let Some(dw) = gradient.weight {
            let x_mat = Mat::new(x, n, self.in_size);
            match self.weight {
                Weight::Dense(_) => {
                    let dw = MatMut::new(dw, self.out_size, self.in_size);
                    par_product(dw, Update::Add, T::ONE, dy_mat.t(), x_mat);
                }
                Weight::Transposed(_) => {
                    let dw = MatMut::new(dw, self.in_size, self.out_size);
                    par_product(dw, Update::Add, T::ONE, x_mat.t(), dy_mat);
                }
            }
        }
        if let Some(db) = gradient.bias {
            sum_over_rows(db, n, |rows, sums| {
                for dy in dy[rows.start * self.out_size..rows.end * self.out_size].chunks(self.out_size) {
                    for (sum, &dy) in sums.iter_mut().zip(dy) {
                        *sum += dy;
                    }
                }
            });
        }
        if let Some(lora) = &self.lora {
            self.backward_low_rank(lora, dy_mat, x, &saved.low, dx, gradient.lora);
        }
    }

    fn backward_low_rank(
        &self,
        lora: &LowRank<T>,
        dy: Mat<T>,
        x: &[T],
        low: &[T],
        dx: &mut [T],
        gradient: Option<(&mut [T], &mut [T])>,
    ) {
        let n = x.len() / self.in_size;
        let a = Mat::new(lora.a, lora.r, self.in_size);
        let b = Mat::new(lora.b, self.out_size, lora.r);
        let mut d_low = vec![T::ZERO; n * lora.r];
        par_product(MatMut::new(&mut d_low, n, lora.r), Update::Set, lora.scaling, dy, b);
        let d_low = Mat::new(&d_low, n, lora.r);
        if let Some((da, db)) = gradient {
            let db = MatMut::new(db, self.out_size, lora.r);
            par_product(db, Update::Add, lora.scaling, dy.t(), Mat::new(low, n, lora.r));
            let dropped = lora.drop(x);
            let da = MatMut::new(da, lora.r, self.in_size);
            par_product(da, Update::Add, T::ONE, d_low.t(), Mat::new(&dropped, n, self.in_size));
        }
        match &lora.dropout {
            None => par_product(MatMut::new(dx, n, self.in_size), Update::Add, T::ONE, d_low, a),
            Some(dropout) => {
                let mut masked = vec![T::ZERO; n * self.in_size];
                let out = MatMut::new(&mut masked, n, self.in_size);
                par_product(out, Update::Set, T::ONE, d_low, a);
                dropout.apply(&mut masked);
                add_assign(dx, &masked);
            }
        }
    }
}

impl<T: Real> LowRank<'_, T> {
    fn drop<'b>(&self, x: &'b [T]) -> Cow<'b, [T]> {
        match &self.dropout {
            None => Cow::Borrowed(x),
            Some(dropout) => {
                let mut x = x.to_vec();
                dropout.apply(&mut x);
                Cow::Owned(x)
            }
        }
    }
}
