//! The attention half of a block: `o_proj(attention(rope(norm(q)), rope(norm(k)), v))`, with q, k, v
//! from one module or three.

use super::{Block, BlockContext, Normed, norm_out, norm_out_backward};
use crate::buffers::{give, take};
use crate::layout::QkvLayout;
use crate::matmul::Update;
use crate::ops::attention::Attention;
use crate::ops::fused;
use crate::ops::linear::{LinearGradient, LinearSaved};
use crate::ops::norm::{Norm, NormGradient};
use crate::ops::rope::{HeadLayout, Rotary, from_heads, to_heads};
use crate::real::Real;

/// What the backward pass needs.
#[derive(Debug)]
pub(super) struct AttentionSaved<T> {
    /// One of a fused module, three of separate ones.
    qkv: Vec<LinearSaved<T>>,
    /// Of the norms over heads, where there are some.
    q_normed: Option<Normed<T>>,
    k_normed: Option<Normed<T>>,
    /// Rotated, head-major.
    q: Vec<T>,
    k: Vec<T>,
    v: Vec<T>,
    /// Row-major.
    o: Vec<T>,
    lse: Vec<T>,
    o_proj: LinearSaved<T>,
}

impl<T: Real> AttentionSaved<T> {
    /// Gives the large buffers back.
    pub(super) fn release(self) {
        let normed = self.q_normed.into_iter().chain(self.k_normed).map(|normed| normed.x);
        normed.chain([self.q, self.k, self.v, self.o, self.lse]).for_each(give);
        self.qkv.into_iter().chain([self.o_proj]).for_each(LinearSaved::release);
    }
}

impl<'a, T> BlockContext<'a, T> {
    fn heads(&self) -> HeadLayout<'a> {
        HeadLayout { ranges: self.ranges, n_heads: self.config.n_heads, head_dim: self.config.head_dim }
    }

    fn kv_heads(&self) -> HeadLayout<'a> {
        HeadLayout { n_heads: self.config.n_kv_heads, ..self.heads() }
    }

    fn attention(&self) -> Attention<'a> {
        Attention {
            heads: self.heads(),
            n_kv_heads: self.config.n_kv_heads,
            window: self.config.sliding_window[self.layer],
            scale: self.config.attention_scale[self.layer],
            softcap: self.config.attention_softcap,
        }
    }

    /// Widths of q, k and v in a fused row.
    fn widths(&self) -> [usize; 3] {
        [self.config.q_size(), self.config.kv_size(), self.config.kv_size()]
    }
}

impl<T: Real> Block<'_, T> {
    /// `h [n, hidden]` to `out [n, hidden]`.
    pub(super) fn attention(&self, h: &[T], context: &BlockContext<T>) -> (Vec<T>, AttentionSaved<T>) {
        let ([q, k, v], qkv) = self.project(h, context);
        // A row of a norm over heads is a head.
        let (q, q_normed) = norm_out(self.norms.q.as_ref(), q);
        let (k, k_normed) = norm_out(self.norms.k.as_ref(), k);
        let [q, k] = [(q, context.heads()), (k, context.kv_heads())].map(|(x, heads)| turned(x, heads, context.rope));
        let v = turned(v, context.kv_heads(), None);
        let (o_heads, lse) = context.attention().forward(&q, &k, &v);
        let o = from_heads(&o_heads, context.heads(), 1, None);
        give(o_heads);
        let (out, o_proj) = self.linear(self.layout.attention.o).forward(&o);
        (out, AttentionSaved { qkv, q_normed, k_normed, q, k, v, o, lse, o_proj })
    }

    /// `d_out` to the gradient of `h`.
    pub(super) fn attention_backward(
        &self,
        d_out: &[T],
        h: &[T],
        saved: AttentionSaved<T>,
        context: &BlockContext<T>,
        (q_norm, k_norm): (Option<NormGradient<T>>, Option<NormGradient<T>>),
        linears: &mut [LinearGradient<T>],
    ) -> Vec<T> {
        let AttentionSaved { qkv, q_normed, k_normed, q, k, v, o, lse, o_proj } = saved;
        let id = self.layout.attention.o;
        let mut d_o = take(o.len());
        self.linear(id).backward(d_out, &o, &o_proj, &mut d_o, Update::Set, self.take(linears, id));
        let d_o = turned(d_o, context.heads(), None);
        let o = turned(o, context.heads(), None);
        let [dq, dk, dv] = context.attention().backward(&d_o, &q, &k, &v, &o, &lse);
        [q, k, v, o, d_o, lse].into_iter().for_each(give);
        o_proj.release();
        let group = context.config.n_heads / context.config.n_kv_heads;
        let dq = turned_back(dq, context.heads(), 1, context.rope);
        let dk = turned_back(dk, context.kv_heads(), group, context.rope);
        let dv = turned_back(dv, context.kv_heads(), group, None);
        let dq = unnormed(self.norms.q.as_ref(), dq, q_normed, q_norm);
        let dk = unnormed(self.norms.k.as_ref(), dk, k_normed, k_norm);
        let dh = self.project_backward([dq, dk, dv], h, &qkv, context, linears);
        qkv.into_iter().for_each(LinearSaved::release);
        dh
    }

    /// q, k and v, row-major.
    fn project(&self, h: &[T], context: &BlockContext<T>) -> ([Vec<T>; 3], Vec<LinearSaved<T>>) {
        match self.layout.attention.qkv {
            QkvLayout::Separate(ids) => {
                let [(q, q_saved), (k, k_saved), (v, v_saved)] = ids.map(|id| self.linear(id).forward(h));
                ([q, k, v], vec![q_saved, k_saved, v_saved])
            }
            QkvLayout::Joined(id) => {
                let (y, saved) = self.linear(id).forward(h);
                let parts = fused::split(&y, context.widths());
                give(y);
                (parts, vec![saved])
            }
            QkvLayout::JoinedByHead(id) => {
                let (y, saved) = self.linear(id).forward(h);
                let parts = fused::split_heads(&y, context.config.head_dim);
                give(y);
                (parts, vec![saved])
            }
        }
    }

    fn project_backward(
        &self,
        [dq, dk, dv]: [Vec<T>; 3],
        h: &[T],
        saved: &[LinearSaved<T>],
        context: &BlockContext<T>,
        linears: &mut [LinearGradient<T>],
    ) -> Vec<T> {
        let mut dh = take(h.len());
        let joined = match self.layout.attention.qkv {
            QkvLayout::Separate(ids) => {
                for (i, (id, dy)) in ids.into_iter().zip([dq, dk, dv]).enumerate() {
                    let update = if i == 0 { Update::Set } else { Update::Add };
                    self.linear(id).backward(&dy, h, &saved[i], &mut dh, update, self.take(linears, id));
                    give(dy);
                }
                return dh;
            }
            QkvLayout::Joined(id) => (id, fused::join([&dq, &dk, &dv], context.widths())),
            QkvLayout::JoinedByHead(id) => (id, fused::join_heads([&dq, &dk, &dv], context.config.head_dim)),
        };
        [dq, dk, dv].into_iter().for_each(give);
        let (id, dy) = joined;
        self.linear(id).backward(&dy, h, &saved[0], &mut dh, Update::Set, self.take(linears, id));
        give(dy);
        dh
    }
}

/// The gradient of what was normalized, in the place of its normalization's.
fn unnormed<T: Real>(
    norm: Option<&Norm<T>>,
    dy: Vec<T>,
    normed: Option<Normed<T>>,
    gradient: Option<NormGradient<T>>,
) -> Vec<T> {
    match norm_out_backward(norm, &dy, normed, gradient) {
        None => dy,
        Some(dx) => {
            give(dy);
            dx
        }
    }
}

/// Row-major to head-major.
fn turned<T: Real>(x: Vec<T>, layout: HeadLayout, rope: Option<&Rotary<T>>) -> Vec<T> {
    let heads = to_heads(&x, layout, rope);
    give(x);
    heads
}

/// Head-major to row-major, the heads of a group added.
fn turned_back<T: Real>(x: Vec<T>, layout: HeadLayout, group: usize, rope: Option<&Rotary<T>>) -> Vec<T> {
    let rows = from_heads(&x, layout, group, rope);
    give(x);
    rows
}
