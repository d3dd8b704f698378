//! How far one model's predictions are from another's, over the same tokens.

/// Differences between logits, added up position by position.
#[derive(Debug, Clone, PartialEq)]
pub struct Fidelity {
    vocab_size: usize,
    /// Positions compared.
    pub n_positions: u64,
    /// Largest `|Δlogit|`.
    pub max_difference: f64,
    /// Largest `|logit|` of the reference: the scale of the difference.
    pub max_logit: f64,
    kl_sum: f64,
    n_agreements: u64,
}

impl Fidelity {
    /// Nothing compared yet.
    pub fn new(vocab_size: usize) -> Fidelity {
        Fidelity { vocab_size, n_positions: 0, max_difference: 0.0, max_logit: 0.0, kl_sum: 0.0, n_agreements: 0 }
    }

    /// Compare logits `[positions, vocab_size]` of the same tokens. Numbers that are not finite make
    /// every measure infinite.
    pub fn add(&mut self, reference: &[f32], found: &[f32]) {
        let rows = reference.chunks(self.vocab_size).zip(found.chunks(self.vocab_size));
        for (reference, found) in rows {
            self.n_positions += 1;
            let difference = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).abs();
            let worst = reference.iter().zip(found).map(difference).fold(0.0, largest);
            self.max_difference = largest(self.max_difference, worst);
            let logit = reference.iter().map(|x| f64::from(x.abs())).fold(0.0, largest);
            self.max_logit = largest(self.max_logit, logit);
            self.kl_sum += divergence(reference, found);
            self.n_agreements += u64::from(argmax(reference) == argmax(found));
        }
    }

    /// Mean Kullback-Leibler divergence of the found distribution from the reference, in nats.
    pub fn mean_kl(&self) -> f64 {
        if self.n_positions == 0 { f64::INFINITY } else { (self.kl_sum / self.n_positions as f64).max(0.0) }
    }

    /// Share of positions with the same most likely token.
    pub fn top1_agreement(&self) -> f64 {
        if self.n_positions == 0 { 0.0 } else { self.n_agreements as f64 / self.n_positions as f64 }
    }
}

/// As `max`, but a number that is not one wins.
fn largest(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::INFINITY } else { a.max(b) }
}

/// `sum p (log p - log q)` for softmax distributions.
fn divergence(reference: &[f32], found: &[f32]) -> f64 {
    let (p, q) = (log_sum_exp(reference), log_sum_exp(found));
    let term = |(a, b): (&f32, &f32)| {
        let log_p = f64::from(*a) - p;
        log_p.exp() * (log_p - (f64::from(*b) - q))
    };
    let sum: f64 = reference.iter().zip(found).map(term).sum();
    if sum.is_nan() { f64::INFINITY } else { sum }
}

fn log_sum_exp(row: &[f32]) -> f64 {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let max = f64::from(max);
    max + row.iter().map(|x| (f64::from(*x) - max).exp()).sum::<f64>().ln()
}

fn argmax(row: &[f32]) -> usize {
    let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
    best.map_or(0, |(index, _)| index)
}

#[cfg(test)]
mod tests;
