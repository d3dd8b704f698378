//! A mixture of experts: each token's output is the weighted sum of those of its experts
//! ([`router`](super::router)). Tokens are gathered expert by expert and sums have the experts' order,
//! so the bits do not depend on the number of threads.

use super::mlp::GatedSaved;
use super::router::{Choice, route};
use super::{Block, BlockContext, BlockGradient};
use crate::MoeConfig;
use crate::buffers::{give, take, zeros};
use crate::layout::GatedLayout;
use crate::matmul::{Mat, MatMut, Update, par_product};
use crate::real::Real;

/// What the backward pass needs.
#[derive(Debug)]
pub(super) struct ExpertsSaved<T> {
    choices: Vec<Choice<T>>,
    /// Of each expert that sees a token.
    used: Vec<Used<T>>,
}

/// One expert's part.
#[derive(Debug)]
struct Used<T> {
    expert: usize,
    /// `(token, place in the token's choice)`.
    rows: Vec<(usize, usize)>,
    saved: GatedSaved<T>,
    /// Unweighted output.
    out: Vec<T>,
}

/// The rows of `x [n, hidden]` that an expert sees.
fn gather<T: Real>(x: &[T], rows: &[(usize, usize)], hidden: usize) -> Vec<T> {
    let mut gathered = take(rows.len() * hidden);
    for (to, &(t, _)) in gathered.chunks_mut(hidden).zip(rows) {
        to.copy_from_slice(&x[t * hidden..(t + 1) * hidden]);
    }
    gathered
}

/// Tokens of each expert, in order.
fn rows_by_expert<T>(choices: &[Choice<T>], n_experts: usize) -> Vec<Vec<(usize, usize)>> {
    let mut rows = vec![Vec::new(); n_experts];
    for (token, choice) in choices.iter().enumerate() {
        for (place, &(expert, _)) in choice.experts.iter().enumerate() {
            rows[expert].push((token, place));
        }
    }
    rows
}

impl<T: Real> ExpertsSaved<T> {
    /// Gives the buffers back.
    pub(super) fn release(self) {
        for used in self.used {
            used.saved.release();
            give(used.out);
        }
    }
}

impl<T: Real> Block<'_, T> {
    pub(super) fn experts(
        &self,
        experts: &[GatedLayout],
        h: &[T],
        context: &BlockContext<T>,
    ) -> (Vec<T>, ExpertsSaved<T>) {
        let hidden = context.config.hidden_size;
        let choices = self.choices(h, hidden, moe(context));
        let mut y = zeros(h.len());
        let mut used = Vec::new();
        for (expert, rows) in rows_by_expert(&choices, experts.len()).into_iter().enumerate() {
            if rows.is_empty() {
                continue;
            }
            let x = gather(h, &rows, hidden);
            let (out, saved) = self.gated(experts[expert], &x, context.config.activation);
            give(x);
            for (&(t, place), out) in rows.iter().zip(out.chunks(hidden)) {
                let weight = choices[t].experts[place].1;
                for (y, &out) in y[t * hidden..(t + 1) * hidden].iter_mut().zip(out) {
                    *y += weight * out;
                }
            }
            used.push(Used { expert, rows, saved, out });
        }
        (y, ExpertsSaved { choices, used })
    }

    /// Adds to `dh`, which is zero.
    #[expect(clippy::too_many_arguments, reason = "a layer's backward pass: one caller")]
    pub(super) fn experts_backward(
        &self,
        experts: &[GatedLayout],
        dy: &[T],
        h: &[T],
        saved: ExpertsSaved<T>,
        context: &BlockContext<T>,
        dh: &mut [T],
        gradient: &mut BlockGradient<T>,
    ) {
        let hidden = context.config.hidden_size;
        let ExpertsSaved { choices, used } = saved;
        let mut d_weights: Vec<Vec<T>> = choices.iter().map(|choice| vec![T::ZERO; choice.experts.len()]).collect();
        for Used { expert, rows, saved, out } in used {
            let mut d_out = gather(dy, &rows, hidden);
            for ((&(t, place), d), out) in rows.iter().zip(d_out.chunks_mut(hidden)).zip(out.chunks(hidden)) {
                d_weights[t][place] = T::dot(d, out);
                let weight = choices[t].experts[place].1;
                d.iter_mut().for_each(|d| *d *= weight);
            }
            let x = gather(h, &rows, hidden);
            let mut dx = take(x.len());
            let f = context.config.activation;
            self.gated_backward(experts[expert], &d_out, &x, saved, f, &mut dx, &mut gradient.linears);
            for (&(t, _), dx) in rows.iter().zip(dx.chunks(hidden)) {
                for (dh, &dx) in dh[t * hidden..(t + 1) * hidden].iter_mut().zip(dx) {
                    *dh += dx;
                }
            }
            [d_out, x, dx, out].into_iter().for_each(give);
        }
        let d_logits: Vec<T> =
            choices.iter().zip(&d_weights).flat_map(|(choice, d)| choice.backward(d, moe(context))).collect();
        self.router_backward(&d_logits, h, dh, gradient.router.as_deref_mut());
    }

    fn choices(&self, h: &[T], hidden: usize, moe: &MoeConfig) -> Vec<Choice<T>> {
        let n = h.len() / hidden;
        let mut logits = vec![T::ZERO; n * moe.n_experts];
        let router = Mat::new(self.router.unwrap_or_default(), moe.n_experts, hidden);
        let out = MatMut::new(&mut logits, n, moe.n_experts);
        par_product(out, Update::Set, T::ONE, Mat::new(h, n, hidden), router.t());
        logits.chunks(moe.n_experts).map(|logits| route(logits.to_vec(), moe)).collect()
    }

    fn router_backward(&self, d_logits: &[T], h: &[T], dh: &mut [T], d_router: Option<&mut [T]>) {
        let router = self.router.unwrap_or_default();
        let n_experts = self.layout.n_experts();
        let hidden = router.len() / n_experts;
        let n = h.len() / hidden;
        let d_logits = Mat::new(d_logits, n, n_experts);
        let out = MatMut::new(dh, n, hidden);
        par_product(out, Update::Add, T::ONE, d_logits, Mat::new(router, n_experts, hidden));
        if let Some(d_router) = d_router {
            let out = MatMut::new(d_router, n_experts, hidden);
            par_product(out, Update::Add, T::ONE, d_logits.t(), Mat::new(h, n, hidden));
        }
    }
}

/// The experts' settings; a layout has experts only if there are some.
fn moe<'a, T>(context: &BlockContext<'a, T>) -> &'a MoeConfig {
    context.config.moe.as_ref().expect("a layout with experts comes from a configuration with experts")
}
