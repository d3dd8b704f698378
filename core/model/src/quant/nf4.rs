//! NF4: four bits per value, one scale per block of 64, the scales themselves in eight bits.
//!
//! ```text
//! value = CODES[q] * absmax[block]
//! absmax[block] = map[c] * nested_absmax[block / 256] + offset        (double quantization)
//! ```
//!
//! Bytes are identical to those of bitsandbytes 0.50 on a CPU (`quantize_4bit` in
//! backends/default/ops.py, the mean as torch adds it with one thread and 8 lanes). Two codes share a
//! byte, the first in the high half; the matrix is taken as one row-major run of values.

#[cfg(test)]
mod tests;

mod checkpoint;
mod torch_sum;

pub(crate) use checkpoint::{is_part, read};

use super::blockwise;
use crate::real::Real;
use crate::{Error, Result};

/// Values of the sixteen codes: quantiles of a normal distribution, scaled to `[-1, 1]`.
/// Source: T. Dettmers et al., "QLoRA", arXiv:2305.14314, appendix E.
pub(crate) const CODES: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// Values that share a scale.
pub(crate) const BLOCK_SIZE: usize = 64;

/// Scales that share a scale of their own.
const NESTED_BLOCK_SIZE: usize = 256;

/// The smallest magnitude that a block is divided by.
const LEAST_ABSMAX: f32 = 1e-38;

/// A quantized tensor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Nf4 {
    len: usize,
    packed: Vec<u8>,
    scales: Scales,
    block_size: usize,
    rounding: Rounding,
}

/// The scale of each block.
#[derive(Debug, Clone, PartialEq)]
enum Scales {
    Plain(Vec<f32>),
    Nested(Nested),
}

/// Scales in eight bits.
#[derive(Debug, Clone, PartialEq)]
struct Nested {
    codes: Vec<u8>,
    map: Vec<f32>,
    absmax: Vec<f32>,
    block_size: usize,
    offset: f32,
}

/// Type that a value is rounded to, which is that of the tensor before it was quantized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rounding {
    F32,
    F16,
    Bf16,
}

impl Nf4 {
    /// Quantizes `values`, with the scales in eight bits too if `double` is set. The values of a tensor
    /// called `name` must be finite.
    pub(crate) fn quantize(name: &str, values: &[f32], double: bool) -> Result<Nf4> {
        if let Some(position) = values.iter().position(|x| !x.is_finite()) {
            return Err(Error::NotFinite { tensor: name.to_owned(), position, value: values[position].to_string() });
        }
        let mut codes = Vec::with_capacity(values.len() + 1);
        let mut absmax = Vec::with_capacity(values.len().div_ceil(BLOCK_SIZE));
        for block in values.chunks(BLOCK_SIZE) {
            absmax.push(quantize_block(block, &mut codes));
        }
        if codes.len() % 2 == 1 {
            codes.push(nearest(0.0));
        }
        let packed = codes.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        let scales = if double { Scales::Nested(nest(&absmax)) } else { Scales::Plain(absmax) };
        Ok(Nf4 { len: values.len(), packed, scales, block_size: BLOCK_SIZE, rounding: Rounding::F32 })
    }

    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of codes and scales.
    pub(crate) fn n_bytes(&self) -> usize {
        self.packed.len()
            + match &self.scales {
                Scales::Plain(absmax) => 4 * absmax.len(),
                Scales::Nested(nested) => nested.codes.len() + 4 * (nested.absmax.len() + nested.map.len() + 1),
            }
    }

    /// No values at all.
    pub(crate) fn empty() -> Self {
        let (packed, scales) = (Vec::new(), Scales::Plain(Vec::new()));
        Nf4 { len: 0, packed, scales, block_size: BLOCK_SIZE, rounding: Rounding::F32 }
    }

    /// Bytes of `len` values with scales in eight bits.
    pub(crate) fn n_bytes_of(len: usize) -> usize {
        let n_blocks = len.div_ceil(BLOCK_SIZE);
        len.div_ceil(2) + n_blocks + 4 * (n_blocks.div_ceil(NESTED_BLOCK_SIZE) + 256 + 1)
    }

    /// The values from number `start` on, as many as `out` has room for.
    pub(crate) fn dequantize<T: Real>(&self, start: usize, out: &mut [T]) {
        let mut done = 0;
        while done < out.len() {
            let first = start + done;
            let block = first / self.block_size;
            let n = ((block + 1) * self.block_size - first).min(out.len() - done);
            let table = self.table::<T>(block);
            for (i, value) in (first..).zip(&mut out[done..done + n]) {
                let byte = self.packed[i / 2];
                let code = if i % 2 == 0 { byte >> 4 } else { byte & 15 };
                *value = table[usize::from(code)];
            }
            done += n;
        }
    }

    /// All values.
    pub(crate) fn to_vec<T: Real>(&self) -> Vec<T> {
        let mut values = vec![T::ZERO; self.len];
        self.dequantize(0, &mut values);
        values
    }

    /// What the sixteen codes stand for in a block.
    fn table<T: Real>(&self, block: usize) -> [T; 16] {
        let absmax = match &self.scales {
            Scales::Plain(absmax) => absmax[block],
            Scales::Nested(nested) => nested.scale(block),
        };
        CODES.map(|code| {
            let value = code * absmax;
            T::from_f64(f64::from(match self.rounding {
                Rounding::F32 => value,
                Rounding::F16 => half::f16::from_f32(value).to_f32(),
                Rounding::Bf16 => half::bf16::from_f32(value).to_f32(),
            }))
        })
    }
}

impl Nested {
    fn scale(&self, block: usize) -> f32 {
        self.map[usize::from(self.codes[block])] * self.absmax[block / self.block_size] + self.offset
    }
}

/// Appends the codes of a block; returns its scale. A block that is not full is divided by its scale,
/// a full one multiplied by the inverse: bitsandbytes does so, and the last bit differs.
fn quantize_block(block: &[f32], codes: &mut Vec<u8>) -> f32 {
    let absmax = block.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    if block.len() == BLOCK_SIZE {
        let inverse = 1.0 / absmax.max(LEAST_ABSMAX);
        codes.extend(block.iter().map(|x| nearest((x * inverse).clamp(-1.0, 1.0))));
        absmax
    } else {
        let absmax = absmax.max(LEAST_ABSMAX);
        codes.extend(block.iter().map(|x| nearest((x / absmax).clamp(-1.0, 1.0))));
        absmax
    }
}

/// The code nearest to `x`; halfway, the lower one.
fn nearest(x: f32) -> u8 {
    CODES.windows(2).take_while(|pair| (pair[0] + pair[1]) / 2.0 < x).count() as u8
}

fn nest(absmax: &[f32]) -> Nested {
    let offset = torch_sum::mean(absmax);
    let centered: Vec<f32> = absmax.iter().map(|x| x - offset).collect();
    let (codes, nested_absmax) = blockwise::quantize(&centered, NESTED_BLOCK_SIZE);
    let map = blockwise::dynamic_map().to_vec();
    Nested { codes, map, absmax: nested_absmax, block_size: NESTED_BLOCK_SIZE, offset }
}
