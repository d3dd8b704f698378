//! Overlaps of n-grams and common subsequences (Lin 2004), with `rouge_score`'s conventions.

use std::collections::{BTreeMap, BTreeSet};

use crate::porter;

/// Names of measures.
pub(crate) const MEASURES: [&str; 3] = ["fmeasure", "precision", "recall"];

/// Stemmed tokens are longer than this.
const MAX_UNSTEMMED: usize = 3;

/// A text as tokens, whole and by line.
pub(crate) struct Text {
    tokens: Vec<String>,
    lines: Vec<Vec<String>>,
}

impl Text {
    pub(crate) fn new(text: &str, use_stemmer: bool) -> Self {
        let lines = text.split('\n').filter(|line| !line.is_empty());
        Text { tokens: tokens(text, use_stemmer), lines: lines.map(|line| tokens(line, use_stemmer)).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }
}

/// Runs of ASCII letters and digits.
fn tokens(text: &str, use_stemmer: bool) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words
        .map(|word| if use_stemmer && word.len() > MAX_UNSTEMMED { porter::stem(word) } else { word.to_owned() })
        .filter(|word| !word.is_empty())
        .collect()
}

/// Matches as shares of both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Score {
    precision: f64,
    recall: f64,
}

impl Score {
    fn new(n_matches: usize, n_reference: usize, n_prediction: usize) -> Self {
        let share = |n: usize| n_matches as f64 / n.max(1) as f64;
        Score { precision: share(n_prediction), recall: share(n_reference) }
    }

    pub(crate) fn f(&self) -> f64 {
        let sum = self.precision + self.recall;
        if sum > 0.0 { 2.0 * self.precision * self.recall / sum } else { 0.0 }
    }

    pub(crate) fn measure(&self, name: &str) -> f64 {
        match name {
            "precision" => self.precision,
            "recall" => self.recall,
            _ => self.f(),
        }
    }
}

/// ROUGE-1.
pub(crate) fn words(reference: &Text, prediction: &Text) -> Score {
    n_grams(reference, prediction, 1)
}

/// ROUGE-2.
pub(crate) fn pairs(reference: &Text, prediction: &Text) -> Score {
    n_grams(reference, prediction, 2)
}

fn n_grams(reference: &Text, prediction: &Text, n: usize) -> Score {
    let count = |tokens: &'_ [String]| -> BTreeMap<Vec<String>, usize> {
        let mut counts = BTreeMap::new();
        for n_gram in tokens.windows(n) {
            *counts.entry(n_gram.to_vec()).or_default() += 1;
        }
        counts
    };
    let (expected, found) = (count(&reference.tokens), count(&prediction.tokens));
    let n_matches = expected.iter().map(|(n_gram, count)| *count.min(found.get(n_gram).unwrap_or(&0))).sum();
    Score::new(n_matches, expected.values().sum(), found.values().sum())
}

/// ROUGE-L.
pub(crate) fn longest(reference: &Text, prediction: &Text) -> Score {
    let table = table(&reference.tokens, &prediction.tokens);
    let length = table.last().and_then(|row| row.last()).copied().unwrap_or(0);
    Score::new(length as usize, reference.tokens.len(), prediction.tokens.len())
}

/// ROUGE-Lsum: of each line of the reference, the tokens in a longest common subsequence with any
/// line of the prediction; no token counts more often than either side has it.
pub(crate) fn longest_by_line(reference: &Text, prediction: &Text) -> Score {
    let count = |lines: &'_ [Vec<String>]| -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for token in lines.iter().flatten() {
            *counts.entry(token.clone()).or_default() += 1;
        }
        counts
    };
    let (mut expected, mut found) = (count(&reference.lines), count(&prediction.lines));
    let (n_reference, n_prediction) = (expected.values().sum(), found.values().sum());
    let mut n_matches = 0;
    for line in &reference.lines {
        let union: BTreeSet<usize> = prediction.lines.iter().flat_map(|other| common(line, other)).collect();
        for token in union.into_iter().map(|position| &line[position]) {
            let (Some(expected), Some(found)) = (expected.get_mut(token), found.get_mut(token)) else { continue };
            if *expected > 0 && *found > 0 {
                *expected -= 1;
                *found -= 1;
                n_matches += 1;
            }
        }
    }
    Score::new(n_matches, n_reference, n_prediction)
}

/// Lengths of the longest common subsequences of all prefixes.
fn table(reference: &[String], prediction: &[String]) -> Vec<Vec<u32>> {
    let mut table = vec![vec![0; prediction.len() + 1]; reference.len() + 1];
    for (i, expected) in reference.iter().enumerate() {
        for (j, found) in prediction.iter().enumerate() {
            table[i + 1][j + 1] =
                if expected == found { table[i][j] + 1 } else { table[i][j + 1].max(table[i + 1][j]) };
        }
    }
    table
}

/// Positions in the reference of one longest common subsequence; of several, the one that
/// `rouge_score` walks back to.
fn common(reference: &[String], prediction: &[String]) -> Vec<usize> {
    let table = table(reference, prediction);
    let (mut i, mut j) = (reference.len(), prediction.len());
    let mut positions = Vec::new();
    while i > 0 && j > 0 {
        if reference[i - 1] == prediction[j - 1] {
            positions.push(i - 1);
            i -= 1;
            j -= 1;
        } else if table[i][j - 1] > table[i - 1][j] {
            j -= 1;
        } else {
            i -= 1;
        }
    }
    positions
}
