//! Normalization and overlap.

use std::collections::BTreeMap;

use luthier_plugin::text;

/// The scores of one pair of texts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Score {
    pub(crate) f1: f64,
    pub(crate) precision: f64,
    pub(crate) recall: f64,
    pub(crate) exact: f64,
}

/// The tokens that count.
pub(crate) fn normalize(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let kept: String = lower.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    let mut without_articles = String::with_capacity(kept.len());
    for piece in kept.split_inclusive(|c: char| !is_word(c)) {
        let word = piece.trim_end_matches(|c: char| !is_word(c));
        match word {
            // An article becomes a space: it may stand between letters that are no word characters.
            "a" | "an" | "the" => without_articles.push_str(&piece.replacen(word, " ", 1)),
            _ => without_articles.push_str(piece),
        }
    }
    text::words(&without_articles).map(str::to_owned).collect()
}

/// Python's `\w`; its underscore is punctuation and gone by now.
fn is_word(c: char) -> bool {
    c.is_alphanumeric()
}

pub(crate) fn score(prediction: &str, reference: &str) -> Score {
    let (found, expected) = (normalize(prediction), normalize(reference));
    let exact = f64::from(found == expected);
    if found.is_empty() || expected.is_empty() {
        return Score { f1: exact, precision: exact, recall: exact, exact };
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for token in &expected {
        *counts.entry(token).or_default() += 1;
    }
    let mut overlap = 0.0;
    for token in &found {
        if let Some(count) = counts.get_mut(token.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            overlap += 1.0;
        }
    }
    if overlap == 0.0 {
        return Score { f1: 0.0, precision: 0.0, recall: 0.0, exact };
    }
    let (precision, recall) = (overlap / found.len() as f64, overlap / expected.len() as f64);
    Score { f1: 2.0 * precision * recall / (precision + recall), precision, recall, exact }
}
