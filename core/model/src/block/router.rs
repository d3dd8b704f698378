//! Which experts see a token: `p = softmax(h R^T)` over the experts, the `k` largest of `p` as weights,
//! scaled to sum to one if the model says so. h `[n, hidden]`, R `[experts, hidden]`.

use crate::MoeConfig;
use crate::real::Real;

/// The experts of one token, the likeliest first.
#[derive(Debug, Clone)]
pub(crate) struct Choice<T> {
    /// `(expert, weight)`.
    pub(crate) experts: Vec<(usize, T)>,
    /// All experts' probabilities.
    pub(super) probabilities: Vec<T>,
}

/// The choice for one token from its router logits `[experts]`.
pub(crate) fn route<T: Real>(mut logits: Vec<T>, moe: &MoeConfig) -> Choice<T> {
    let max = T::max(&logits);
    let sum = T::exp_shift_sum(&mut logits, max);
    let inverse = T::ONE / sum;
    logits.iter_mut().for_each(|p| *p *= inverse);
    let mut order: Vec<usize> = (0..logits.len()).collect();
    // Of equal ones the first; NaN anywhere, as everything after it is NaN as well.
    order.sort_by(|&a, &b| logits[b].partial_cmp(&logits[a]).unwrap_or(std::cmp::Ordering::Equal));
    order.truncate(moe.n_experts_per_token);
    let mut total = T::ZERO;
    order.iter().for_each(|&e| total += logits[e]);
    let scale = if moe.norm_topk_prob { T::ONE / total } else { T::ONE };
    let experts = order.into_iter().map(|e| (e, logits[e] * scale)).collect();
    Choice { experts, probabilities: logits }
}

impl<T: Real> Choice<T> {
    /// Gradients of the router logits from those of the weights, in the order of `experts`.
    pub(super) fn backward(&self, d_weights: &[T], moe: &MoeConfig) -> Vec<T> {
        let p = &self.probabilities;
        let mut dp = vec![T::ZERO; p.len()];
        let chosen = || self.experts.iter().zip(d_weights);
        if moe.norm_topk_prob {
            // w = p / s with s = sum of the chosen p: dp = (dw - sum(dw w)) / s.
            let (mut total, mut along) = (T::ZERO, T::ZERO);
            chosen().for_each(|(&(e, w), &dw)| {
                total += p[e];
                along += dw * w;
            });
            chosen().for_each(|(&(e, _), &dw)| dp[e] = (dw - along) / total);
        } else {
            chosen().for_each(|(&(e, _), &dw)| dp[e] = dw);
        }
        let along = T::dot(&dp, p);
        dp.iter().zip(p).map(|(&dp, &p)| p * (dp - along)).collect()
    }
}
