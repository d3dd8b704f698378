//! Embedding, blocks, final norm and head: the loss of a batch and its gradients.

mod gradients;
#[cfg(test)]
mod tests;

pub(crate) use gradients::Gradients;

use crate::adapter::{AdapterWeights, SlotLayout};
use crate::block::{Block, BlockContext, Norms, Saved};
use crate::buffers;
use crate::layout::{MlpLayout, Module, ModuleId, NormLayout};
use crate::ops::dropout::Dropout;
use crate::ops::ends::{Head, PairGradient};
use crate::ops::linear::{Dora, Linear, LowRank, Slot, Weight};
use crate::ops::loss::{HeadGradient, LossScale, linear_cross_entropy};
use crate::ops::norm::{Norm, NormGradient};
use crate::ops::rope::Rotary;
use crate::ops::{embedding, neftune};
use crate::profile::span;
use crate::real::Real;
use crate::rng::CounterRng;
use crate::weights::Weights;
use crate::{BatchLoss, DropoutKey, Error, LayerRope, ModelConfig, Result, SequenceBatch};
use gradients::{Buffers, norm_gradient};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// A model and, if any, the adapter on it.
#[derive(Debug, Clone)]
pub(crate) struct Decoder<'a, T> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) weights: &'a Weights<T>,
    adapter: Option<&'a AdapterWeights<T>>,
    /// Of DoRA, by module.
    norms: Vec<Vec<T>>,
    /// The backward pass computes a block's forward pass again from its input.
    pub(crate) gradient_checkpointing: bool,
}

/// What the gradients are of.
pub(crate) enum Objective<'a, T> {
    /// The sum of the targets' negative log-likelihoods, times this.
    Likelihood(T),
    /// Any function of the targets' log-probabilities: given them, it returns its derivative by each.
    Of(&'a mut dyn FnMut(&[f64]) -> Vec<f32>),
}

/// What a block's forward pass leaves for the backward pass.
enum Kept<T> {
    All(Box<Saved<T>>),
    /// With gradient checkpointing: the block's input.
    Input(Vec<T>),
}

pub(crate) fn poll(cancel: &AtomicBool) -> Result<()> {
    match cancel.load(Ordering::Relaxed) {
        true => Err(Error::Interrupted),
        false => Ok(()),
    }
}

impl<'a, T: Real> Decoder<'a, T> {
    pub(crate) fn new(
        config: &'a ModelConfig,
        weights: &'a Weights<T>,
        adapter: Option<&'a AdapterWeights<T>>,
    ) -> Self {
        let norms = adapter.map(|adapter| adapter.norms(weights)).unwrap_or_default();
        Decoder { config, weights, adapter, norms, gradient_checkpointing: false }
    }

    /// The values of the model's tensor `index`, or of what the adapter has in its place.
    pub(crate) fn values(&self, index: usize) -> &'a [T] {
        match self.adapter.and_then(|adapter| Some((adapter, adapter.replaced[index]?))) {
            Some((adapter, own)) => adapter.values(own),
            None => self.weights.values(index),
        }
    }

    /// The weight of the head, `[vocab, hidden]`.
    pub(crate) fn head_weight(&self) -> &'a [T] {
        let layout = &self.weights.layout;
        match self.adapter {
            Some(adapter) if layout.head == layout.embedding => {
                adapter.tied_head.map_or_else(|| self.weights.values(layout.head), |own| adapter.values(own))
            }
            _ => self.values(layout.head),
        }
    }

    /// Loss of `batch` without gradients and without dropout.
    pub(crate) fn loss(&self, batch: &SequenceBatch, cancel: &AtomicBool) -> Result<BatchLoss> {
        let nll = self.nll(batch, cancel)?;
        Ok(BatchLoss { nll_sum: nll.iter().sum(), n_targets: nll.len() })
    }

    /// The negative log-likelihood of each target of `batch`, without dropout.
    pub(crate) fn nll(&self, batch: &SequenceBatch, cancel: &AtomicBool) -> Result<Vec<f64>> {
        let pass = Pass::new(self, batch, None)?;
        let mut x = self.embed(&batch.input_ids, pass.positions());
        for layer in 0..self.config.n_layers {
            poll(cancel)?;
            let (y, saved) = self.block(layer, None).forward(x, &pass.context(layer));
            saved.release();
            x = y;
        }
        let nll = self.head(&x, &pass, None, cancel).map(|(nll, _)| nll);
        buffers::give(x);
        nll
    }

    /// Loss of `batch`; adds the gradients of `nll_sum * loss_scale`.
    pub(crate) fn accumulate(
        &self,
        batch: &SequenceBatch,
        loss_scale: T,
        dropout: Option<DropoutKey>,
        gradients: Gradients<T>,
        cancel: &AtomicBool,
    ) -> Result<BatchLoss> {
        self.accumulate_of(batch, Objective::Likelihood(loss_scale), dropout, gradients, cancel)
    }

    /// Loss of `batch`; adds the gradients of `objective`.
    pub(crate) fn accumulate_of(
        &self,
        batch: &SequenceBatch,
        objective: Objective<T>,
        dropout: Option<DropoutKey>,
        gradients: Gradients<T>,
        cancel: &AtomicBool,
    ) -> Result<BatchLoss> {
        let _span = span("decoder, rest", || 0.0);
        buffers::begin_pass::<T>();
        let pass = Pass::new(self, batch, dropout)?;
        let hidden = self.config.hidden_size;
        let mut buffers = Buffers::new(gradients, self.adapter);
        let mut x = self.embed(&batch.input_ids, pass.positions());
        if let Some(key) = dropout.filter(|key| key.neftune_alpha > 0.0) {
            neftune::add_noise(&mut x, &pass.ranges, hidden, key);
        }
        let mut kept: Vec<Kept<T>> = Vec::with_capacity(self.config.n_layers);
        for layer in 0..self.config.n_layers {
            poll(cancel)?;
            let (y, saved) = self.block(layer, pass.dropout).forward(x, &pass.context(layer));
            kept.push(match self.gradient_checkpointing {
                true => Kept::Input(saved.into_input()),
                false => Kept::All(Box::new(saved)),
            });
            x = y;
        }

        let layout = &self.weights.layout;
        // A tied head and the embedding add to one buffer, the head first.
        let mut d_head = buffers.head(layout);
        let head = HeadPass {
            objective,
            d_weight: d_head.as_deref_mut(),
            d_pair: buffers.end(|adapter| adapter.ends.head),
            d_norm: norm_gradient(layout.final_norm, &mut buffers),
        };
        let (nll, dx) = self.head(&x, &pass, Some(head), cancel)?;
        let loss = BatchLoss { nll_sum: nll.iter().sum(), n_targets: nll.len() };
        buffers::give(x);
        let Some(mut dx) = dx else {
            return Ok(loss);
        };
        for (layer, kept) in kept.into_iter().enumerate().rev() {
            poll(cancel)?;
            let gradient = self.block_gradient(layer, &mut buffers);
            let block = self.block(layer, pass.dropout);
            let context = pass.context(layer);
            let saved = match kept {
                Kept::All(saved) => *saved,
                Kept::Input(x) => {
                    // Dropout draws by position: the second pass has the first one's bits.
                    let (y, saved) = block.forward(x, &context);
                    buffers::give(y);
                    saved
                }
            };
            dx = block.backward(dx, saved, &context, gradient);
        }
        if let Some(d_positions) = layout.position_embedding.and_then(|index| buffers.tensor(index)) {
            let positions: Vec<u32> = pass.positions().map(|p| p as u32).collect();
            embedding::backward(&positions, &dx, hidden, d_positions);
        }
        let is_shared = layout.head == layout.embedding && buffers.adapter.is_none();
        let d_embedding = if is_shared { d_head } else { buffers.tensor(layout.embedding) };
        let d_pair = buffers.end(|adapter| adapter.ends.embedding);
        if d_embedding.is_some() || d_pair.is_some() {
            self.scale_embedding(&mut dx);
        }
        if let (Some(pair), Some(gradient)) = (self.adapter.and_then(|it| it.pair(it.ends.embedding)), d_pair) {
            pair.embed_backward(&batch.input_ids, &dx, gradient);
        }
        if let Some(d_embedding) = d_embedding {
            embedding::backward(&batch.input_ids, &dx, hidden, d_embedding);
        }
        buffers::give(dx);
        Ok(loss)
    }

    /// `x [n, hidden]` of tokens at `positions` within their sequences.
    pub(crate) fn embed(&self, ids: &[u32], positions: impl Iterator<Item = usize>) -> Vec<T> {
        let (hidden, layout) = (self.config.hidden_size, &self.weights.layout);
        let mut x = embedding::forward(ids, self.values(layout.embedding), hidden);
        if let Some(pair) = self.adapter.and_then(|adapter| adapter.pair(adapter.ends.embedding)) {
            pair.embed(ids, &mut x);
        }
        self.scale_embedding(&mut x);
        if let Some(index) = layout.position_embedding {
            let learned = self.values(index);
            for (x, position) in x.chunks_mut(hidden).zip(positions) {
                for (x, &p) in x.iter_mut().zip(&learned[position * hidden..]) {
                    *x += p;
                }
            }
        }
        x
    }

    /// Gemma's factor, on the embedding or its gradient.
    fn scale_embedding(&self, x: &mut [T]) {
        if self.config.embedding_scale != 1.0 {
            let scale = T::from_f64(self.config.embedding_scale);
            x.iter_mut().for_each(|x| *x *= scale);
        }
    }

    /// The normalization of `layout`.
    pub(crate) fn norm(&self, layout: NormLayout) -> Norm<'_, T> {
        Norm {
            kind: self.config.norm_kind,
            weight: self.values(layout.weight),
            bias: layout.bias.map_or(&[], |index| self.values(index)),
            eps: T::from_f64(self.config.norm_eps),
        }
    }

    /// Final norm and loss of each row that predicts a target; the gradient of `x` if asked for.
    fn head(
        &self,
        x: &[T],
        pass: &Pass<T>,
        gradient: Option<HeadPass<T>>,
        cancel: &AtomicBool,
    ) -> Result<(Vec<f64>, Option<Vec<T>>)> {
        let hidden = self.config.hidden_size;
        if pass.targets.is_empty() {
            return Ok((Vec::new(), None));
        }
        let ids: Vec<u32> = pass.targets.iter().map(|&(_, id)| id).collect();
        let rows: Vec<u32> = pass.targets.iter().map(|&(row, _)| row as u32).collect();
        // Gathering rows of x is an embedding lookup in x.
        let selected = embedding::forward(&rows, x, hidden);
        let layout = &self.weights.layout;
        let (norm, head) = (self.norm(layout.final_norm), self.adapted_head(pass.dropout));
        let cap = self.config.final_softcap;
        let (h, saved) = norm.forward(&selected);
        let Some(gradient) = gradient else {
            let nll = linear_cross_entropy(&h, head, hidden, cap, &ids, None, cancel)?;
            [selected, h].into_iter().for_each(buffers::give);
            return Ok((nll, None));
        };
        // An objective that is no plain sum sees all log-probabilities before the first gradient: the
        // head, and it alone, then runs twice.
        let scales: Vec<T>;
        let scale = match gradient.objective {
            Objective::Likelihood(scale) => LossScale::Uniform(scale),
            Objective::Of(derivative) => {
                let nll = linear_cross_entropy(&h, head, hidden, cap, &ids, None, cancel)?;
                let logps: Vec<f64> = nll.iter().map(|nll| -nll).collect();
                scales = derivative(&logps).into_iter().map(|d| T::from_f64(-f64::from(d))).collect();
                assert_eq!(scales.len(), ids.len(), "one derivative per target");
                LossScale::PerTarget(&scales)
            }
        };
        let mut dh = buffers::take(h.len());
        let head_gradient = HeadGradient { scale, dh: &mut dh, dw: gradient.d_weight, pair: gradient.d_pair };
        let nll = linear_cross_entropy(&h, head, hidden, cap, &ids, Some(head_gradient), cancel)?;
        let mut d_selected = buffers::zeros(h.len());
        norm.backward(&dh, &selected, &saved, &mut d_selected, gradient.d_norm);
        let mut dx = buffers::zeros(x.len());
        for (row, d) in rows.iter().zip(d_selected.chunks(hidden)) {
            dx[*row as usize * hidden..(*row as usize + 1) * hidden].copy_from_slice(d);
        }
        [selected, h, dh, d_selected].into_iter().for_each(buffers::give);
        Ok((nll, Some(dx)))
    }

    /// The head with the adapter on it, if any.
    pub(crate) fn adapted_head(&self, key: Option<DropoutKey>) -> Head<'_, T> {
        let dropout = |adapter: &AdapterWeights<T>| {
            key.filter(|_| adapter.dropout > 0.0).map(|key| {
                let rng = CounterRng::new(key.seed, DROPOUT_STREAM).fork(key.step).fork(key.micro);
                Dropout { p: adapter.dropout, rng: rng.fork(u64::MAX) }
            })
        };
        Head {
            weight: self.head_weight(),
            pair: self.adapter.and_then(|adapter| adapter.pair(adapter.ends.head)),
            dropout: self.adapter.and_then(dropout),
        }
    }

    /// The weights of block `layer`.
    pub(crate) fn block(&self, layer: usize, dropout: Option<DropoutKey>) -> Block<'_, T> {
        let layout = &self.weights.layout.blocks[layer];
        Block {
            norms: Norms {
                input: self.norm(layout.input_norm),
                q: layout.attention.q_norm.map(|norm| self.norm(norm)),
                k: layout.attention.k_norm.map(|norm| self.norm(norm)),
                attention_out: layout.attention_out_norm.map(|norm| self.norm(norm)),
                mlp: self.norm(layout.mlp_norm),
                mlp_out: layout.mlp_out_norm.map(|norm| self.norm(norm)),
            },
            router: match &layout.mlp {
                MlpLayout::Experts { router, .. } => Some(self.values(*router)),
                _ => None,
            },
            linears: layout.modules.clone().map(|id| self.linear(id, dropout)).collect(),
            layout,
        }
    }

    /// A module's weights with the adapter on it, if any.
    fn linear(&self, id: ModuleId, dropout: Option<DropoutKey>) -> Linear<'_, T> {
        let module = &self.weights.layout.modules[id];
        Linear {
            out_size: module.out_size,
            in_size: module.in_size,
            weight: self.matrix(module),
            bias: module.bias.map(|index| self.values(index)),
            slot: self.slot(id, dropout),
        }
    }

    fn matrix(&self, module: &Module) -> Weight<'_, T> {
        let own = self.adapter.and_then(|adapter| Some(adapter.values(adapter.replaced[module.weight]?)));
        match own {
            None => self.weights.matrix(module.weight, module.transposed),
            Some(values) if module.transposed => Weight::Transposed(values),
            Some(values) => Weight::Dense(values),
        }
    }

    fn slot(&self, id: ModuleId, key: Option<DropoutKey>) -> Slot<'_, T> {
        let Some((adapter, slot)) = self.adapter.and_then(|it| Some((it, it.slots[id].as_ref()?))) else {
            return Slot::Empty;
        };
        match slot {
            SlotLayout::Scale { scale, on_input: true } => Slot::ScaledInput(adapter.values(*scale)),
            SlotLayout::Scale { scale, on_input: false } => Slot::ScaledOutput(adapter.values(*scale)),
            SlotLayout::LowRank { a, b, magnitude, scaling, initial } => Slot::LowRank(LowRank {
                r: adapter.tensors[*a].shape[0],
                scaling: T::from_f64(*scaling),
                a: adapter.values(*a),
                b: adapter.values(*b),
                initial: initial.as_ref().map(|initial| (initial.a.as_slice(), initial.b.as_slice())),
                dora: magnitude.map(|index| Dora { magnitude: adapter.values(index), norm: &self.norms[id] }),
                dropout: key.filter(|_| adapter.dropout > 0.0).map(|key| {
                    let rng = CounterRng::new(key.seed, DROPOUT_STREAM).fork(key.step).fork(key.micro);
                    Dropout { p: adapter.dropout, rng: rng.fork(id as u64) }
                }),
            }),
        }
    }
}

/// Separates dropout's random streams from those of other uses of a seed.
const DROPOUT_STREAM: u64 = 0x6472_6f70_6f75_7400;

/// Head of a pass with gradients.
struct HeadPass<'a, 'o, T> {
    objective: Objective<'o, T>,
    d_weight: Option<&'a mut [T]>,
    d_pair: Option<PairGradient<'a, T>>,
    d_norm: NormGradient<'a, T>,
}

/// One pass over one batch: what all layers share.
struct Pass<'a, T> {
    config: &'a ModelConfig,
    ranges: Vec<Range<usize>>,
    /// `(row, target id)`.
    targets: Vec<(usize, u32)>,
    rope: Rotary<T>,
    local_rope: Option<Rotary<T>>,
    dropout: Option<DropoutKey>,
}

impl<'a, T: Real> Pass<'a, T> {
    fn new(decoder: &Decoder<'a, T>, batch: &SequenceBatch, dropout: Option<DropoutKey>) -> Result<Self> {
        let config = decoder.config;
        batch.validate(config.vocab_size)?;
        config.check_length(batch.ranges().map(|range| range.len()).max().unwrap_or(0))?;
        let ranges: Vec<_> = batch.ranges().collect();
        let lengths = || ranges.iter().map(Range::len);
        let longest = lengths().max().unwrap_or(0);
        Ok(Pass {
            config,
            targets: batch.targets(),
            rope: Rotary::new(&config.rope, longest, lengths()),
            local_rope: config.local_rope.as_ref().map(|rope| Rotary::new(rope, longest, lengths())),
            ranges,
            dropout,
        })
    }

    /// Position of each token within its sequence.
    fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        self.ranges.iter().flat_map(|range| 0..range.len())
    }

    fn context(&self, layer: usize) -> BlockContext<'_, T> {
        let rope = match self.config.layer_rope[layer] {
            LayerRope::None => None,
            LayerRope::Global => Some(&self.rope),
            LayerRope::Local => self.local_rope.as_ref(),
        };
        BlockContext { config: self.config, layer, ranges: &self.ranges, rope }
    }
}
