//! One block of the forward pass, whose rows do not depend on each other but through the cache.

use super::{Inference, Segment, linear};
use crate::Activation;
use crate::block::{Block, Choice, route};
use crate::layout::{GatedLayout, MlpLayout, ModuleId, QkvLayout};
use crate::ops::norm::Norm;
use crate::ops::{activation, fused};
use rayon::prelude::*;

impl Inference<'_> {
    /// Adds both halves of block `layer` to `x`.
    pub(super) fn block(&self, layer: usize, x: &mut [f32], segments: &mut [Segment]) {
        let block = self.decoder.block(layer, None);
        let h = block.norms.input.forward(x).0;
        let [mut q, k, v] = self.project(&block, &h);
        let k = norm_rows(block.norms.k.as_ref(), k);
        q = norm_rows(block.norms.q.as_ref(), q);
        self.store(layer, &mut q, &k, &v, segments);
        let o = self.attention(layer, &q, segments);
        let out = norm_rows(block.norms.attention_out.as_ref(), run(&block, block.layout.attention.o, &o));
        let h = match self.decoder.config.parallel_residual {
            true => {
                let h = block.norms.mlp.forward(x).0;
                add(x, &out);
                h
            }
            false => {
                add(x, &out);
                block.norms.mlp.forward(x).0
            }
        };
        add(x, &norm_rows(block.norms.mlp_out.as_ref(), self.mlp(&block, &h)));
    }

    /// q, k and v, row-major.
    fn project(&self, block: &Block<f32>, h: &[f32]) -> [Vec<f32>; 3] {
        let config = self.decoder.config;
        match block.layout.attention.qkv {
            QkvLayout::Separate(ids) => ids.map(|id| run(block, id, h)),
            QkvLayout::Joined(id) => {
                fused::split(&run(block, id, h), [config.q_size(), config.kv_size(), config.kv_size()])
            }
            QkvLayout::JoinedByHead(id) => fused::split_heads(&run(block, id, h), config.head_dim),
        }
    }

    fn mlp(&self, block: &Block<f32>, h: &[f32]) -> Vec<f32> {
        let config = self.decoder.config;
        match &block.layout.mlp {
            MlpLayout::Gated(ids) => gated(block, *ids, h, config.activation),
            MlpLayout::GatedJoined { gate_up, down } => {
                let [gate, up] = fused::split(&run(block, *gate_up, h), [config.intermediate_size; 2]);
                run(block, *down, &gated_rows(config.activation, &gate, &up))
            }
            MlpLayout::Plain { up, down } => {
                run(block, *down, &activation::forward(config.activation, &run(block, *up, h)))
            }
            MlpLayout::Experts { experts, .. } => self.experts(block, experts, h),
        }
    }

    /// The weighted sum of each token's experts, in the experts' order.
    fn experts(&self, block: &Block<f32>, experts: &[GatedLayout], h: &[f32]) -> Vec<f32> {
        let config = self.decoder.config;
        let (Some(moe), Some(router)) = (&config.moe, block.router) else {
            return vec![0.0; h.len()];
        };
        let hidden = config.hidden_size;
        let logits = linear::product(h, router, hidden);
        let choices: Vec<Choice<f32>> =
            logits.chunks(moe.n_experts).map(|logits| route(logits.to_vec(), moe)).collect();
        let mut y = vec![0.0; h.len()];
        for (expert, ids) in experts.iter().enumerate() {
            let chosen = |(t, choice): (usize, &Choice<f32>)| {
                let weight = choice.experts.iter().find(|&&(e, _)| e == expert)?.1;
                Some((t, weight))
            };
            let rows: Vec<(usize, f32)> = choices.iter().enumerate().filter_map(chosen).collect();
            if rows.is_empty() {
                continue;
            }
            let x: Vec<f32> = rows.iter().flat_map(|&(t, _)| &h[t * hidden..(t + 1) * hidden]).copied().collect();
            let out = gated(block, *ids, &x, config.activation);
            for (&(t, weight), out) in rows.iter().zip(out.chunks(hidden)) {
                for (y, &out) in y[t * hidden..(t + 1) * hidden].iter_mut().zip(out) {
                    *y += weight * out;
                }
            }
        }
        y
    }
}

fn run(block: &Block<f32>, id: ModuleId, x: &[f32]) -> Vec<f32> {
    linear::forward(block.linear(id), x)
}

fn gated(block: &Block<f32>, ids: GatedLayout, h: &[f32], f: Activation) -> Vec<f32> {
    run(block, ids.down, &gated_rows(f, &run(block, ids.gate, h), &run(block, ids.up, h)))
}

/// `f(gate) * up` in chunks of fixed size.
fn gated_rows(f: Activation, gate: &[f32], up: &[f32]) -> Vec<f32> {
    const CHUNK: usize = 1 << 14;
    let mut out = vec![0.0; gate.len()];
    out.par_chunks_mut(CHUNK)
        .zip(gate.par_chunks(CHUNK))
        .zip(up.par_chunks(CHUNK))
        .for_each(|((out, gate), up)| activation::gated_rows(f, gate, up, out));
    out
}

/// A norm over rows of its own width, where there is one.
fn norm_rows(norm: Option<&Norm<f32>>, x: Vec<f32>) -> Vec<f32> {
    match norm {
        None => x,
        Some(norm) => norm.forward(&x).0,
    }
}

fn add(x: &mut [f32], y: &[f32]) {
    for (x, &y) in x.iter_mut().zip(y) {
        *x += y;
    }
}
