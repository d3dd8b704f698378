//! The attention half of a block: `o_proj(attention(rope(norm(q)), rope(norm(k)), v))`, with q, k, v
//! from one module or three.

use super::{Block, BlockContext, Normed, norm_out, norm_out_backward};
use crate::buffers::give;
use crate::layout::QkvLayout;
use crate::matmul::Update;
use crate::ops::attention::Attention;
use crate::ops::fused;
use crate::ops::linear::{LinearGradient, LinearSaved};
use crate::ops::norm::NormGradient;
use crate::ops::rope::{HeadLayout, from_heads, to_heads};
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
        let q = to_heads(&q, context.heads(), context.rope);
        let k = to_heads(&k, context.kv_heads(), context.rope);
        let v = to_heads(&v, context.kv_heads(), None);
        let (o, lse) = context.attention().forward(&q, &k, &v);
        let o = from_heads(&o, context.heads(), 1, None);
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
        let mut d_o = vec![T::ZERO; o.len()];
        self.linear(id).backward(d_out, &o, &o_proj, &mut d_o, Update::Set, self.take(linears, id));
        let d_o = to_heads(&d_o, context.heads(), None);
        let o = to_heads(&o, context.heads(), None);
        let [dq, dk, dv] = context.attention().backward(&d_o, &q, &k, &v, &o, &lse);
        [q, k, v, o, d_o].into_iter().for_each(give);
        let group = context.config.n_heads / context.config.n_kv_heads;
        let dq = from_heads(&dq, context.heads(), 1, context.rope);
        let dk = from_heads(&dk, context.kv_heads(), group, context.rope);
        let dv = from_heads(&dv, context.kv_heads(), group, None);
        let dq = norm_out_backward(self.norms.q.as_ref(), &dq, q_normed, q_norm).unwrap_or(dq);
        let dk = norm_out_backward(self.norms.k.as_ref(), &dk, k_normed, k_norm).unwrap_or(dk);
        self.project_backward([dq, dk, dv], h, &qkv, context, linears)
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
                (fused::split(&y, context.widths()), vec![saved])
            }
            QkvLayout::JoinedByHead(id) => {
                let (y, saved) = self.linear(id).forward(h);
                (fused::split_heads(&y, context.config.head_dim), vec![saved])
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
        let mut dh = vec![T::ZERO; h.len()];
        let joined = match self.layout.attention.qkv {
            QkvLayout::Separate(ids) => {
                for (i, (id, dy)) in ids.into_iter().zip([dq, dk, dv]).enumerate() {
                    let update = if i == 0 { Update::Set } else { Update::Add };
                    self.linear(id).backward(&dy, h, &saved[i], &mut dh, update, self.take(linears, id));
                }
                return dh;
            }
            QkvLayout::Joined(id) => (id, fused::join([&dq, &dk, &dv], context.widths())),
            QkvLayout::JoinedByHead(id) => (id, fused::join_heads([&dq, &dk, &dv], context.config.head_dim)),
        };
        let (id, dy) = joined;
        self.linear(id).backward(&dy, h, &saved[0], &mut dh, Update::Set, self.take(linears, id));
        dh
    }
}
