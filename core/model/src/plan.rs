//! What a training step will need, from the configuration alone: memory and floating-point work.
//!
//! ```text
//! peak = weights + value, gradient and optimizer state of what is trained
//!      + per token: what all blocks save (or their inputs and one block's, with gradient checkpointing)
//!                 + the widest of (head, feed-forward half, attention half)
//!      + the head's logits + buffers of the products
//! ```
//!
//! Lengths other than the longest do not matter for memory, sums of lengths do: nothing is padded, and
//! attention needs memory in proportion to the length. Whoever changes what a block saves changes
//! [`tokens`]; a test compares the sum with the memory of real runs.

mod tokens;

use crate::layout::{Layout, Module, ModuleId};
use crate::quant::Nf4;
use crate::weights::NamedTensor;
use crate::{Adapter, AdapterConfig, Model, ModelConfig, Result, SequenceBatch};
use std::time::Instant;

/// Bytes of an f32.
const F32: u64 = 4;
/// Packed operands of products, partial sums and other scratch.
const SCRATCH_BYTES: u64 = 12 << 20;
/// Logits of a chunk of the head, in floats (see `ops::loss`).
const LOGITS_PER_CHUNK: u64 = 1 << 22;
const LEAST_LOGIT_ROWS: u64 = 192;
/// Values of a four-bit matrix that are dequantized at a time (see `ops::linear::weight`).
const NF4_TILE_VALUES: u64 = 1 << 20;
/// Share of the speed of bare products that a whole step reaches.
const STEP_EFFICIENCY: f64 = 0.75;

/// How a run trains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainingShape<'a> {
    /// What is trained beside the frozen model; `None`: every weight.
    pub adapter: Option<&'a AdapterConfig>,
    /// The frozen modules are in four bits, with scales in eight.
    pub nf4: bool,
    /// Blocks keep their inputs alone (see [`Model::set_gradient_checkpointing`]).
    pub gradient_checkpointing: bool,
    /// What the optimizer keeps per trained value, in bytes.
    pub optimizer_bytes: f64,
}

/// A micro-batch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BatchShape {
    /// Tokens of all sequences.
    pub n_tokens: usize,
    /// Sum of the squares of the sequences' lengths: what attention computes.
    pub squared_lengths: f64,
}

impl BatchShape {
    /// Of sequences of these lengths.
    pub fn of(lengths: impl IntoIterator<Item = usize>) -> Self {
        lengths.into_iter().fold(BatchShape::default(), |shape, length| BatchShape {
            n_tokens: shape.n_tokens + length,
            squared_lengths: shape.squared_lengths + (length as f64).powi(2),
        })
    }
}

impl From<&SequenceBatch> for BatchShape {
    fn from(batch: &SequenceBatch) -> Self {
        BatchShape::of(batch.ranges().map(|range| range.len()))
    }
}

/// Memory in bytes, beyond the idle process; and the work of one micro-batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainingPlan {
    /// The model's weights.
    pub weights_bytes: u64,
    /// Trained values beside the weights, gradients and the optimizer's state.
    pub trained_bytes: u64,
    /// What the blocks keep for the backward pass, and what one block needs while it runs.
    pub activation_bytes: u64,
    /// The head's logits, and buffers of fixed size.
    pub scratch_bytes: u64,
    /// Number of trained values.
    pub n_trainable: u64,
    /// Floating-point operations, forward and backward.
    pub flops: f64,
    /// Of the blocks' share, per block.
    pub block_flops: f64,
}

impl TrainingPlan {
    /// All memory.
    pub fn peak_bytes(&self) -> u64 {
        self.weights_bytes + self.trained_bytes + self.activation_bytes + self.scratch_bytes
    }
}

/// Plans the micro-batches of one run.
#[derive(Debug, Clone)]
pub struct TrainingPlanner {
    config: ModelConfig,
    weights_bytes: u64,
    trained_bytes: u64,
    n_trainable: u64,
    /// Floats per token.
    activations: f64,
    nf4: bool,
    /// Weights that a token meets in the blocks, and those of low-rank matrices.
    active: f64,
    low_rank: f64,
    /// Products per weight: forward, by the input, by the weight, forward again.
    products: f64,
    gradient_checkpointing: bool,
}

impl TrainingPlanner {
    /// For a model of `config`, of which no weight is read.
    ///
    /// Errors: what [`Adapter::init`] would refuse.
    pub fn new(config: &ModelConfig, shape: &TrainingShape) -> Result<Self> {
        let outline = Model::outline(config, shape.nf4);
        let layout = &outline.weights().layout;
        let adapter = shape.adapter.map(|config| Adapter::outline(&outline, config)).transpose()?;
        let values = |tensors: &[NamedTensor<f32>]| -> u64 {
            tensors.iter().map(|tensor| tensor.shape.iter().product::<usize>() as u64).sum()
        };
        let n_weights = values(&outline.weights().tensors);
        let n_module_weights: u64 = layout.modules.iter().map(size).sum();
        let weights_bytes = match shape.nf4 {
            true => (n_weights - n_module_weights) * F32 + layout.modules.iter().map(nf4_bytes).sum::<u64>(),
            false => n_weights * F32,
        };
        let n_trainable = adapter.as_ref().map_or(n_weights, |adapter| values(&adapter.tensors));
        // Trained weights are a copy: the model itself stays loaded.
        let trained_bytes = n_trainable * 2 * F32 + (n_trainable as f64 * shape.optimizer_bytes) as u64;
        let initial = adapter.as_ref().map_or(0, |adapter| tokens::initial_values(adapter, layout, shape.adapter));
        let active =
            (0..layout.modules.len()).map(|id| size(&layout.modules[id]) as f64 * share(config, layout, id)).sum();
        let backward = if shape.adapter.is_none() { 2.0 } else { 1.0 };
        let again = if shape.gradient_checkpointing { 1.0 } else { 0.0 };
        Ok(TrainingPlanner {
            weights_bytes,
            trained_bytes: trained_bytes + initial * F32,
            n_trainable,
            activations: tokens::floats(config, layout, adapter.as_ref(), shape),
            nf4: shape.nf4,
            active,
            low_rank: if shape.adapter.is_some() { n_trainable as f64 } else { 0.0 },
            products: 1.0 + backward + again,
            gradient_checkpointing: shape.gradient_checkpointing,
            config: config.clone(),
        })
    }

    /// What a micro-batch needs.
    pub fn plan(&self, batch: BatchShape) -> TrainingPlan {
        let (config, n) = (&self.config, batch.n_tokens as u64);
        let vocab = config.vocab_size as u64;
        let logits = LOGITS_PER_CHUNK.max(LEAST_LOGIT_ROWS * vocab).min(n * vocab);
        // A tile, and its part of the output.
        let width = (NF4_TILE_VALUES / config.hidden_size as u64).min(config.intermediate_size as u64);
        let tile = if self.nf4 { NF4_TILE_VALUES + n * width } else { 0 };
        let tokens = batch.n_tokens as f64;
        // Two products forward and five backward over half of the square, of two operations each.
        let again = if self.gradient_checkpointing { 2.0 } else { 0.0 };
        let attention = (7.0 + again) * batch.squared_lengths * config.q_size() as f64 * config.n_layers as f64;
        let in_blocks = 2.0 * tokens * (self.active * self.products + 3.0 * self.low_rank) + attention;
        let head_products = self.products.min(3.0) - if self.gradient_checkpointing { 1.0 } else { 0.0 };
        let in_head = 2.0 * tokens * head_products.max(2.0) * (config.vocab_size * config.hidden_size) as f64;
        TrainingPlan {
            weights_bytes: self.weights_bytes,
            trained_bytes: self.trained_bytes,
            activation_bytes: (self.activations * tokens) as u64 * F32,
            scratch_bytes: (logits + tile) * F32 + SCRATCH_BYTES,
            n_trainable: self.n_trainable,
            flops: in_blocks + in_head,
            block_flops: in_blocks / config.n_layers.max(1) as f64,
        }
    }
}

fn size(module: &Module) -> u64 {
    (module.out_size * module.in_size) as u64
}

fn nf4_bytes(module: &Module) -> u64 {
    Nf4::n_bytes_of(module.out_size * module.in_size) as u64
}

/// The share of tokens that a module sees: all, but of an expert.
fn share(config: &ModelConfig, layout: &Layout, id: ModuleId) -> f64 {
    let layer = layout.modules[id].layer;
    match &config.moe {
        // Attention's modules come first, its output last among them.
        Some(moe) if config.is_sparse(layer) && id > layout.blocks[layer].attention.o => {
            moe.n_experts_per_token as f64 / moe.n_experts as f64
        }
        _ => 1.0,
    }
}

/// Seconds that `flops` of training take on this machine, by a measurement of some milliseconds.
pub fn training_seconds(flops: f64) -> f64 {
    use crate::matmul::{Mat, MatMut, Update, par_product};
    const SIDE: usize = 512;
    let (a, b) = (vec![0.5f32; SIDE * SIDE], vec![0.25f32; SIDE * SIDE]);
    let mut out = vec![0.0f32; SIDE * SIDE];
    let mut best = f64::INFINITY;
    for _ in 0..6 {
        let start = Instant::now();
        let [a, b] = [&a, &b].map(|x| Mat::new(x, SIDE, SIDE));
        par_product(MatMut::new(&mut out, SIDE, SIDE), Update::Set, 1.0, a, b);
        best = best.min(start.elapsed().as_secs_f64());
    }
    let rate = 2.0 * (SIDE * SIDE * SIDE) as f64 / best;
    flops / (rate * STEP_EFFICIENCY)
}

/// The largest `x` in `1..=limit` for which `fits` holds, if it holds for smaller ones; 0 if for none.
pub fn largest_that_fits(limit: usize, fits: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, limit);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        match fits(middle) {
            true => low = middle,
            false => high = middle - 1,
        }
    }
    low
}
