//! The decoder block, the unit of differentiation: `forward(x) -> (y, saved)`,
//! `backward(dy, saved) -> dx` with gradients added where they are wanted.
//!
//! ```text
//! x2 = x  + out_norm(attention(norm(x)))         out_norm: Gemma only
//! y  = x2 + out_norm(mlp(norm(x2)))
//! y  = x  + attention(norm(x)) + mlp(norm(x))    with a parallel residual
//! ```
//!
//! Saved are the inputs of norms and activations, rotated q, k, v and the attention output. Normalized
//! inputs and activations are recomputed: they are cheap and as large as everything else.

mod attention;
mod experts;
mod mlp;
mod router;

pub(crate) use router::{Choice, route};

use crate::ModelConfig;
use crate::buffers::{self, give};
use crate::layout::{BlockLayout, ModuleId};
use crate::ops::add_assign;
use crate::ops::linear::{Linear, LinearGradient};
use crate::ops::norm::{Norm, NormGradient, NormSaved};
use crate::ops::rope::Rotary;
use crate::real::Real;
use attention::AttentionSaved;
use mlp::MlpSaved;
use std::ops::Range;

/// Weights of one block.
#[derive(Debug, Clone)]
pub(crate) struct Block<'a, T> {
    pub(crate) layout: &'a BlockLayout,
    pub(crate) norms: Norms<Norm<'a, T>>,
    /// `[experts, hidden]`, where there are experts.
    pub(crate) router: Option<&'a [T]>,
    /// The block's modules, in the layout's order.
    pub(crate) linears: Vec<Linear<'a, T>>,
}

/// One thing for each normalization of a block.
#[derive(Debug, Clone, Default)]
pub(crate) struct Norms<N> {
    pub(crate) input: N,
    pub(crate) q: Option<N>,
    pub(crate) k: Option<N>,
    pub(crate) attention_out: Option<N>,
    pub(crate) mlp: N,
    pub(crate) mlp_out: Option<N>,
}

/// Where the gradients of one block are added.
#[derive(Debug)]
pub(crate) struct BlockGradient<'a, T> {
    pub(crate) norms: Norms<NormGradient<'a, T>>,
    pub(crate) router: Option<&'a mut [T]>,
    /// One per module, in the layout's order.
    pub(crate) linears: Vec<LinearGradient<'a, T>>,
}

/// Geometry that all tokens of a batch share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockContext<'a, T> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) layer: usize,
    /// Token range of each sequence.
    pub(crate) ranges: &'a [Range<usize>],
    /// Rotary position embedding of this layer.
    pub(crate) rope: Option<&'a Rotary<T>>,
}

/// What the backward pass needs of a forward pass.
#[derive(Debug)]
pub(crate) struct Saved<T> {
    x: Vec<T>,
    input_norm: NormSaved<T>,
    attention: AttentionSaved<T>,
    attention_out: Option<Normed<T>>,
    /// Input of the second half; that of the first with a parallel residual.
    x2: Option<Vec<T>>,
    mlp_norm: NormSaved<T>,
    mlp: MlpSaved<T>,
    mlp_out: Option<Normed<T>>,
}

/// Input and statistics of a normalization whose input nothing else holds.
#[derive(Debug)]
struct Normed<T> {
    x: Vec<T>,
    saved: NormSaved<T>,
}

impl<'a, T: Real> Block<'a, T> {
    /// A module of this block.
    pub(crate) fn linear(&self, id: ModuleId) -> &Linear<'a, T> {
        &self.linears[id - self.layout.modules.start]
    }

    /// `x [n, hidden]` to `y [n, hidden]`.
    pub(crate) fn forward(&self, x: Vec<T>, context: &BlockContext<T>) -> (Vec<T>, Saved<T>) {
        let (h, input_norm) = self.norms.input.forward(&x);
        let (out, attention) = self.attention(&h, context);
        give(h);
        let (mut sum, attention_out) = norm_out(self.norms.attention_out.as_ref(), out);
        add_assign(&mut sum, &x);

        let is_parallel = context.config.parallel_residual;
        let (h, mlp_norm) = self.norms.mlp.forward(if is_parallel { &x } else { &sum });
        let (out, mlp) = self.mlp(&h, context);
        give(h);
        let (mut y, mlp_out) = norm_out(self.norms.mlp_out.as_ref(), out);
        add_assign(&mut y, &sum);
        let x2 = (!is_parallel).then_some(sum);
        (y, Saved { x, input_norm, attention, attention_out, x2, mlp_norm, mlp, mlp_out })
    }

    /// `dy` to `dx`, both `[n, hidden]`.
    pub(crate) fn backward(
        &self,
        dy: Vec<T>,
        saved: Saved<T>,
        context: &BlockContext<T>,
        mut gradient: BlockGradient<T>,
    ) -> Vec<T> {
        let Saved { x, input_norm, attention, attention_out, x2, mlp_norm, mlp, mlp_out } = saved;
        let norms = std::mem::take(&mut gradient.norms);

        let mlp_x = x2.as_ref().unwrap_or(&x);
        let d_out = norm_out_backward(self.norms.mlp_out.as_ref(), &dy, mlp_out, norms.mlp_out);
        let h = self.norms.mlp.output(mlp_x, &mlp_norm);
        let dh = self.mlp_backward(d_out.as_deref().unwrap_or(&dy), &h, mlp, context, &mut gradient);
        d_out.into_iter().chain([h]).for_each(give);
        // The gradient of the sum after attention: all of `dx2`, or `dy` with a parallel residual, where
        // `dx2` is the feed-forward layer's part of `dx`.
        let (mut dx2, dy) = match x2.is_some() {
            true => (dy, None),
            false => (buffers::zeros(dy.len()), Some(dy)),
        };
        self.norms.mlp.backward(&dh, mlp_x, &mlp_norm, &mut dx2, norms.mlp);
        x2.into_iter().chain([dh]).for_each(give);

        let d_sum = dy.as_ref().unwrap_or(&dx2);
        let d_out = norm_out_backward(self.norms.attention_out.as_ref(), d_sum, attention_out, norms.attention_out);
        let h = self.norms.input.output(&x, &input_norm);
        let d_attention = d_out.as_deref().unwrap_or(d_sum);
        let head_norms = (norms.q, norms.k);
        let dh = self.attention_backward(d_attention, &h, attention, context, head_norms, &mut gradient.linears);
        d_out.into_iter().for_each(give);
        let mut dx = dx2;
        if let Some(dy) = &dy {
            add_assign(&mut dx, dy);
        }
        self.norms.input.backward(&dh, &x, &input_norm, &mut dx, norms.input);
        dy.into_iter().chain([x, h, dh]).for_each(give);
        dx
    }

    /// Takes the place where a module's gradients go.
    fn take<'g>(&self, linears: &mut [LinearGradient<'g, T>], id: ModuleId) -> LinearGradient<'g, T> {
        std::mem::take(&mut linears[id - self.layout.modules.start])
    }
}

impl<T: Real> Saved<T> {
    /// Gives the large buffers back: a pass without gradients needs none of them.
    pub(crate) fn release(self) {
        give(self.into_input());
    }

    /// Gives up all but the block's input.
    pub(crate) fn into_input(self) -> Vec<T> {
        self.attention.release();
        self.mlp.release();
        let normed = self.attention_out.into_iter().chain(self.mlp_out).map(|normed| normed.x);
        normed.chain(self.x2).for_each(give);
        self.x
    }
}

/// The normalization of what a part put out, where there is one.
fn norm_out<T: Real>(norm: Option<&Norm<T>>, out: Vec<T>) -> (Vec<T>, Option<Normed<T>>) {
    match norm {
        None => (out, None),
        Some(norm) => {
            let (y, saved) = norm.forward(&out);
            (y, Some(Normed { x: out, saved }))
        }
    }
}

/// The gradient of what was normalized; `None` if it is `dy` itself.
fn norm_out_backward<T: Real>(
    norm: Option<&Norm<T>>,
    dy: &[T],
    normed: Option<Normed<T>>,
    gradient: Option<NormGradient<T>>,
) -> Option<Vec<T>> {
    let (norm, normed) = (norm?, normed?);
    let mut dx = buffers::zeros(dy.len());
    norm.backward(dy, &normed.x, &normed.saved, &mut dx, gradient.unwrap_or_default());
    give(normed.x);
    Some(dx)
}
