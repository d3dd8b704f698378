//! Embedding, blocks, final norm and head: the loss of a batch and its gradients.

#[cfg(test)]
mod tests;

use crate::block::{Block, BlockContext, BlockGradient, Saved};
use crate::layout::ModuleId;
use crate::lora::LoraWeights;
use crate::ops::dropout::Dropout;
use crate::ops::linear::{Linear, LinearGradient, LowRank};
use crate::ops::loss::{HeadGradient, LossScale, linear_cross_entropy};
use crate::ops::rope::RopeTable;
use crate::ops::{embedding, neftune, rms_norm};
use crate::real::Real;
use crate::rng::CounterRng;
use crate::weights::Weights;
use crate::{BatchLoss, DropoutKey, Error, ModelConfig, Result, SequenceBatch};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// A model and, if any, the adapter on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decoder<'a, T> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) weights: &'a Weights<T>,
    pub(crate) lora: Option<&'a LoraWeights<T>>,
}

/// Which gradients are computed and where they are added.
#[derive(Debug)]
pub(crate) enum Gradients<'a, T> {
    /// One buffer per tensor of the model.
    Full(&'a mut [Vec<T>]),
    /// One buffer per tensor of the adapter.
    Lora(&'a mut [Vec<T>]),
}

/// What the gradients are of.
pub(crate) enum Objective<'a, T> {
    /// The sum of the targets' negative log-likelihoods, times this.
    Likelihood(T),
    /// Any function of the targets' log-probabilities: given them, it returns its derivative by each.
    Of(&'a mut dyn FnMut(&[f64]) -> Vec<f32>),
}

/// Buffers that can each be taken once.
struct Slots<'a, T>(Vec<Option<&'a mut [T]>>);

impl<'a, T> Slots<'a, T> {
    fn new(buffers: &'a mut [Vec<T>]) -> Self {
        Slots(buffers.iter_mut().map(|buffer| Some(buffer.as_mut_slice())).collect())
    }

    /// The buffer, or nothing if these gradients are not wanted.
    fn take(&mut self, index: usize) -> Option<&'a mut [T]> {
        self.0.get_mut(index).and_then(Option::take)
    }
}

pub(crate) fn poll(cancel: &AtomicBool) -> Result<()> {
    match cancel.load(Ordering::Relaxed) {
        true => Err(Error::Interrupted),
        false => Ok(()),
    }
}

impl<T: Real> Decoder<'_, T> {
    /// Loss of `batch` without gradients and without dropout.
    pub(crate) fn loss(&self, batch: &SequenceBatch, cancel: &AtomicBool) -> Result<BatchLoss> {
        let nll = self.nll(batch, cancel)?;
        Ok(BatchLoss { nll_sum: nll.iter().sum(), n_targets: nll.len() })
    }

    /// The negative log-likelihood of each target of `batch`, without dropout.
    pub(crate) fn nll(&self, batch: &SequenceBatch, cancel: &AtomicBool) -> Result<Vec<f64>> {
        let pass = Pass::new(self, batch, None)?;
        let mut x = embedding::forward(&batch.input_ids, self.embedding(), self.config.hidden_size);
        for layer in 0..self.config.n_layers {
            poll(cancel)?;
            x = self.block(layer, None).forward(x, &pass.context(layer)).0;
        }
        self.head(&x, &pass, None, cancel).map(|(nll, _)| nll)
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
        let pass = Pass::new(self, batch, dropout)?;
        let hidden = self.config.hidden_size;
        let (mut full, mut lora) = match gradients {
            Gradients::Full(buffers) => (Slots::new(buffers), Slots(Vec::new())),
            Gradients::Lora(buffers) => (Slots(Vec::new()), Slots::new(buffers)),
        };
        let mut x = embedding::forward(&batch.input_ids, self.embedding(), hidden);
        if let Some(key) = dropout.filter(|key| key.neftune_alpha > 0.0) {
            neftune::add_noise(&mut x, &pass.ranges, hidden, key);
        }
        let mut saved: Vec<Saved<T>> = Vec::with_capacity(self.config.n_layers);
        for layer in 0..self.config.n_layers {
            poll(cancel)?;
            let (y, block) = self.block(layer, pass.dropout).forward(x, &pass.context(layer));
            saved.push(block);
            x = y;
        }

        let layout = &self.weights.layout;
        // A tied head and the embedding add to one buffer, the head first.
        let mut d_head = full.take(layout.head);
        let head = HeadPass { objective, d_weight: d_head.as_deref_mut(), d_norm: full.take(layout.final_norm) };
        let (nll, dx) = self.head(&x, &pass, Some(head), cancel)?;
        let loss = BatchLoss { nll_sum: nll.iter().sum(), n_targets: nll.len() };
        drop(x);
        let Some(mut dx) = dx else {
            return Ok(loss);
        };
        for (layer, saved) in saved.into_iter().enumerate().rev() {
            poll(cancel)?;
            let gradient = self.block_gradient(layer, &mut full, &mut lora);
            let block = self.block(layer, pass.dropout);
            dx = block.backward(dx, saved, &pass.context(layer), gradient);
        }
        let d_embedding = if layout.head == layout.embedding { d_head } else { full.take(layout.embedding) };
        if let Some(d_embedding) = d_embedding {
            embedding::backward(&batch.input_ids, &dx, hidden, d_embedding);
        }
        Ok(loss)
    }

    pub(crate) fn embedding(&self) -> &[T] {
        self.weights.values(self.weights.layout.embedding)
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
        let (norm, head) = (self.weights.values(layout.final_norm), self.weights.values(layout.head));
        let (h, rstd) = rms_norm::forward(&selected, norm, pass.eps);
        let Some(gradient) = gradient else {
            return Ok((linear_cross_entropy(&h, head, hidden, &ids, None, cancel)?, None));
        };
        // An objective that is no plain sum sees all log-probabilities before the first gradient: the
        // head, and it alone, then runs twice.
        let scales: Vec<T>;
        let scale = match gradient.objective {
            Objective::Likelihood(scale) => LossScale::Uniform(scale),
            Objective::Of(derivative) => {
                let nll = linear_cross_entropy(&h, head, hidden, &ids, None, cancel)?;
                let logps: Vec<f64> = nll.iter().map(|nll| -nll).collect();
                scales = derivative(&logps).into_iter().map(|d| T::from_f64(-f64::from(d))).collect();
                assert_eq!(scales.len(), ids.len(), "one derivative per target");
                LossScale::PerTarget(&scales)
            }
        };
        let mut dh = vec![T::ZERO; h.len()];
        let head_gradient = HeadGradient { scale, dh: &mut dh, dw: gradient.d_weight };
        let nll = linear_cross_entropy(&h, head, hidden, &ids, Some(head_gradient), cancel)?;
        let mut d_selected = vec![T::ZERO; h.len()];
        rms_norm::backward(&dh, &selected, norm, &rstd, &mut d_selected, gradient.d_norm);
        let mut dx = vec![T::ZERO; x.len()];
        for (row, d) in rows.iter().zip(d_selected.chunks(hidden)) {
            dx[*row as usize * hidden..(*row as usize + 1) * hidden].copy_from_slice(d);
        }
        Ok((nll, Some(dx)))
    }

    /// The weights of block `layer`.
    pub(crate) fn block(&self, layer: usize, dropout: Option<DropoutKey>) -> Block<'_, T> {
        let layout = &self.weights.layout.blocks[layer];
        Block {
            input_norm: self.weights.values(layout.input_norm),
            post_norm: self.weights.values(layout.post_norm),
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
            weight: self.weights.matrix(module.weight, module.transposed),
            bias: module.bias.map(|index| self.weights.values(index)),
            lora: self.low_rank(id, dropout),
        }
    }

    fn low_rank(&self, id: ModuleId, key: Option<DropoutKey>) -> Option<LowRank<'_, T>> {
        let lora = self.lora?;
        let (a, b) = lora.layout[id]?;
        let dropout = key.filter(|_| lora.dropout > 0.0).map(|key| {
            let rng = CounterRng::new(key.seed, DROPOUT_STREAM).fork(key.step).fork(key.micro).fork(id as u64);
            Dropout { p: lora.dropout, rng }
        });
        let r = lora.tensors[a].shape[0];
        let (a, b) = (lora.tensors[a].values.as_slice(), lora.tensors[b].values.as_slice());
        Some(LowRank { r, scaling: T::from_f64(lora.scaling), a, b, dropout })
    }

    fn block_gradient<'b>(
        &self,
        layer: usize,
        full: &mut Slots<'b, T>,
        lora: &mut Slots<'b, T>,
    ) -> BlockGradient<'b, T> {
        let layout = &self.weights.layout.blocks[layer];
        BlockGradient {
            input_norm: full.take(layout.input_norm),
            post_norm: full.take(layout.post_norm),
            linears: layout.modules.clone().map(|id| self.linear_gradient(id, full, lora)).collect(),
        }
    }

    fn linear_gradient<'b>(
        &self,
        id: ModuleId,
        full: &mut Slots<'b, T>,
        lora: &mut Slots<'b, T>,
    ) -> LinearGradient<'b, T> {
        let module = &self.weights.layout.modules[id];
        let pair = self.lora.and_then(|weights| weights.layout[id]);
        LinearGradient {
            weight: full.take(module.weight),
            bias: module.bias.and_then(|index| full.take(index)),
            lora: pair.and_then(|(a, b)| Some((lora.take(a)?, lora.take(b)?))),
        }
    }
}

/// Separates dropout's random streams from those of other uses of a seed.
const DROPOUT_STREAM: u64 = 0x6472_6f70_6f75_7400;

/// Head of a pass with gradients.
struct HeadPass<'a, 'o, T> {
    objective: Objective<'o, T>,
    d_weight: Option<&'a mut [T]>,
    d_norm: Option<&'a mut [T]>,
}

/// One pass over one batch: what all layers share.
struct Pass<'a, T> {
    config: &'a ModelConfig,
    ranges: Vec<Range<usize>>,
    /// `(row, target id)`.
    targets: Vec<(usize, u32)>,
    rope: RopeTable<T>,
    eps: T,
    dropout: Option<DropoutKey>,
}

impl<'a, T: Real> Pass<'a, T> {
    fn new(decoder: &Decoder<'a, T>, batch: &SequenceBatch, dropout: Option<DropoutKey>) -> Result<Self> {
        let config = decoder.config;
        batch.validate(config.vocab_size)?;
        let ranges: Vec<_> = batch.ranges().collect();
        let longest = ranges.iter().map(Range::len).max().unwrap_or(0);
        Ok(Pass {
            config,
            targets: batch.targets(),
            rope: RopeTable::new(&config.rope, config.head_dim, longest),
            eps: T::from_f64(config.rms_norm_eps),
            ranges,
            dropout,
        })
    }

    fn context(&self, layer: usize) -> BlockContext<'_, T> {
        BlockContext {
            ranges: &self.ranges,
            rope: &self.rope,
            n_heads: self.config.n_heads,
            n_kv_heads: self.config.n_kv_heads,
            head_dim: self.config.head_dim,
            window: self.config.sliding_window[layer],
            eps: self.eps,
        }
    }
}
