//! The decoder block, the unit of differentiation: `forward(x) -> (y, saved)`,
//! `backward(dy, saved) -> dx` with gradients added where they are wanted.
//!
//! ```text
//! x2 = x  + o_proj(attention(rope(q, k), v))     q, k, v = proj(rms_norm(x))
//! y  = x2 + down_proj(silu(gate) * up)           gate, up = proj(rms_norm(x2))
//! ```
//!
//! Saved are the inputs of norms, rotated q and k, v, the attention output, gate and up. Normalized
//! inputs and the SwiGLU output are recomputed: they are cheap and as large as everything else.

use crate::matmul::Update;
use crate::ops::attention::Attention;
use crate::ops::linear::{Linear, LinearGradient};
use crate::ops::rope::{HeadLayout, RopeTable, from_heads, to_heads};
use crate::ops::{add_assign, rms_norm, swiglu};
use crate::real::Real;
use crate::weights::N_PROJECTIONS;
use std::ops::Range;

/// Weights of one block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'a, T> {
    pub(crate) input_norm: &'a [T],
    pub(crate) post_norm: &'a [T],
    /// In the order of [`Projection::ALL`](crate::weights::Projection::ALL).
    pub(crate) linears: [Linear<'a, T>; N_PROJECTIONS],
}

/// Where the gradients of one block are added.
#[derive(Debug)]
pub(crate) struct BlockGradient<'a, T> {
    pub(crate) input_norm: Option<&'a mut [T]>,
    pub(crate) post_norm: Option<&'a mut [T]>,
    pub(crate) linears: [LinearGradient<'a, T>; N_PROJECTIONS],
}

/// Geometry that all tokens of a batch share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockContext<'a, T> {
    /// Token range of each sequence.
    pub(crate) ranges: &'a [Range<usize>],
    pub(crate) rope: &'a RopeTable<T>,
    pub(crate) n_heads: usize,
    pub(crate) n_kv_heads: usize,
    pub(crate) head_dim: usize,
    /// Sliding window of this layer.
    pub(crate) window: Option<usize>,
    pub(crate) eps: T,
}

impl<'a, T> BlockContext<'a, T> {
    fn heads(&self) -> HeadLayout<'a> {
        HeadLayout { ranges: self.ranges, n_heads: self.n_heads, head_dim: self.head_dim }
    }

    fn kv_heads(&self) -> HeadLayout<'a> {
        HeadLayout { n_heads: self.n_kv_heads, ..self.heads() }
    }

    fn attention(&self) -> Attention<'a> {
        Attention { heads: self.heads(), n_kv_heads: self.n_kv_heads, window: self.window }
    }
}

/// What the backward pass needs of a forward pass.
#[derive(Debug)]
pub(crate) struct Saved<T> {
    x: Vec<T>,
    rstd: Vec<T>,
    /// Rotated, head-major.
    q: Vec<T>,
    k: Vec<T>,
    v: Vec<T>,
    /// Row-major.
    o: Vec<T>,
    lse: Vec<T>,
    x2: Vec<T>,
    rstd2: Vec<T>,
    gate: Vec<T>,
    up: Vec<T>,
    /// `drop(x) A^T` of each projection with an adapter.
    low: [Vec<T>; N_PROJECTIONS],
}

impl<T: Real> Block<'_, T> {
    /// `x [n, hidden]` to `y [n, hidden]`.
    pub(crate) fn forward(&self, x: Vec<T>, context: &BlockContext<T>) -> (Vec<T>, Saved<T>) {
        let [q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj] = &self.linears;
        let (h, rstd) = rms_norm::forward(&x, self.input_norm, context.eps);
        let (q, low_q) = q_proj.forward(&h);
        let (k, low_k) = k_proj.forward(&h);
        let (v, low_v) = v_proj.forward(&h);
        let q = to_heads(&q, context.heads(), Some(context.rope));
        let k = to_heads(&k, context.kv_heads(), Some(context.rope));
        let v = to_heads(&v, context.kv_heads(), None);
        let (o, lse) = context.attention().forward(&q, &k, &v);
        let o = from_heads(&o, context.heads(), 1, None);
        let (mut x2, low_o) = o_proj.forward(&o);
        add_assign(&mut x2, &x);

        let (h, rstd2) = rms_norm::forward(&x2, self.post_norm, context.eps);
        let (gate, low_gate) = gate_proj.forward(&h);
        let (up, low_up) = up_proj.forward(&h);
        let (mut y, low_down) = down_proj.forward(&swiglu::forward(&gate, &up));
        add_assign(&mut y, &x2);
        let low = [low_q, low_k, low_v, low_o, low_gate, low_up, low_down];
        (y, Saved { x, rstd, q, k, v, o, lse, x2, rstd2, gate, up, low })
    }

    /// `dy` to `dx`, both `[n, hidden]`.
    pub(crate) fn backward(
        &self,
        dy: Vec<T>,
        saved: Saved<T>,
        context: &BlockContext<T>,
        gradient: BlockGradient<T>,
    ) -> Vec<T> {
        let Saved { x, rstd, q, k, v, o, lse, x2, rstd2, mut gate, mut up, low } = saved;
        let [q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj] = &self.linears;
        let [dq_proj, dk_proj, dv_proj, do_proj, d_gate_proj, d_up_proj, d_down_proj] = gradient.linears;
        let [low_q, low_k, low_v, low_o, low_gate, low_up, low_down] = &low;

        // Feed-forward half. `d_act` turns into the activation, gate and up into their gradients.
        let act = swiglu::forward(&gate, &up);
        let mut d_act = vec![T::ZERO; act.len()];
        down_proj.backward(&dy, &act, low_down, &mut d_act, Update::Set, d_down_proj);
        drop(act);
        swiglu::backward(&mut gate, &mut up, &mut d_act);
        drop(d_act);
        let h = rms_norm::scale(&x2, self.post_norm, &rstd2);
        let mut dh = vec![T::ZERO; h.len()];
        gate_proj.backward(&gate, &h, low_gate, &mut dh, Update::Set, d_gate_proj);
        up_proj.backward(&up, &h, low_up, &mut dh, Update::Add, d_up_proj);
        drop((gate, up));
        let mut dx2 = dy;
        rms_norm::backward(&dh, &x2, self.post_norm, &rstd2, &mut dx2, gradient.post_norm);

        // Attention half.
        let mut d_o = vec![T::ZERO; o.len()];
        o_proj.backward(&dx2, &o, low_o, &mut d_o, Update::Set, do_proj);
        let d_o = to_heads(&d_o, context.heads(), None);
        let o = to_heads(&o, context.heads(), None);
        let [dq, dk, dv] = context.attention().backward(&d_o, &q, &k, &v, &o, &lse);
        drop((q, k, v, o, d_o));
        let group = context.n_heads / context.n_kv_heads;
        let dq = from_heads(&dq, context.heads(), 1, Some(context.rope));
        let dk = from_heads(&dk, context.kv_heads(), group, Some(context.rope));
        let dv = from_heads(&dv, context.kv_heads(), group, None);
        let h = rms_norm::scale(&x, self.input_norm, &rstd);
        q_proj.backward(&dq, &h, low_q, &mut dh, Update::Set, dq_proj);
        k_proj.backward(&dk, &h, low_k, &mut dh, Update::Add, dk_proj);
        v_proj.backward(&dv, &h, low_v, &mut dh, Update::Add, dv_proj);
        let mut dx = dx2;
        rms_norm::backward(&dh, &x, self.input_norm, &rstd, &mut dx, gradient.input_norm);
        dx
    }
}
