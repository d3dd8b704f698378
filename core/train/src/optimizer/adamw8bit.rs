//! AdamW with both moments in 8 bits, quantized block by block on a dynamic map (Dettmers et al.,
//! 2022), as bitsandbytes' `AdamW8bit`: a quarter of AdamW's memory.
//!
//! ```text
//! m = map[code] · absmax of its block of 256      (signed map for m, unsigned for v)
//! AdamW's update in f32, then: absmax' = max |m| of the block, code' = nearest map entry to m / absmax'
//! ```
//!
//! Tensors of fewer than 4096 values keep 32-bit moments, as there.

use std::sync::OnceLock;

use luthier_model::math;
use rayon::prelude::*;

use super::{Optimizer, StateData, StateTensor, TensorUpdate, expect_pieces, restore_f32, restore_u8};
use crate::adamw::{AdamW, AdamWConfig};

/// Values that share one scale (bitsandbytes' optimizers).
const BLOCK: usize = 256;
/// Tensors below keep 32-bit moments (bitsandbytes' `min_8bit_size`).
const MIN_QUANTIZED: usize = 4096;

/// One moment of one tensor: codes and a scale per block.
#[derive(Debug, Clone, PartialEq)]
struct Quantized {
    codes: Vec<u8>,
    absmax: Vec<f32>,
}

impl Quantized {
    fn zeros(n: usize) -> Self {
        Quantized { codes: vec![0; n], absmax: vec![0.0; n.div_ceil(BLOCK)] }
    }
}

/// Both moments of one tensor.
#[derive(Debug, Clone, PartialEq)]
struct Pair {
    first: Quantized,
    second: Quantized,
}

/// The optimizer and its state.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamW8bit {
    config: AdamWConfig,
    /// Large tensors; `None` for those that `small` serves.
    large: Vec<Option<Pair>>,
    /// 32-bit moments of small tensors; empty for large ones.
    small: AdamW,
}

impl AdamW8bit {
    /// An optimizer that has seen nothing, for tensors of these lengths.
    pub fn new(config: AdamWConfig, lengths: impl IntoIterator<Item = usize>) -> Self {
        let lengths: Vec<usize> = lengths.into_iter().collect();
        let pair = |n: &usize| {
            (*n >= MIN_QUANTIZED).then(|| Pair { first: Quantized::zeros(*n), second: Quantized::zeros(*n) })
        };
        let small = lengths.iter().map(|&n| if n < MIN_QUANTIZED { n } else { 0 });
        AdamW8bit { config, large: lengths.iter().map(pair).collect(), small: AdamW::new(config, small) }
    }
}

/// Scalars of one update.
#[derive(Clone, Copy)]
struct Scalars {
    decay: f32,
    beta1: f32,
    beta2: f32,
    complement1: f32,
    complement2: f32,
    step_size: f32,
    correction2: f32,
    epsilon: f32,
    gradient_scale: f32,
}

impl Optimizer for AdamW8bit {
    fn step(&self) -> u64 {
        self.small.step
    }

    fn begin_step(&mut self) {
        self.small.begin_step();
    }

    fn update(&mut self, update: TensorUpdate<'_>) {
        let Some(pair) = &mut self.large[update.index] else {
            return Optimizer::update(&mut self.small, update);
        };
        let TensorUpdate { values, gradient, gradient_scale, learning_rate, decays, .. } = update;
        let (beta1, beta2) = self.config.betas;
        let t = self.small.step as f64;
        let weight_decay = if decays { self.config.weight_decay } else { 0.0 };
        let scalars = Scalars {
            decay: (1.0 - learning_rate * weight_decay) as f32,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            complement1: (1.0 - beta1) as f32,
            complement2: (1.0 - beta2) as f32,
            step_size: (learning_rate / (1.0 - math::pow(beta1, t))) as f32,
            correction2: (1.0 - math::pow(beta2, t)).sqrt() as f32,
            epsilon: self.config.epsilon as f32,
            gradient_scale,
        };
        values
            .par_chunks_mut(BLOCK)
            .zip(gradient.par_chunks(BLOCK))
            .zip(pair.first.codes.par_chunks_mut(BLOCK))
            .zip(pair.second.codes.par_chunks_mut(BLOCK))
            .zip(&mut pair.first.absmax)
            .zip(&mut pair.second.absmax)
            .for_each(|(((((values, gradient), first), second), absmax1), absmax2)| {
                block(values, gradient, (first, absmax1), (second, absmax2), scalars);
            });
    }

    fn state(&self) -> Vec<StateTensor<'_>> {
        let mut state = Vec::new();
        for (index, pair) in self.large.iter().enumerate() {
            let Some(Pair { first, second }) = pair else {
                let moments = &self.small.moments[index];
                state.push(StateTensor::f32("first_moment", index, &moments.first));
                state.push(StateTensor::f32("second_moment", index, &moments.second));
                continue;
            };
            state.push(StateTensor::u8("first_moment_codes", index, &first.codes));
            state.push(StateTensor::f32("first_moment_absmax", index, &first.absmax));
            state.push(StateTensor::u8("second_moment_codes", index, &second.codes));
            state.push(StateTensor::f32("second_moment_absmax", index, &second.absmax));
        }
        state
    }

    fn restore(&mut self, step: u64, data: Vec<StateData<'static>>) -> Result<(), String> {
        expect_pieces(data.len(), self.state().len())?;
        let mut data = data.iter();
        let mut next = || data.next().ok_or_else(|| "a piece of optimizer state is missing".to_owned());
        for (pair, moments) in self.large.iter_mut().zip(&mut self.small.moments) {
            match pair {
                None => {
                    restore_f32(&mut moments.first, next()?)?;
                    restore_f32(&mut moments.second, next()?)?;
                }
                Some(Pair { first, second }) => {
                    for quantized in [first, second] {
                        restore_u8(&mut quantized.codes, next()?)?;
                        restore_f32(&mut quantized.absmax, next()?)?;
                    }
                }
            }
        }
        self.small.step = step;
        Ok(())
    }
}

/// One block: dequantize, update, quantize.
fn block(
    values: &mut [f32],
    gradient: &[f32],
    (first, absmax1): (&mut [u8], &mut f32),
    (second, absmax2): (&mut [u8], &mut f32),
    s: Scalars,
) {
    let (signed, unsigned) = (signed_map(), unsigned_map());
    let (mut m, mut v) = ([0.0f32; BLOCK], [0.0f32; BLOCK]);
    for (i, (w, &g)) in values.iter_mut().zip(gradient).enumerate() {
        let g = g * s.gradient_scale;
        // One rounding fewer, as in torch: a value beside the midpoint of two codes falls on the same side.
        m[i] = g.mul_add(s.complement1, signed[usize::from(first[i])] * *absmax1 * s.beta1);
        v[i] = (g * s.complement2).mul_add(g, unsigned[usize::from(second[i])] * *absmax2 * s.beta2);
        let denominator = v[i].sqrt() / s.correction2 + s.epsilon;
        *w = *w * s.decay - s.step_size * (m[i] / denominator);
    }
    *absmax1 = quantize(&m[..values.len()], signed, first);
    *absmax2 = quantize(&v[..values.len()], unsigned, second);
}

/// Nearest codes of `values`, scaled by their largest magnitude, which is returned.
fn quantize(values: &[f32], map: &[f32; 256], codes: &mut [u8]) -> f32 {
    let absmax = values.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    // A block of zeros has no scale; its codes are those of zero.
    let inverse = if absmax > 0.0 { 1.0 / absmax } else { 0.0 };
    for (code, value) in codes.iter_mut().zip(values) {
        *code = nearest(map, (value * inverse).clamp(-1.0, 1.0));
    }
    absmax
}

/// Index of the entry nearest to `x`; the lower of two that are equally near.
fn nearest(map: &[f32; 256], x: f32) -> u8 {
    let above = map.partition_point(|&entry| entry < x);
    let index = match above {
        0 => 0,
        256 => 255,
        // The midpoint in f32, as bitsandbytes computes its bounds.
        _ if x > (map[above - 1] + map[above]) / 2.0 => above,
        _ => above - 1,
    };
    index as u8
}

/// Entries from −1 to 1 for first moments.
pub fn signed_map() -> &'static [f32; 256] {
    static MAP: OnceLock<[f32; 256]> = OnceLock::new();
    MAP.get_or_init(|| dynamic_map(true))
}

/// Entries from 0 to 1 for second moments.
pub fn unsigned_map() -> &'static [f32; 256] {
    static MAP: OnceLock<[f32; 256]> = OnceLock::new();
    MAP.get_or_init(|| dynamic_map(false))
}

/// The dynamic map of 8 bits: for each of seven powers of ten a growing number of evenly spaced
/// fractions, the midpoints of equal parts of 0.1 to 1; with 0 and 1 these are 256 entries.
fn dynamic_map(signed: bool) -> [f32; 256] {
    const EXPONENTS: i32 = 7;
    let mut entries = vec![0.0f32, 1.0];
    for i in 0..EXPONENTS {
        let n_parts = if signed { 1usize << i } else { 1usize << (i + 1) };
        let scale = 10f64.powi(i - EXPONENTS + 1) as f32;
        // As torch.linspace(0.1, 1, n_parts + 1) in f32: from both ends, with one rounding each.
        let (first, last) = (0.1f32, 1.0f32);
        let step = (last - first) / n_parts as f32;
        let boundary = |k: usize| match k < n_parts.div_ceil(2) {
            true => step.mul_add(k as f32, first),
            false => (-step).mul_add((n_parts - k) as f32, last),
        };
        for k in 0..n_parts {
            let mean = (boundary(k) + boundary(k + 1)) / 2.0;
            entries.push(scale * mean);
            if signed {
                entries.push(-scale * mean);
            }
        }
    }
    entries.sort_by(f32::total_cmp);
    let mut map = [0.0; 256];
    map.copy_from_slice(&entries);
    map
}
