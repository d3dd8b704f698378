//! Labels and items in texts, and what they count for.

use std::collections::BTreeMap;

use luthier_plugin::{json, text};

use crate::MAX_LABELS;

/// Names of rules.
pub(crate) const NAMES: [&str; 3] = ["exact", "first", "last"];

/// True positives, false positives, false negatives of each label.
pub(crate) type Counts = [[f64; 3]; MAX_LABELS];

/// Which label a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    Exact,
    First,
    Last,
}

impl Rule {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "first" => Rule::First,
            "last" => Rule::Last,
            _ => Rule::Exact,
        }
    }
}

/// What rows are about.
pub(crate) enum Task {
    /// One of these labels each, lower-cased.
    Classification(Vec<String>, Rule),
    /// Lists of items.
    Extraction,
}

impl Task {
    pub(crate) fn classification(labels: Vec<String>, rule: Rule) -> Self {
        Task::Classification(labels.iter().map(|label| text::strip(label).to_lowercase()).collect(), rule)
    }

    /// A row's counts, and whether it is right.
    pub(crate) fn counts(&self, prediction: &str, reference: &str) -> Result<(Counts, bool), String> {
        let mut counts = [[0.0; 3]; MAX_LABELS];
        let Task::Classification(labels, rule) = self else {
            let (expected, mut found) = (items(reference), items(prediction));
            let is_right = expected == found;
            for (item, n_expected) in expected {
                let n_found = found.remove(&item).unwrap_or(0);
                counts[0][0] += n_expected.min(n_found) as f64;
                counts[0][1] += n_found.saturating_sub(n_expected) as f64;
                counts[0][2] += n_expected.saturating_sub(n_found) as f64;
            }
            counts[0][1] += found.into_values().sum::<usize>() as f64;
            return Ok((counts, is_right));
        };
        let expected = find(labels, Rule::Exact, reference).ok_or("unknown-reference-label")?;
        let found = find(labels, *rule, prediction);
        match found {
            Some(found) if found == expected => counts[expected][0] = 1.0,
            Some(found) => {
                counts[found][1] = 1.0;
                counts[expected][2] = 1.0;
            }
            None => counts[expected][2] = 1.0,
        }
        Ok((counts, found == Some(expected)))
    }
}

/// The label that a text means.
fn find(labels: &[String], rule: Rule, text: &str) -> Option<usize> {
    let lower = text::strip(text).to_lowercase();
    if rule == Rule::Exact {
        return labels.iter().position(|label| *label == lower);
    }
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    for (index, label) in labels.iter().enumerate().filter(|(_, label)| !label.is_empty()) {
        for (position, _) in lower.match_indices(label.as_str()) {
            let before = lower[..position].chars().next_back();
            let after = lower[position + label.len()..].chars().next();
            let is_inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            if !is_inside(before) && !is_inside(after) {
                found.push((position, label.len(), index));
            }
        }
    }
    // Of labels at one place, the longest.
    let chosen = match rule {
        Rule::Last => found.into_iter().max_by_key(|(position, length, _)| (position + length, *length)),
        _ => found.into_iter().min_by_key(|(position, length, _)| (*position, usize::MAX - length)),
    };
    chosen.map(|(_, _, index)| index)
}

/// The items of a text, each with how often it occurs: of a JSON list, else one per line; case and
/// white space at the ends aside.
fn items(text: &str) -> BTreeMap<String, usize> {
    let listed: Vec<String> = match json::from_str::<Vec<json::Value>>(text) {
        Ok(items) => items
            .into_iter()
            .map(|item| match item {
                json::Value::String(text) => text,
                other => other.to_string(),
            })
            .collect(),
        Err(_) => text.lines().map(str::to_owned).collect(),
    };
    let mut counts = BTreeMap::new();
    for item in listed {
        let item = text::strip(&item).to_lowercase();
        if !item.is_empty() {
            *counts.entry(item).or_default() += 1;
        }
    }
    counts
}
