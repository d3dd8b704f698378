//! One normalization of an architecture's kind, with what all kinds share: forward, recomputation of
//! the output from saved row statistics, backward.

use super::{layer_norm, rms_norm};
use crate::NormKind;
use crate::profile::span;
use crate::real::Real;
use std::borrow::Cow;

/// Weights of one normalization over the last dimension.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Norm<'a, T> {
    pub(crate) kind: NormKind,
    /// `[h]`.
    pub(crate) weight: &'a [T],
    /// `[h]`, of a LayerNorm.
    pub(crate) bias: &'a [T],
    pub(crate) eps: T,
}

/// Statistics of the rows.
#[derive(Debug)]
pub(crate) struct NormSaved<T> {
    /// Empty for RMSNorm.
    means: Vec<T>,
    rstds: Vec<T>,
}

/// Where the gradients of a normalization are added.
#[derive(Debug)]
pub(crate) struct NormGradient<'a, T> {
    pub(crate) weight: Option<&'a mut [T]>,
    pub(crate) bias: Option<&'a mut [T]>,
}

impl<T> Default for NormGradient<'_, T> {
    /// Everything frozen.
    fn default() -> Self {
        NormGradient { weight: None, bias: None }
    }
}

impl<T: Real> Norm<'_, T> {
    /// What multiplies the normalized input: Gemma stores the distance from one.
    fn factors(&self) -> Cow<'_, [T]> {
        match self.kind {
            NormKind::RmsPlusOne => self.weight.iter().map(|&w| T::ONE + w).collect(),
            NormKind::Rms | NormKind::Layer => Cow::Borrowed(self.weight),
        }
    }

    /// `y` of `x`, both `[n, h]`.
    pub(crate) fn forward(&self, x: &[T]) -> (Vec<T>, NormSaved<T>) {
        let _span = span("normalization, forward", || 0.0);
        if self.kind == NormKind::Layer {
            let (y, means, rstds) = layer_norm::forward(x, self.weight, self.bias, self.eps);
            return (y, NormSaved { means, rstds });
        }
        let (y, rstds) = rms_norm::forward(x, &self.factors(), self.eps);
        (y, NormSaved { means: Vec::new(), rstds })
    }

    /// `y` again.
    pub(crate) fn output(&self, x: &[T], saved: &NormSaved<T>) -> Vec<T> {
        let _span = span("normalization, again", || 0.0);
        match self.kind {
            NormKind::Layer => layer_norm::scale(x, self.weight, self.bias, &saved.means, &saved.rstds),
            _ => rms_norm::scale(x, &self.factors(), &saved.rstds),
        }
    }

    /// `dx += d(loss)/dx`, and the gradients that are asked for.
    pub(crate) fn backward(&self, dy: &[T], x: &[T], saved: &NormSaved<T>, dx: &mut [T], gradient: NormGradient<T>) {
        let _span = span("normalization, backward", || 0.0);
        let NormGradient { weight, bias } = gradient;
        match self.kind {
            NormKind::Layer => {
                let gradient = layer_norm::Gradient { weight, bias };
                layer_norm::backward(dy, x, self.weight, &saved.means, &saved.rstds, dx, gradient);
            }
            // The derivative by `w` and by `1 + w` is the same.
            _ => rms_norm::backward(dy, x, &self.factors(), &saved.rstds, dx, weight),
        }
    }
}
