//! Texts that say nearly the same: the F-measure of the longest common subsequence of words (ROUGE-L),
//! which Self-Instruct (Wang et al. 2023) compares with 0.7.

use std::collections::BTreeMap;

/// Texts kept so far.
#[derive(Debug, Clone, Default)]
pub struct NearDuplicates {
    words: BTreeMap<String, u32>,
    texts: Vec<Vec<u32>>,
}

impl NearDuplicates {
    /// Add a text, unless a text of before has at least `threshold` in common with it. A text without
    /// words is always new.
    pub fn insert(&mut self, text: &str, threshold: f64) -> bool {
        let words: Vec<u32> = words(text)
            .map(|word| {
                let next = self.words.len() as u32;
                *self.words.entry(word).or_insert(next)
            })
            .collect();
        if words.is_empty() {
            return true;
        }
        let is_near = |other: &Vec<u32>| {
            // The subsequence is no longer than the shorter text, nor than the words in common.
            let bound = |n: usize| 2.0 * n as f64 / (words.len() + other.len()) as f64;
            bound(words.len().min(other.len())) >= threshold
                && bound(in_common(&words, other)) >= threshold
                && bound(longest_common(&words, other)) >= threshold
        };
        let is_new = !self.texts.iter().any(is_near);
        if is_new {
            self.texts.push(words);
        }
        is_new
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let lower = text.to_lowercase();
    let words: Vec<String> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    words.into_iter()
}

fn in_common(a: &[u32], b: &[u32]) -> usize {
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    a.sort_unstable();
    b.sort_unstable();
    let (mut i, mut j, mut n) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                n += 1;
                i += 1;
                j += 1;
            }
        }
    }
    n
}

fn longest_common(a: &[u32], b: &[u32]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
