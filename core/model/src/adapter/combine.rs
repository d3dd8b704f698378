//! Weighted combinations of low-rank adapters, as PEFT's `add_weighted_adapter` makes them.

use super::config::{AdapterConfig, AdapterKind, Bias, invalid};
use super::{Adapter, AdapterWeights, SlotLayout};
use crate::weights::NamedTensor;
use crate::{Model, Result};
use std::sync::Arc;

/// How adapters are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combination {
    /// `A = sum ±sqrt(|w s|) A_i`, `B = sum sqrt(|w s|) B_i`: cheap, of equal ranks, and only near the
    /// sum of the updates, for it has cross terms.
    Linear,
    /// `A = [w_1 s_1 A_1; w_2 s_2 A_2; …]`, `B = [B_1, B_2, …]`: exactly the weighted sum of the updates;
    /// the ranks add up.
    Cat,
}

impl Adapter {
    /// The weighted combination of `parts` on `model`. Its scaling is 1; PiSSA adapters take part in
    /// their converted form.
    ///
    /// Errors: fewer than one part, parts that are not plain low-rank adapters (DoRA, IA3, trained
    /// copies or biases), different ranks in a linear combination, a weight that is not finite.
    pub fn combine(model: &Model, parts: &[(&Adapter, f64)], how: Combination) -> Result<Adapter> {
        let parts: Vec<(Adapter, f64)> = parts.iter().map(|(adapter, w)| (adapter.converted(), *w)).collect();
        let Some((first, _)) = parts.first() else {
            return invalid("parts of a combination", "at least one adapter", "none");
        };
        for (adapter, weight) in &parts {
            check(adapter.config(), *weight)?;
            let ends = adapter.weights.ends;
            if ends.embedding.or(ends.head).is_some() {
                return invalid("part of a combination", "LoRA on modules of the blocks", "one on embedding or head");
            }
        }
        let how = if parts.len() == 1 { Combination::Linear } else { how };
        let ranks: Vec<usize> = parts.iter().map(|(adapter, _)| largest_rank(adapter.config())).collect();
        let r = match how {
            Combination::Cat => ranks.iter().sum(),
            Combination::Linear if ranks.iter().all(|r| *r == ranks[0]) => ranks[0],
            Combination::Linear => return invalid("r", "equal in a linear combination", format!("{ranks:?}")),
        };
        let modules = &model.weights().layout.modules;
        let mut weights = AdapterWeights {
            tensors: Vec::new(),
            slots: vec![None; modules.len()],
            ends: super::EndSlots::default(),
            replaced: vec![None; model.weights().tensors.len()],
            tied_head: None,
            dropout: 0.0,
        };
        for (id, module) in modules.iter().enumerate() {
            let pairs: Vec<Pair> = parts.iter().filter_map(|(adapter, w)| pair(adapter, id, *w)).collect();
            if pairs.is_empty() {
                continue;
            }
            let (a, b) = match how {
                Combination::Cat => concatenate(&pairs, r, [module.out_size, module.in_size]),
                Combination::Linear => add(&pairs, r, [module.out_size, module.in_size])?,
            };
            let mut push = |name: &str, shape: Vec<usize>, values: Vec<f32>| {
                let name = format!("base_model.model.{}.{name}.weight", module.path);
                weights.tensors.push(NamedTensor { name, shape, values: values.into() });
                weights.tensors.len() - 1
            };
            let a = push("lora_A", vec![r, module.in_size], a);
            let b = push("lora_B", vec![module.out_size, r], b);
            weights.slots[id] = Some(SlotLayout::LowRank { a, b, magnitude: None, scaling: 1.0, initial: None });
        }
        let config = combined_config(first.config(), r, &weights, model);
        Ok(Adapter { config, fan_in_fan_out: first.fan_in_fan_out, weights: Arc::new(weights) })
    }
}

/// The first part's settings on all modules that any part adapts.
fn combined_config(first: &AdapterConfig, r: usize, weights: &AdapterWeights<f32>, model: &Model) -> AdapterConfig {
    let layout = &model.weights().layout;
    let is_adapted = |id: usize| weights.slots[id].is_some();
    let adapted =
        |name: &&str| (0..layout.modules.len()).any(|id| is_adapted(id) && layout.modules[id].name() == *name);
    let whole =
        |name: &&str| layout.modules.iter().enumerate().all(|(id, module)| module.name() != *name || is_adapted(id));
    let names: Vec<&str> = layout.module_names().into_iter().filter(adapted).collect();
    let target_modules = if names.iter().all(whole) {
        names.into_iter().map(str::to_owned).collect()
    } else {
        (0..layout.modules.len()).filter(|&id| is_adapted(id)).map(|id| layout.modules[id].path.clone()).collect()
    };
    AdapterConfig {
        r,
        alpha: r as f64,
        dropout: 0.0,
        use_rslora: false,
        target_modules,
        target_regex: None,
        exclude_modules: Vec::new(),
        layers: Vec::new(),
        layers_pattern: Vec::new(),
        rank_pattern: Vec::new(),
        alpha_pattern: Vec::new(),
        ..first.clone()
    }
}

fn check(config: &AdapterConfig, weight: f64) -> Result<()> {
    if !weight.is_finite() {
        return invalid("weight of a part", "a finite number", weight);
    }
    let refuse = |what: &str| invalid("part of a combination", "LoRA, rsLoRA or PiSSA alone", what);
    match config {
        AdapterConfig { kind: AdapterKind::Ia3, .. } => refuse("IA3"),
        AdapterConfig { use_dora: true, .. } => refuse("DoRA"),
        AdapterConfig { modules_to_save, .. } if !modules_to_save.is_empty() => {
            refuse(&format!("an adapter with modules_to_save = {}", modules_to_save.join(", ")))
        }
        AdapterConfig { bias: Bias::All | Bias::LoraOnly, .. } => refuse("an adapter with trained biases"),
        _ => Ok(()),
    }
}

fn largest_rank(config: &AdapterConfig) -> usize {
    config.rank_pattern.iter().map(|(_, r)| *r).fold(config.r, usize::max)
}

/// One part on one module.
struct Pair<'a> {
    r: usize,
    a: &'a [f32],
    b: &'a [f32],
    /// Weight times scaling.
    factor: f64,
}

fn pair(adapter: &Adapter, id: usize, weight: f64) -> Option<Pair<'_>> {
    match &adapter.weights.slots[id] {
        Some(SlotLayout::LowRank { a, b, scaling, .. }) => Some(Pair {
            r: adapter.weights.tensors[*a].shape[0],
            a: adapter.weights.values(*a),
            b: adapter.weights.values(*b),
            factor: weight * scaling,
        }),
        _ => None,
    }
}

/// Rows of A and columns of B one after the other; the rest up to `r` is zero.
fn concatenate(pairs: &[Pair], r: usize, [rows, cols]: [usize; 2]) -> (Vec<f32>, Vec<f32>) {
    let mut a: Vec<f32> = pairs.iter().flat_map(|pair| pair.a.iter().map(|x| x * pair.factor as f32)).collect();
    a.resize(r * cols, 0.0);
    let mut b = vec![0.0; rows * r];
    let mut first = 0;
    for pair in pairs {
        for (to, from) in b.chunks_mut(r).zip(pair.b.chunks(pair.r)) {
            to[first..first + pair.r].copy_from_slice(from);
        }
        first += pair.r;
    }
    (a, b)
}

/// Sums of the matrices, each weighted with the root of its factor; the sign goes to A.
fn add(pairs: &[Pair], r: usize, [rows, cols]: [usize; 2]) -> Result<(Vec<f32>, Vec<f32>)> {
    let (mut a, mut b) = (vec![0.0; r * cols], vec![0.0; rows * r]);
    for pair in pairs {
        if pair.r != r {
            return invalid("r", "equal on every module in a linear combination", pair.r);
        }
        let root = pair.factor.abs().sqrt() as f32;
        let signed = if pair.factor < 0.0 { -root } else { root };
        a.iter_mut().zip(pair.a).for_each(|(sum, x)| *sum += signed * x);
        b.iter_mut().zip(pair.b).for_each(|(sum, x)| *sum += root * x);
    }
    Ok((a, b))
}
