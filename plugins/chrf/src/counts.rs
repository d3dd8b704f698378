//! n-grams of characters and words, their counts, and the score of sums of counts.

use std::collections::BTreeMap;

use luthier_plugin::{Error, text};

/// Longest n-gram of characters.
pub(crate) const MAX_CHARACTER_ORDER: usize = 6;
/// Longest n-gram of words.
pub(crate) const MAX_WORD_ORDER: usize = 2;
/// Orders that have counts, used or not.
pub(crate) const N_ORDERS: usize = MAX_CHARACTER_ORDER + MAX_WORD_ORDER;

/// How often each n-gram occurs, by order.
pub(crate) type NGrams = Vec<BTreeMap<String, usize>>;

pub(crate) fn n_grams(text: &str, character_order: usize, word_order: usize, whitespace: bool) -> NGrams {
    let characters: Vec<char> = text.chars().filter(|c| whitespace || !text::is_white_space(*c)).collect();
    let words = words(text);
    let mut orders = vec![BTreeMap::new(); N_ORDERS];
    for (n, counts) in (1..=character_order).zip(&mut orders) {
        for n_gram in characters.windows(n) {
            *counts.entry(n_gram.iter().collect()).or_default() += 1;
        }
    }
    for (n, counts) in (1..=word_order).zip(&mut orders[MAX_CHARACTER_ORDER..]) {
        for n_gram in words.windows(n) {
            *counts.entry(n_gram.join(" ")).or_default() += 1;
        }
    }
    orders
}

/// Words, with one punctuation mark at the end (else at the beginning) as a word of its own.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in text::words(line) {
        let first = word.chars().next().map_or(0, char::len_utf8);
        if first == word.len() {
            words.push(word);
        } else if word.ends_with(|c: char| c.is_ascii_punctuation()) {
            let (head, mark) = word.split_at(word.len() - 1);
            words.extend([head, mark]);
        } else if word.starts_with(|c: char| c.is_ascii_punctuation()) {
            let (mark, tail) = word.split_at(1);
            words.extend([mark, tail]);
        } else {
            words.push(word);
        }
    }
    words
}

/// What is summed over rows: n-grams of the prediction, of the reference, and of both, by order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Counts(Vec<[f64; 3]>);

impl Counts {
    pub(crate) fn of(prediction: &NGrams, reference: &NGrams) -> Self {
        let of_order = |(prediction, reference): (&BTreeMap<String, usize>, &BTreeMap<String, usize>)| {
            let total = |counts: &BTreeMap<String, usize>| counts.values().sum::<usize>() as f64;
            let matches: usize = prediction
                .iter()
                .map(|(n_gram, count)| reference.get(n_gram).map_or(0, |other| *count.min(other)))
                .sum();
            // Where the reference has no n-gram of an order, those of the prediction do not count.
            let n_predicted = if reference.is_empty() { 0.0 } else { total(prediction) };
            [n_predicted, total(reference), matches as f64]
        };
        Counts(prediction.iter().zip(reference).map(of_order).collect())
    }

    pub(crate) fn into_columns(self) -> Vec<f64> {
        self.0.into_iter().flatten().collect()
    }

    pub(crate) fn from_columns(sums: &[f64]) -> Result<Self, Error> {
        if sums.len() != 3 * N_ORDERS {
            return Err(Error::Internal(format!("{} sums, expected {}", sums.len(), 3 * N_ORDERS)));
        }
        Ok(Counts(sums.chunks_exact(3).map(|sums| [sums[0], sums[1], sums[2]]).collect()))
    }

    /// chrF of sums, from 0 to 100.
    pub(crate) fn score(&self, beta: f64) -> f64 {
        let (mut precision, mut recall, mut n_orders) = (0.0, 0.0, 0.0);
        for [predicted, expected, matched] in &self.0 {
            if *predicted > 0.0 && *expected > 0.0 {
                precision += matched / predicted;
                recall += matched / expected;
                n_orders += 1.0;
            }
        }
        if precision + recall == 0.0 {
            return 0.0;
        }
        let (precision, recall) = (precision / n_orders, recall / n_orders);
        let factor = beta * beta;
        (100.0 * ((1.0 + factor) * precision * recall / (factor * precision + recall))).min(100.0)
    }
}
