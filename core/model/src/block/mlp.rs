//! The feed-forward half of a block: gated (`down(f(gate) * up)`), gated with one module for gate and
//! up, plain (`down(f(up))`), or experts.

use super::experts::ExpertsSaved;
use super::{Block, BlockContext, BlockGradient};
use crate::Activation;
use crate::buffers::{give, take};
use crate::layout::{GatedLayout, MlpLayout};
use crate::matmul::Update;
use crate::ops::linear::{LinearGradient, LinearSaved};
use crate::ops::{activation, fused};
use crate::real::Real;

/// What the backward pass needs.
#[derive(Debug)]
pub(super) enum MlpSaved<T> {
    Gated(GatedSaved<T>),
    GatedJoined { gate: Vec<T>, up: Vec<T>, gate_up_proj: LinearSaved<T>, down_proj: LinearSaved<T> },
    Plain { up: Vec<T>, up_proj: LinearSaved<T>, down_proj: LinearSaved<T> },
    Experts(ExpertsSaved<T>),
}

/// Of a gated layer with separate modules.
#[derive(Debug)]
pub(super) struct GatedSaved<T> {
    gate: Vec<T>,
    up: Vec<T>,
    gate_proj: LinearSaved<T>,
    up_proj: LinearSaved<T>,
    down_proj: LinearSaved<T>,
}

impl<T: Real> MlpSaved<T> {
    /// Gives the buffers back.
    pub(super) fn release(self) {
        match self {
            MlpSaved::Gated(saved) => saved.release(),
            MlpSaved::GatedJoined { gate, up, gate_up_proj, down_proj } => {
                [gate, up].into_iter().for_each(give);
                [gate_up_proj, down_proj].into_iter().for_each(LinearSaved::release);
            }
            MlpSaved::Plain { up, up_proj, down_proj } => {
                give(up);
                [up_proj, down_proj].into_iter().for_each(LinearSaved::release);
            }
            MlpSaved::Experts(saved) => saved.release(),
        }
    }
}

impl<T: Real> GatedSaved<T> {
    /// Gives the buffers back.
    pub(super) fn release(self) {
        let GatedSaved { gate, up, gate_proj, up_proj, down_proj } = self;
        [gate, up].into_iter().for_each(give);
        [gate_proj, up_proj, down_proj].into_iter().for_each(LinearSaved::release);
    }
}

impl<T: Real> Block<'_, T> {
    /// `h [n, hidden]` to `out [n, hidden]`.
    pub(super) fn mlp(&self, h: &[T], context: &BlockContext<T>) -> (Vec<T>, MlpSaved<T>) {
        let f = context.config.activation;
        match &self.layout.mlp {
            MlpLayout::Gated(ids) => {
                let (out, saved) = self.gated(*ids, h, f);
                (out, MlpSaved::Gated(saved))
            }
            MlpLayout::GatedJoined { gate_up, down } => {
                let inner = context.config.intermediate_size;
                let (y, gate_up_proj) = self.linear(*gate_up).forward(h);
                let [gate, up] = fused::split(&y, [inner; 2]);
                give(y);
                let act = activation::gated_forward(f, &gate, &up);
                let (out, down_proj) = self.linear(*down).forward(&act);
                give(act);
                (out, MlpSaved::GatedJoined { gate, up, gate_up_proj, down_proj })
            }
            MlpLayout::Plain { up, down } => {
                let (up, up_proj) = self.linear(*up).forward(h);
                let act = activation::forward(f, &up);
                let (out, down_proj) = self.linear(*down).forward(&act);
                give(act);
                (out, MlpSaved::Plain { up, up_proj, down_proj })
            }
            MlpLayout::Experts { experts, .. } => {
                let (out, saved) = self.experts(experts, h, context);
                (out, MlpSaved::Experts(saved))
            }
        }
    }

    /// `d_out` to the gradient of `h`.
    pub(super) fn mlp_backward(
        &self,
        d_out: &[T],
        h: &[T],
        saved: MlpSaved<T>,
        context: &BlockContext<T>,
        gradient: &mut BlockGradient<T>,
    ) -> Vec<T> {
        let f = context.config.activation;
        let linears = &mut gradient.linears;
        let mut dh = take(h.len());
        match (&self.layout.mlp, saved) {
            (MlpLayout::Gated(ids), MlpSaved::Gated(saved)) => {
                self.gated_backward(*ids, d_out, h, saved, f, &mut dh, linears);
            }
            (
                MlpLayout::GatedJoined { gate_up, down },
                MlpSaved::GatedJoined { mut gate, mut up, gate_up_proj, down_proj },
            ) => {
                let act = activation::gated_forward(f, &gate, &up);
                let mut d_act = take(act.len());
                let d_down = self.take(linears, *down);
                self.linear(*down).backward(d_out, &act, &down_proj, &mut d_act, Update::Set, d_down);
                give(act);
                activation::gated_backward(f, &mut gate, &mut up, &mut d_act);
                give(d_act);
                let dy = fused::join([&gate, &up], [context.config.intermediate_size; 2]);
                [gate, up].into_iter().for_each(give);
                let d_gate_up = self.take(linears, *gate_up);
                self.linear(*gate_up).backward(&dy, h, &gate_up_proj, &mut dh, Update::Set, d_gate_up);
                give(dy);
                [gate_up_proj, down_proj].into_iter().for_each(LinearSaved::release);
            }
            (MlpLayout::Plain { up: up_id, down }, MlpSaved::Plain { up, up_proj, down_proj }) => {
                let act = activation::forward(f, &up);
                let mut d_act = take(act.len());
                let d_down = self.take(linears, *down);
                self.linear(*down).backward(d_out, &act, &down_proj, &mut d_act, Update::Set, d_down);
                give(act);
                activation::backward(f, &up, &mut d_act);
                let d_up = self.take(linears, *up_id);
                self.linear(*up_id).backward(&d_act, h, &up_proj, &mut dh, Update::Set, d_up);
                [up, d_act].into_iter().for_each(give);
                [up_proj, down_proj].into_iter().for_each(LinearSaved::release);
            }
            (MlpLayout::Experts { experts, .. }, MlpSaved::Experts(saved)) => {
                dh.fill(T::ZERO);
                self.experts_backward(experts, d_out, h, saved, context, &mut dh, gradient);
            }
            _ => unreachable!("what is saved is of the layout's kind"),
        }
        dh
    }

    /// One gated layer.
    pub(super) fn gated(&self, ids: GatedLayout, h: &[T], f: Activation) -> (Vec<T>, GatedSaved<T>) {
        let (gate, gate_proj) = self.linear(ids.gate).forward(h);
        let (up, up_proj) = self.linear(ids.up).forward(h);
        let act = activation::gated_forward(f, &gate, &up);
        let (out, down_proj) = self.linear(ids.down).forward(&act);
        give(act);
        (out, GatedSaved { gate, up, gate_proj, up_proj, down_proj })
    }

    /// Overwrites `dh`. `d_act` turns into the activation, gate and up into their gradients.
    #[expect(clippy::too_many_arguments, reason = "a layer's backward pass: two callers with the same values")]
    pub(super) fn gated_backward(
        &self,
        ids: GatedLayout,
        d_out: &[T],
        h: &[T],
        saved: GatedSaved<T>,
        f: Activation,
        dh: &mut [T],
        linears: &mut [LinearGradient<T>],
    ) {
        let GatedSaved { mut gate, mut up, gate_proj, up_proj, down_proj } = saved;
        let act = activation::gated_forward(f, &gate, &up);
        let mut d_act = take(act.len());
        let d_down = self.take(linears, ids.down);
        self.linear(ids.down).backward(d_out, &act, &down_proj, &mut d_act, Update::Set, d_down);
        give(act);
        activation::gated_backward(f, &mut gate, &mut up, &mut d_act);
        give(d_act);
        let (d_gate, d_up) = (self.take(linears, ids.gate), self.take(linears, ids.up));
        self.linear(ids.gate).backward(&gate, h, &gate_proj, dh, Update::Set, d_gate);
        self.linear(ids.up).backward(&up, h, &up_proj, dh, Update::Add, d_up);
        GatedSaved { gate, up, gate_proj, up_proj, down_proj }.release();
    }
}
