//! Micro-batches of preferences: which targets belong to which completion, and what the loss of a
//! step asks of each target.

use std::collections::BTreeMap;
use std::ops::Range;

use luthier_model::{IGNORE_INDEX, SequenceBatch};

use super::loss::{PairLogps, PairLoss, dpo, kl_estimate, kto, orpo};
use super::reference::Reference;
use super::{Objective, ObjectiveKind};
use crate::ExampleSource;

/// One sequence of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The example's index in the data.
    pub(crate) example: usize,
    /// Its targets within those of the batch.
    pub(crate) targets: Range<usize>,
    /// Which of them belong to the completion; `None`: all.
    pub(crate) completion: Option<Vec<bool>>,
}

impl Part {
    /// Log-probability and number of the completion's tokens.
    fn completion(&self, logps: &[f64]) -> (f64, usize) {
        let own = &logps[self.targets.clone()];
        match &self.completion {
            None => (own.iter().sum(), own.len()),
            Some(mask) => {
                let of_completion = own.iter().zip(mask).filter(|(_, is)| **is).map(|(logp, _)| *logp);
                (of_completion.sum(), mask.iter().filter(|is| **is).count())
            }
        }
    }

    /// Add `d` to the coefficient of every target of the completion.
    fn add_to_completion(&self, coefficients: &mut [f64], d: f64) {
        for (at, coefficient) in coefficients[self.targets.clone()].iter_mut().enumerate() {
            if self.completion.as_ref().is_none_or(|mask| mask[at]) {
                *coefficient += d;
            }
        }
    }
}

/// Sequences that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PreferenceBatch {
    pub(crate) batch: SequenceBatch,
    pub(crate) parts: Vec<Part>,
}

impl PreferenceBatch {
    /// The sequences of these units.
    pub(crate) fn new(source: &dyn ExampleSource, objective: &Objective, units: &[usize]) -> Self {
        let per_unit = objective.examples_per_unit();
        let examples = units.iter().flat_map(|unit| unit * per_unit..(unit + 1) * per_unit);
        let mut built = Building::default();
        for example in examples {
            let (ids, labels) = (source.example(example).input_ids, source.example(example).labels);
            // ORPO's likelihood term covers the chosen text from its beginning.
            if objective.kind == ObjectiveKind::Orpo && example % 2 == 0 {
                let mask = labels.iter().skip(1).map(|&label| label != IGNORE_INDEX).collect();
                let all = ids.iter().map(|&id| id as i32).collect();
                built.push(example, ids.to_vec(), all, Some(mask));
            } else {
                built.push(example, ids.to_vec(), labels.to_vec(), None);
            }
        }
        built.finish()
    }

    /// Each unit's prompt with its partner's completion: what KTO's KL estimate looks at.
    pub(crate) fn mismatched(source: &dyn ExampleSource, units: &[usize], partners: &Partners) -> Self {
        let mut built = Building::default();
        for &unit in units {
            let (own, other) = (source.example(unit), source.example(partners.of(unit)));
            let prompt = &own.input_ids[..completion_start(own.labels)];
            let from = completion_start(other.labels);
            let n = (other.input_ids.len() - from).min(partners.max_tokens.saturating_sub(prompt.len())).max(1);
            let ids = [prompt, &other.input_ids[from..from + n]].concat();
            let mut labels = vec![IGNORE_INDEX; prompt.len()];
            labels.extend_from_slice(&other.labels[from..from + n]);
            built.push(unit, ids, labels, None);
        }
        built.finish()
    }

    /// Log-probability of each completion.
    pub(crate) fn completions(&self, logps: &[f64]) -> Vec<f64> {
        self.parts.iter().map(|part| part.completion(logps).0).collect()
    }

    /// Targets of completions.
    pub(crate) fn n_targets(&self) -> usize {
        let of = |part: &Part| match &part.completion {
            None => part.targets.len(),
            Some(mask) => mask.iter().filter(|is| **is).count(),
        };
        self.parts.iter().map(of).sum()
    }

    /// Targets that the likelihood term covers.
    pub(crate) fn n_likelihood_targets(&self) -> usize {
        self.parts.iter().filter(|part| part.completion.is_some()).map(|part| part.targets.len()).sum()
    }
}

#[derive(Default)]
struct Building {
    sequences: Vec<(Vec<u32>, Vec<i32>)>,
    parts: Vec<Part>,
    n_targets: usize,
}

impl Building {
    fn push(&mut self, example: usize, ids: Vec<u32>, labels: Vec<i32>, completion: Option<Vec<bool>>) {
        let n = labels.iter().skip(1).filter(|&&label| label != IGNORE_INDEX).count();
        self.parts.push(Part { example, targets: self.n_targets..self.n_targets + n, completion });
        self.n_targets += n;
        self.sequences.push((ids, labels));
    }

    fn finish(self) -> PreferenceBatch {
        let sequences = self.sequences.iter().map(|(ids, labels)| (ids.as_slice(), labels.as_slice()));
        PreferenceBatch { batch: SequenceBatch::from_sequences(sequences), parts: self.parts }
    }
}

fn completion_start(labels: &[i32]) -> usize {
    labels.iter().position(|&label| label != IGNORE_INDEX).unwrap_or(labels.len()).max(1)
}

/// Who lends whom a completion: within groups of consecutive examples, each takes its
/// predecessor's (TRL's rule).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Partners {
    pub(crate) n_examples: usize,
    pub(crate) group: usize,
    /// No mismatched sequence is longer than the longest example.
    pub(crate) max_tokens: usize,
}

impl Partners {
    pub(crate) fn of(&self, example: usize) -> usize {
        let start = example / self.group * self.group;
        let end = (start + self.group).min(self.n_examples);
        match example {
            // Alone in the last group.
            _ if end - start == 1 => (example + self.n_examples - 1) % self.n_examples,
            _ if example == start => end - 1,
            _ => example - 1,
        }
    }
}

/// What the whole step's loss is divided by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Divisors {
    pub(crate) n_units: usize,
    pub(crate) n_likelihood_targets: usize,
}

/// Sums over units, for the metrics of a step or an evaluation.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sums {
    /// Share of the step's loss: already divided.
    pub(crate) loss: f64,
    chosen: (f64, usize),
    rejected: (f64, usize),
    n_right: usize,
    n_pairs: usize,
    likelihood: (f64, usize),
    kl: (f64, usize),
}

impl Sums {
    pub(crate) fn add(&mut self, other: &Sums) {
        let add = |to: &mut (f64, usize), from: (f64, usize)| *to = (to.0 + from.0, to.1 + from.1);
        self.loss += other.loss;
        add(&mut self.chosen, other.chosen);
        add(&mut self.rejected, other.rejected);
        add(&mut self.likelihood, other.likelihood);
        add(&mut self.kl, other.kl);
        self.n_right += other.n_right;
        self.n_pairs += other.n_pairs;
    }

    /// Means by name, with TRL's names.
    pub(crate) fn metrics(&self) -> BTreeMap<String, f64> {
        let mut metrics = BTreeMap::new();
        let mut put = |name: &str, (sum, n): (f64, usize)| {
            if n > 0 {
                metrics.insert(name.to_owned(), sum / n as f64);
            }
        };
        put("rewards/chosen", self.chosen);
        put("rewards/rejected", self.rejected);
        put("rewards/accuracies", (self.n_right as f64, self.n_pairs));
        put("nll_loss", self.likelihood);
        put("kl", self.kl);
        if self.chosen.1 > 0 && self.rejected.1 > 0 {
            let margin = self.chosen.0 / self.chosen.1 as f64 - self.rejected.0 / self.rejected.1 as f64;
            metrics.insert("rewards/margins".to_owned(), margin);
        }
        metrics
    }

    fn pair(&mut self, pair: &PairLoss) {
        self.chosen = (self.chosen.0 + pair.chosen_reward, self.chosen.1 + 1);
        self.rejected = (self.rejected.0 + pair.rejected_reward, self.rejected.1 + 1);
        self.n_right += usize::from(pair.chosen_reward > pair.rejected_reward);
        self.n_pairs += 1;
    }
}

/// Loss of a micro-batch given the log-probability of each target; also d loss / d (each of them).
pub(crate) fn loss(
    objective: &Objective,
    divisors: Divisors,
    batch: &PreferenceBatch,
    logps: &[f64],
    reference: &Reference,
    mismatched: &[f64],
    source: &dyn ExampleSource,
) -> (Sums, Vec<f32>) {
    let mut coefficients = vec![0.0f64; logps.len()];
    let mut sums = Sums::default();
    let per_unit = 1.0 / divisors.n_units as f64;
    match objective.kind {
        ObjectiveKind::Sft => {}
        ObjectiveKind::Dpo | ObjectiveKind::Orpo => {
            for pair in batch.parts.chunks_exact(2) {
                let ((chosen, n_chosen), (rejected, n_rejected)) =
                    (pair[0].completion(logps), pair[1].completion(logps));
                let policy = PairLogps { chosen, rejected, n_chosen, n_rejected };
                let found = match objective.kind {
                    ObjectiveKind::Orpo => orpo(objective, policy),
                    _ => {
                        let (chosen, rejected) = (reference.of(pair[0].example), reference.of(pair[1].example));
                        dpo(objective, policy, PairLogps { chosen, rejected, ..policy })
                    }
                };
                sums.loss += found.loss * per_unit;
                sums.pair(&found);
                pair[0].add_to_completion(&mut coefficients, found.d_chosen * per_unit);
                pair[1].add_to_completion(&mut coefficients, found.d_rejected * per_unit);
            }
        }
        ObjectiveKind::Kto => {
            let log_ratio = |(part, logp): (&Part, &f64)| logp - reference.mismatched_of(part.example);
            let log_ratios: Vec<f64> = batch.parts.iter().zip(mismatched).map(log_ratio).collect();
            let kl = kl_estimate(&log_ratios);
            sums.kl = (kl * batch.parts.len() as f64, batch.parts.len());
            for part in &batch.parts {
                let desirable = source.is_desirable(part.example);
                let log_ratio = part.completion(logps).0 - reference.of(part.example);
                let found = kto(objective, log_ratio, kl, desirable);
                sums.loss += found.loss * per_unit;
                let rewards = if desirable { &mut sums.chosen } else { &mut sums.rejected };
                *rewards = (rewards.0 + found.reward, rewards.1 + 1);
                part.add_to_completion(&mut coefficients, found.d_logp * per_unit);
            }
        }
    }
    likelihood(divisors, batch, logps, &mut coefficients, &mut sums);
    (sums, coefficients.into_iter().map(|coefficient| coefficient as f32).collect())
}

/// ORPO's likelihood term: the mean over all tokens of chosen texts.
fn likelihood(divisors: Divisors, batch: &PreferenceBatch, logps: &[f64], coefficients: &mut [f64], sums: &mut Sums) {
    let per_target = 1.0 / divisors.n_likelihood_targets.max(1) as f64;
    for part in batch.parts.iter().filter(|part| part.completion.is_some()) {
        let nll = -logps[part.targets.clone()].iter().sum::<f64>();
        sums.loss += nll * per_target;
        sums.likelihood = (sums.likelihood.0 + nll, sums.likelihood.1 + part.targets.len());
        coefficients[part.targets.clone()].iter_mut().for_each(|coefficient| *coefficient -= per_target);
    }
}
