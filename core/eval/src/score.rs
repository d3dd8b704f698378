//! From predictions to one score per row, with nothing taken on trust.

mod inputs;

use std::collections::BTreeMap;

use crate::metric::{Aggregation, Metric, MetricDescriptor, RowScore};
use crate::prediction::{Likelihood, Outcome, Prediction, Questions, check_length};
use crate::{Error, Result};

pub use inputs::{LIKELIHOOD_COLUMNS, OWN_COLUMNS, check_inputs, needs_choices, needs_likelihood, needs_text};

/// A plugin's reason is a code for a table, not an essay.
const MAX_REASON_CHARS: usize = 60;

/// Score every row: by output, then by row. Rows whose generation failed (or whose log-likelihood, for
/// a metric that reads it) have its reason; the metric sees the others, about `batch_rows` at a time
/// and never a part of a group, as exactly the columns it asked for.
///
/// # Errors
/// A missing column, a metric that fails as a whole or returns another number of scores.
pub fn score(
    metric: &mut dyn Metric,
    questions: &Questions,
    predictions: &[Prediction],
    batch_rows: usize,
) -> Result<Vec<Vec<RowScore>>> {
    let descriptors = metric.descriptors().to_vec();
    let Some(first) = descriptors.first() else { return Ok(Vec::new()) };
    questions.check()?;
    check_length("list of predictions", questions.len(), predictions.len())?;
    check_inputs(first, questions)?;
    let mut unasked = Vec::with_capacity(predictions.len());
    let mut asked = Vec::new();
    for (row, prediction) in predictions.iter().enumerate() {
        let missing = missing(first, prediction);
        if missing.is_none() {
            asked.push(row);
        }
        unasked.push(RowScore::Error(missing.unwrap_or_else(|| "not-scored".into())));
    }
    let mut scores = vec![unasked; descriptors.len()];
    for rows in batches(first, questions, asked, batch_rows.max(1)) {
        let batch = inputs::batch(first, questions, predictions, &rows)?;
        let outputs = metric.score(&batch)?;
        check_length(&format!("list of outputs of {}", first.id), descriptors.len(), outputs.len())?;
        for ((descriptor, outcomes), scores) in descriptors.iter().zip(outputs).zip(&mut scores) {
            for (&row, outcome) in rows.iter().zip(check_scores(descriptor, outcomes, rows.len())?) {
                scores[row] = outcome;
            }
        }
    }
    Ok(scores)
}

/// Why a metric cannot be shown this row.
fn missing(metric: &MetricDescriptor, prediction: &Prediction) -> Option<String> {
    if needs_text(metric) {
        match &prediction.outcome {
            Outcome::Failed(reason) => return Some(short(reason)),
            Outcome::Unasked => return Some("not-asked".into()),
            Outcome::Answer(_) => {}
        }
    }
    if needs_likelihood(metric) {
        match &prediction.likelihood {
            Likelihood::Failed(reason) => return Some(short(reason)),
            Likelihood::Unasked => return Some("not-asked".into()),
            Likelihood::Known(_) => {}
        }
    }
    None
}

/// Rows to be shown together. Groups stay whole, and their rows stay in order.
fn batches(metric: &MetricDescriptor, questions: &Questions, asked: Vec<usize>, batch_rows: usize) -> Vec<Vec<usize>> {
    let Some(groups) = metric.group_by.as_deref().and_then(|group_by| questions.groups(group_by)) else {
        return asked.chunks(batch_rows).map(<[usize]>::to_vec).collect();
    };
    let mut by_group: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for row in asked {
        by_group.entry(groups[row]).or_default().push(row);
    }
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for group in by_group.into_values() {
        match batches.last_mut() {
            Some(batch) if batch.len() + group.len() <= batch_rows => batch.extend(group),
            _ => batches.push(group),
        }
    }
    batches
}

/// What a metric returned for `n_rows` rows, made safe: numbers that are not finite, out of the
/// metric's bounds, or neither 0 nor 1 in a proportion become row errors.
pub fn check_scores(metric: &MetricDescriptor, outcomes: Vec<RowScore>, n_rows: usize) -> Result<Vec<RowScore>> {
    if outcomes.len() != n_rows {
        let (metric, found) = (metric.id.clone(), outcomes.len());
        return Err(Error::WrongNumberOfScores { metric, expected: n_rows, found });
    }
    Ok(outcomes.into_iter().map(|outcome| check_score(metric, outcome)).collect())
}

fn check_score(metric: &MetricDescriptor, outcome: RowScore) -> RowScore {
    let score = match outcome {
        RowScore::Score(score) if !metric.aggregation.is_summed() => score,
        RowScore::Sums(sums) if metric.aggregation.is_summed() => return check_sums(metric, sums),
        RowScore::Score(_) | RowScore::Sums(_) => return RowScore::Error("wrong-kind-of-score".into()),
        RowScore::Error(reason) => return RowScore::Error(short(&reason)),
    };
    let (low, high) = metric.bounds;
    let within = low.is_none_or(|low| score >= low) && high.is_none_or(|high| score <= high);
    let binary = score == 0.0 || score == 1.0;
    if !score.is_finite() {
        RowScore::Error("not-finite".into())
    } else if !within {
        RowScore::Error("out-of-bounds".into())
    } else if metric.aggregation == Aggregation::Proportion && !binary {
        RowScore::Error("not-0-or-1".into())
    } else {
        RowScore::Score(score)
    }
}

fn check_sums(metric: &MetricDescriptor, sums: Vec<f64>) -> RowScore {
    if sums.len() != metric.aggregation.n_values() {
        RowScore::Error("wrong-number-of-sums".into())
    } else if sums.iter().any(|sum| !sum.is_finite()) {
        RowScore::Error("not-finite".into())
    } else {
        RowScore::Sums(sums)
    }
}

/// One line, no control characters, a bounded length.
fn short(reason: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let short: String = reason.trim().chars().map(clean).take(MAX_REASON_CHARS).collect();
    if short.is_empty() { "no-reason".into() } else { short }
}

/// How many rows have no score, by reason.
pub fn errors_by_reason<'a>(scores: impl IntoIterator<Item = &'a RowScore>) -> BTreeMap<String, u64> {
    let mut errors = BTreeMap::new();
    for score in scores {
        if let RowScore::Error(reason) = score {
            *errors.entry(reason.clone()).or_default() += 1;
        }
    }
    errors
}

#[cfg(test)]
mod tests;
