//! Rotary position embedding: base frequency, rotated dimensions, context extension.

mod read;

use crate::math;

pub(super) use read::Given;

/// How frequencies are stretched beyond the context of pre-training.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// Frequencies as they are.
    None,
    /// All frequencies divided by `factor`.
    Linear {
        /// Context extension.
        factor: f64,
    },
    /// Dynamic NTK: sequences beyond the original context have a larger base, the larger the longer they
    /// are, so that the lowest frequency shrinks by their share of the context and the highest stays.
    Dynamic {
        /// Growth of the base with the length.
        factor: f64,
        /// Context length of pre-training (`max_position_embeddings`).
        original_max_position_embeddings: f64,
    },
    /// Llama 3.1: long wavelengths divided by `factor`, short ones kept, a smooth ramp between.
    Llama3 {
        /// Context extension.
        factor: f64,
        /// Wavelengths above `original / low_freq_factor` are divided.
        low_freq_factor: f64,
        /// Wavelengths below `original / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// Context length of pre-training.
        original_max_position_embeddings: f64,
    },
    /// YaRN (arXiv 2309.00071): a ramp over the dimensions between kept and divided frequencies.
    Yarn {
        /// Context extension.
        factor: f64,
        /// Rotations over the original context above which a frequency is kept.
        beta_fast: f64,
        /// Rotations over the original context below which a frequency is divided.
        beta_slow: f64,
        /// Whether the ramp begins and ends at whole dimensions.
        truncate: bool,
        /// Context length of pre-training.
        original_max_position_embeddings: f64,
        /// What cosines and sines are multiplied by.
        attention_factor: f64,
    },
    /// LongRoPE (arXiv 2402.13753): each frequency divided by a factor of its own, of two lists of which
    /// the sequence's length chooses one.
    LongRope {
        /// Factors of sequences up to the original context.
        short_factor: Vec<f64>,
        /// Factors of longer sequences.
        long_factor: Vec<f64>,
        /// Context length of pre-training.
        original_max_position_embeddings: f64,
        /// What cosines and sines are multiplied by.
        attention_factor: f64,
    },
}

/// Rotary position embedding of the two halves of a head's first `dim` dimensions (the field's
/// `rotate_half` layout).
#[derive(Debug, Clone, PartialEq)]
pub struct RopeConfig {
    /// Base of the geometric series of frequencies.
    pub theta: f64,
    /// Dimensions of a head that are rotated.
    pub dim: usize,
    /// Context extension.
    pub scaling: RopeScaling,
}

impl RopeConfig {
    /// Angular frequency per position of each pair of a head, `[dim / 2]`, of sequences within the
    /// original context.
    pub fn inverse_frequencies(&self) -> Vec<f64> {
        self.inverse_frequencies_at(0)
    }

    /// The same for a sequence of `length` tokens.
    pub fn inverse_frequencies_at(&self, length: usize) -> Vec<f64> {
        let theta = self.base_at(length);
        let plain = |i: usize| math::pow(theta, -((2 * i) as f64) / self.dim as f64);
        (0..self.dim / 2).map(|i| self.scaled(i, plain(i), length)).collect()
    }

    /// What cosines and sines are multiplied by.
    pub fn attention_factor(&self) -> f64 {
        match &self.scaling {
            RopeScaling::Yarn { attention_factor, .. } | RopeScaling::LongRope { attention_factor, .. } => {
                *attention_factor
            }
            RopeScaling::None
            | RopeScaling::Linear { .. }
            | RopeScaling::Dynamic { .. }
            | RopeScaling::Llama3 { .. } => 1.0,
        }
    }

    /// Which frequencies a sequence of `length` tokens has: equal numbers, equal frequencies. Zero stands for
    /// those within the original context.
    pub fn variant(&self, length: usize) -> usize {
        match &self.scaling {
            RopeScaling::LongRope { original_max_position_embeddings, .. } => {
                usize::from(length as f64 > *original_max_position_embeddings)
            }
            RopeScaling::Dynamic { original_max_position_embeddings, .. } => match length {
                length if length as f64 > *original_max_position_embeddings => length,
                _ => 0,
            },
            _ => 0,
        }
    }

    /// The base of the frequencies of a sequence of `length` tokens.
    fn base_at(&self, length: usize) -> f64 {
        match &self.scaling {
            RopeScaling::Dynamic { factor, original_max_position_embeddings } if self.dim > 2 => {
                let share = (length as f64).max(*original_max_position_embeddings) / original_max_position_embeddings;
                let dim = self.dim as f64;
                self.theta * math::pow(factor * share - (factor - 1.0), dim / (dim - 2.0))
            }
            _ => self.theta,
        }
    }

    /// Frequency `i` after context extension.
    fn scaled(&self, i: usize, frequency: f64, length: usize) -> f64 {
        match &self.scaling {
            RopeScaling::None | RopeScaling::Dynamic { .. } => frequency,
            RopeScaling::Linear { factor } => frequency / factor,
            RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_position_embeddings: original,
            } => {
                let wavelength = std::f64::consts::TAU / frequency;
                if wavelength > original / low_freq_factor {
                    frequency / factor
                } else if wavelength < original / high_freq_factor {
                    frequency
                } else {
                    let smooth = (original / wavelength - low_freq_factor) / (high_freq_factor - low_freq_factor);
                    (1.0 - smooth) * frequency / factor + smooth * frequency
                }
            }
            RopeScaling::Yarn { factor, beta_fast, beta_slow, truncate, original_max_position_embeddings, .. } => {
                // The dimension whose wavelength fits `rotations` times into the original context.
                let dimension = |rotations: f64| {
                    let turns = original_max_position_embeddings / (rotations * std::f64::consts::TAU);
                    self.dim as f64 * math::ln(turns) / (2.0 * math::ln(self.theta))
                };
                let (mut low, mut high) = (dimension(*beta_fast), dimension(*beta_slow));
                if *truncate {
                    (low, high) = (low.floor(), high.ceil());
                }
                low = low.max(0.0);
                high = high.min(self.dim as f64 - 1.0);
                // The reference's way around a ramp of no length.
                let width = if low == high { 0.001 } else { high - low };
                let divided = ((i as f64 - low) / width).clamp(0.0, 1.0);
                frequency / factor * divided + frequency * (1.0 - divided)
            }
            RopeScaling::LongRope { short_factor, long_factor, .. } => {
                frequency / if self.variant(length) > 0 { long_factor[i] } else { short_factor[i] }
            }
        }
    }
}
