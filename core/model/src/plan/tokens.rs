//! Floats per token: what blocks save, and what the widest part needs while it runs.

use super::{TrainingShape, share};
use crate::adapter::{AdapterWeights, SlotLayout};
use crate::layout::{BlockLayout, Layout, MlpLayout, ModuleId, QkvLayout};
use crate::{AdapterConfig, LoraInit, ModelConfig, NormKind};

/// Of a run of `shape`.
pub(super) fn floats(
    config: &ModelConfig,
    layout: &Layout,
    adapter: Option<&AdapterWeights<f32>>,
    shape: &TrainingShape,
) -> f64 {
    let h = config.hidden_size as f64;
    let block = |layer: usize| saved_by(config, layout, layer, adapter);
    let blocks = || (0..config.n_layers).map(block);
    let working = (0..config.n_layers).map(|layer| working(config, layout, layer, adapter, shape)).fold(0.0, f64::max);
    // Gathered rows, their normalization, the gradients of both and of all rows, and the rows.
    let head = 6.0 * h;
    match shape.gradient_checkpointing {
        // Inputs of the others; the block at work saves its own as well.
        true => (config.n_layers as f64 * h + head)
            .max((config.n_layers as f64 - 1.0) * h + blocks().fold(0.0, f64::max) + working),
        false => blocks().sum::<f64>() + working.max(head),
    }
}

/// What one block's `Saved` holds.
fn saved_by(config: &ModelConfig, layout: &Layout, layer: usize, adapter: Option<&AdapterWeights<f32>>) -> f64 {
    let block = &layout.blocks[layer];
    let (h, q, kv) = (config.hidden_size as f64, config.q_size() as f64, config.kv_size() as f64);
    let x = if config.parallel_residual { h } else { 2.0 * h };
    let statistics = if config.norm_kind == NormKind::Layer { 4.0 } else { 2.0 };
    let attention = 2.0 * q + 2.0 * kv + config.n_heads as f64;
    let normed = |present: bool, width: f64, rows: f64| if present { width + rows } else { 0.0 };
    let norms = normed(block.attention.q_norm.is_some(), q, config.n_heads as f64)
        + normed(block.attention.k_norm.is_some(), kv, config.n_kv_heads as f64)
        + normed(block.attention_out_norm.is_some(), h, 1.0)
        + normed(block.mlp_out_norm.is_some(), h, 1.0);
    let slots: f64 = block.modules.clone().map(|id| slot(layout, id, adapter) * share(config, layout, id)).sum();
    x + statistics + attention + norms + inner(config, block) + experts(config, block) + slots
}

/// Gate and up, or up alone, of all experts that see a token.
fn inner(config: &ModelConfig, block: &BlockLayout) -> f64 {
    match (&block.mlp, &config.moe) {
        (MlpLayout::Plain { .. }, _) => config.intermediate_size as f64,
        (MlpLayout::Experts { .. }, Some(moe)) => (2 * moe.intermediate_size * moe.n_experts_per_token) as f64,
        _ => 2.0 * config.intermediate_size as f64,
    }
}

/// Outputs of the experts, and which rows they see.
fn experts(config: &ModelConfig, block: &BlockLayout) -> f64 {
    match (&block.mlp, &config.moe) {
        (MlpLayout::Experts { .. }, Some(moe)) => {
            // Two words per row and choice, and the probabilities of all experts.
            (moe.n_experts_per_token * (config.hidden_size + 8) + moe.n_experts) as f64
        }
        _ => 0.0,
    }
}

/// What a module's adapter saves.
fn slot(layout: &Layout, id: ModuleId, adapter: Option<&AdapterWeights<f32>>) -> f64 {
    let out = layout.modules[id].out_size as f64;
    match adapter.and_then(|adapter| adapter.slots[id].as_ref().map(|slot| (adapter, slot))) {
        None | Some((_, SlotLayout::Scale { on_input: true, .. })) => 0.0,
        Some((_, SlotLayout::Scale { .. })) => out,
        Some((adapter, SlotLayout::LowRank { a, magnitude, .. })) => {
            let r = adapter.tensors[*a].shape[0] as f64;
            r + if magnitude.is_some() { out } else { 0.0 }
        }
    }
}

/// The widest moment of a block's backward pass, beyond what is saved.
fn working(
    config: &ModelConfig,
    layout: &Layout,
    layer: usize,
    adapter: Option<&AdapterWeights<f32>>,
    shape: &TrainingShape,
) -> f64 {
    let block = &layout.blocks[layer];
    let (h, q, kv) = (config.hidden_size as f64, config.q_size() as f64, config.kv_size() as f64);
    let inner = inner(config, block);
    let is_plain = matches!(block.mlp, MlpLayout::Plain { .. });
    let activation = if is_plain { inner } else { inner / 2.0 };
    let joined = if matches!(block.mlp, MlpLayout::GatedJoined { .. }) { inner - 2.0 * activation } else { 0.0 };
    let extra = |ids: &mut dyn Iterator<Item = ModuleId>| {
        ids.map(|id| temporary(layout, id, adapter, shape) * share(config, layout, id)).fold(0.0, f64::max)
    };
    let o = block.attention.o;
    // dy, h, dh, and the activation with its gradient.
    let feed_forward = 3.0 * h + 2.0 * activation + joined + extra(&mut block.modules.clone().filter(|&id| id > o));
    // Gradients by query head, and d_o and o once more by head, less what the other half has freed.
    let fused = if matches!(block.attention.qkv, QkvLayout::Separate(_)) { 0.0 } else { q + 2.0 * kv };
    let by_head = 2.0 * h + 6.0 * q + 2.0 * kv;
    let by_row = 3.0 * h + q + 2.0 * kv + fused + extra(&mut block.modules.clone().filter(|&id| id <= o));
    feed_forward.max(by_head.max(by_row) - inner - experts(config, block))
}

/// What a module's backward pass needs beside `dy` and `dx`.
fn temporary(layout: &Layout, id: ModuleId, adapter: Option<&AdapterWeights<f32>>, shape: &TrainingShape) -> f64 {
    let module = &layout.modules[id];
    let (out, input) = (module.out_size as f64, module.in_size as f64);
    let Some(slot) = adapter.and_then(|adapter| adapter.slots[id].as_ref()) else { return 0.0 };
    let dropped = if shape.adapter.is_some_and(|config| config.dropout > 0.0) { input } else { 0.0 };
    match slot {
        SlotLayout::Scale { on_input: true, .. } => 2.0 * input,
        SlotLayout::Scale { .. } => out,
        SlotLayout::LowRank { magnitude: Some(_), .. } => 2.0 * out + dropped,
        SlotLayout::LowRank { .. } => dropped,
    }
}

/// Values of PiSSA's initial pairs, which are kept beside the trained ones.
pub(super) fn initial_values(adapter: &AdapterWeights<f32>, layout: &Layout, config: Option<&AdapterConfig>) -> u64 {
    if config.is_none_or(|config| config.init != LoraInit::Pissa) {
        return 0;
    }
    let pair = |(module, slot): (&crate::layout::Module, &Option<SlotLayout<f32>>)| match slot {
        Some(SlotLayout::LowRank { a, .. }) => adapter.tensors[*a].shape[0] * (module.in_size + module.out_size),
        _ => 0,
    };
    layout.modules.iter().zip(&adapter.slots).map(pair).sum::<usize>() as u64
}
