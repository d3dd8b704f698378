//! Counts of n-grams, their sums, and the score of sums.

use std::collections::BTreeMap;

use luthier_plugin::Error;

/// Longest n-gram.
const MAX_ORDER: usize = 4;

/// Names of smoothing methods, as in sacreBLEU (Chen and Cherry 2014).
pub(crate) const SMOOTHINGS: [&str; 4] = ["exp", "floor", "add-k", "none"];

/// What a precision of zero becomes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Smoothing {
    /// Halved with every order that has no match.
    Exp,
    /// This many matches.
    Floor(f64),
    /// So many are added to matches and n-grams of every order above the first.
    AddK(f64),
    /// It stays zero, and so is the score.
    None,
}

impl Smoothing {
    pub(crate) fn named(name: &str, value: f64) -> Self {
        match name {
            "floor" => Smoothing::Floor(value),
            "add-k" => Smoothing::AddK(value),
            "none" => Smoothing::None,
            _ => Smoothing::Exp,
        }
    }
}

/// What is summed over rows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Counts {
    length: f64,
    reference_length: f64,
    correct: [f64; MAX_ORDER],
    total: [f64; MAX_ORDER],
}

type NGrams<'a> = BTreeMap<&'a [String], usize>;

fn n_grams(tokens: &[String]) -> NGrams<'_> {
    let mut counts = NGrams::new();
    for order in 1..=MAX_ORDER {
        for n_gram in tokens.windows(order) {
            *counts.entry(n_gram).or_default() += 1;
        }
    }
    counts
}

impl Counts {
    /// Those of one prediction, clipped by the most that any one reference has.
    pub(crate) fn of(prediction: &[String], references: &[Vec<String>]) -> Self {
        let mut most = NGrams::new();
        for reference in references {
            for (n_gram, count) in n_grams(reference) {
                let most = most.entry(n_gram).or_default();
                *most = count.max(*most);
            }
        }
        let length = prediction.len();
        // The closest reference, the shorter of two equally close ones.
        let closest = references.iter().map(Vec::len).min_by_key(|other| (length.abs_diff(*other), *other));
        let mut counts =
            Counts { length: length as f64, reference_length: closest.unwrap_or_default() as f64, ..Counts::default() };
        for (n_gram, count) in n_grams(prediction) {
            let order = n_gram.len() - 1;
            counts.total[order] += count as f64;
            counts.correct[order] += count.min(most.get(n_gram).copied().unwrap_or(0)) as f64;
        }
        counts
    }

    pub(crate) fn to_columns(self) -> Vec<f64> {
        let lengths = [self.length, self.reference_length];
        lengths.into_iter().chain(self.correct).chain(self.total).collect()
    }

    pub(crate) fn from_columns(sums: &[f64]) -> Result<Self, Error> {
        let [length, reference_length, rest @ ..] = sums else {
            return Err(Error::Internal(format!("{} sums, expected 10", sums.len())));
        };
        let (Some(correct), Some(total)) = (rest.first_chunk(), rest.last_chunk()) else {
            return Err(Error::Internal(format!("{} sums, expected 10", sums.len())));
        };
        Ok(Counts { length: *length, reference_length: *reference_length, correct: *correct, total: *total })
    }

    /// BLEU of sums, from 0 to 100.
    pub(crate) fn bleu(mut self, smoothing: Smoothing, effective_order: bool) -> f64 {
        if self.correct.iter().all(|count| *count == 0.0) {
            return 0.0;
        }
        let mut logarithms = [ZERO_LOGARITHM; MAX_ORDER];
        let (mut order, mut halvings) = (MAX_ORDER, 1.0);
        for n in 0..MAX_ORDER {
            if let (Smoothing::AddK(k), 1..) = (smoothing, n) {
                self.correct[n] += k;
                self.total[n] += k;
            }
            if self.total[n] == 0.0 {
                break;
            }
            if effective_order {
                order = n + 1;
            }
            let precision = match smoothing {
                _ if self.correct[n] > 0.0 => 100.0 * self.correct[n] / self.total[n],
                Smoothing::Exp => {
                    halvings *= 2.0;
                    100.0 / (halvings * self.total[n])
                }
                Smoothing::Floor(value) => 100.0 * value / self.total[n],
                Smoothing::AddK(_) | Smoothing::None => 0.0,
            };
            if precision > 0.0 {
                logarithms[n] = precision.ln();
            }
        }
        let score = self.brevity_penalty() * (logarithms[..order].iter().sum::<f64>() / order as f64).exp();
        // Four equal precisions of 100 come to 100 and a rounding.
        score.min(100.0)
    }

    fn brevity_penalty(&self) -> f64 {
        match self.length {
            length if length >= self.reference_length => 1.0,
            0.0 => 0.0,
            length => (1.0 - self.reference_length / length).exp(),
        }
    }
}

/// What sacreBLEU takes for the logarithm of zero: the score comes out as zero.
const ZERO_LOGARITHM: f64 = -9_999_999_999.0;
