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

use crate::buffers::give;
use crate::layout::{BlockLayout, ModuleId};
use crate::matmul::Update;
use crate::ops::attention::Attention;
use crate::ops::linear::{Linear, LinearGradient, LinearSaved};
use crate::ops::rope::{HeadLayout, RopeTable, from_heads, to_heads};
use crate::ops::{add_assign, rms_norm, swiglu};
use crate::real::Real;
use std::ops::Range;

/// Weights of one block.
#[derive(Debug, Clone)]
pub(crate) struct Block<'a, T> {
    pub(crate) layout: &'a BlockLayout,
    pub(crate) input_norm: &'a [T],
    pub(crate) post_norm: &'a [T],
    /// The block's modules, in the layout's order.
    pub(crate) linears: Vec<Linear<'a, T>>,
}

/// Where the gradients of one block are added.
#[derive(Debug)]
pub(crate) struct BlockGradient<'a, T> {
    pub(crate) input_norm: Option<&'a mut [T]>,
    pub(crate) post_norm: Option<&'a mut [T]>,
    /// One per module, in the layout's order.
    pub(crate) linears: Vec<LinearGradient<'a, T>>,
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
        Attention {
            heads: self.heads(),
            n_kv_heads: self.n_kv_heads,
            window: self.window,
            scale: (self.head_dim as f64).powf(-0.5),
            softcap: None,
        }
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
    q_proj: LinearSaved<T>,
    k_proj: LinearSaved<T>,
    v_proj: LinearSaved<T>,
    o_proj: LinearSaved<T>,
    gate_proj: LinearSaved<T>,
    up_proj: LinearSaved<T>,
    down_proj: LinearSaved<T>,
}

impl<'a, T: Real> Block<'a, T> {
    /// A module of this block.
    pub(crate) fn linear(&self, id: ModuleId) -> &Linear<'a, T> {
        &self.linears[id - self.layout.modules.start]
    }

    /// `x [n, hidden]` to `y [n, hidden]`.
    pub(crate) fn forward(&self, x: Vec<T>, context: &BlockContext<T>) -> (Vec<T>, Saved<T>) {
        let (attention, mlp) = (&self.layout.attention, &self.layout.mlp);
        let (h, rstd) = rms_norm::forward(&x, self.input_norm, context.eps);
        let (q, q_proj) = self.linear(attention.q).forward(&h);
        let (k, k_proj) = self.linear(attention.k).forward(&h);
        let (v, v_proj) = self.linear(attention.v).forward(&h);
        let q = to_heads(&q, context.heads(), Some(context.rope));
        let k = to_heads(&k, context.kv_heads(), Some(context.rope));
        let v = to_heads(&v, context.kv_heads(), None);
        let (o, lse) = context.attention().forward(&q, &k, &v);
        let o = from_heads(&o, context.heads(), 1, None);
        let (mut x2, o_proj) = self.linear(attention.o).forward(&o);
        add_assign(&mut x2, &x);

        let (h, rstd2) = rms_norm::forward(&x2, self.post_norm, context.eps);
        let (gate, gate_proj) = self.linear(mlp.gate).forward(&h);
        let (up, up_proj) = self.linear(mlp.up).forward(&h);
        let (mut y, down_proj) = self.linear(mlp.down).forward(&swiglu::forward(&gate, &up));
        add_assign(&mut y, &x2);
        let saved = Saved {
            x,
            rstd,
            q,
            k,
            v,
            o,
            lse,
            x2,
            rstd2,
            gate,
            up,
            q_proj,
            k_proj,
            v_proj,
            o_proj,
            gate_proj,
            up_proj,
            down_proj,
        };
        (y, saved)
    }

    /// `dy` to `dx`, both `[n, hidden]`.
    pub(crate) fn backward(
        &self,
        dy: Vec<T>,
        saved: Saved<T>,
        context: &BlockContext<T>,
        gradient: BlockGradient<T>,
    ) -> Vec<T> {
        let BlockGradient { input_norm: d_input_norm, post_norm: d_post_norm, mut linears } = gradient;
        let mut d_linear = |id: ModuleId| std::mem::take(&mut linears[id - self.layout.modules.start]);
        let (attention, mlp) = (&self.layout.attention, &self.layout.mlp);

        // Feed-forward half. `d_act` turns into the activation, gate and up into their gradients.
        let (mut gate, mut up) = (saved.gate, saved.up);
        let act = swiglu::forward(&gate, &up);
        let mut d_act = vec![T::ZERO; act.len()];
        self.linear(mlp.down).backward(&dy, &act, &saved.down_proj, &mut d_act, Update::Set, d_linear(mlp.down));
        give(act);
        swiglu::backward(&mut gate, &mut up, &mut d_act);
        give(d_act);
        let h = rms_norm::scale(&saved.x2, self.post_norm, &saved.rstd2);
        let mut dh = vec![T::ZERO; h.len()];
        self.linear(mlp.gate).backward(&gate, &h, &saved.gate_proj, &mut dh, Update::Set, d_linear(mlp.gate));
        self.linear(mlp.up).backward(&up, &h, &saved.up_proj, &mut dh, Update::Add, d_linear(mlp.up));
        [gate, up].into_iter().for_each(give);
        let mut dx2 = dy;
        rms_norm::backward(&dh, &saved.x2, self.post_norm, &saved.rstd2, &mut dx2, d_post_norm);

        // Attention half.
        let Saved { q, k, v, o, lse, .. } = saved;
        let mut d_o = vec![T::ZERO; o.len()];
        self.linear(attention.o).backward(&dx2, &o, &saved.o_proj, &mut d_o, Update::Set, d_linear(attention.o));
        let d_o = to_heads(&d_o, context.heads(), None);
        let o = to_heads(&o, context.heads(), None);
        let [dq, dk, dv] = context.attention().backward(&d_o, &q, &k, &v, &o, &lse);
        [q, k, v, o, d_o].into_iter().for_each(give);
        let group = context.n_heads / context.n_kv_heads;
        let dq = from_heads(&dq, context.heads(), 1, Some(context.rope));
        let dk = from_heads(&dk, context.kv_heads(), group, Some(context.rope));
        let dv = from_heads(&dv, context.kv_heads(), group, None);
        let h = rms_norm::scale(&saved.x, self.input_norm, &saved.rstd);
        self.linear(attention.q).backward(&dq, &h, &saved.q_proj, &mut dh, Update::Set, d_linear(attention.q));
        self.linear(attention.k).backward(&dk, &h, &saved.k_proj, &mut dh, Update::Add, d_linear(attention.k));
        self.linear(attention.v).backward(&dv, &h, &saved.v_proj, &mut dh, Update::Add, d_linear(attention.v));
        let mut dx = dx2;
        rms_norm::backward(&dh, &saved.x, self.input_norm, &saved.rstd, &mut dx, d_input_norm);
        dx
    }
}
