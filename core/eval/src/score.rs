//! From predictions to one score per row, with nothing taken on trust.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};

use crate::metric::{Aggregation, Metric, MetricDescriptor, RowScore};
use crate::prediction::{Outcome, Prediction, Questions, check_length};
use crate::{Error, Result};

/// Columns that every evaluation has; they hide columns of the same name in the data.
pub const OWN_COLUMNS: [&str; 4] = ["prompt", "prediction", "reference", "completion"];
/// A plugin's reason is a code for a table, not an essay.
const MAX_REASON_CHARS: usize = 60;

/// Refuse a metric whose inputs the data does not have. Called before anything is generated.
pub fn check_inputs(metric: &MetricDescriptor, questions: &Questions) -> Result<()> {
    let available: Vec<&str> = OWN_COLUMNS.into_iter().chain(questions.columns.keys().map(String::as_str)).collect();
    for column in &metric.inputs {
        if !available.contains(&column.as_str()) {
            return Err(Error::UnknownInput {
                metric: metric.id.clone(),
                column: column.clone(),
                nearest: nearest(column, &available),
                available: available.iter().map(|&name| name.to_owned()).collect(),
            });
        }
    }
    Ok(())
}

fn nearest(name: &str, candidates: &[&str]) -> Option<String> {
    let similarity = |candidate: &str| strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase());
    candidates
        .iter()
        .map(|candidate| (similarity(candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| (*candidate).to_owned())
}

/// Score every row. Rows whose generation failed have its reason; the metric sees the others, at
/// most `batch_rows` at a time, as exactly the columns it asked for.
///
/// # Errors
/// A missing column, a metric that fails as a whole or returns another number of scores.
pub fn score(
    metric: &mut dyn Metric,
    questions: &Questions,
    predictions: &[Prediction],
    batch_rows: usize,
) -> Result<Vec<RowScore>> {
    let descriptor = metric.descriptor().clone();
    questions.check()?;
    check_length("list of predictions", questions.len(), predictions.len())?;
    check_inputs(&descriptor, questions)?;
    let mut scores: Vec<RowScore> = predictions.iter().map(unasked).collect();
    let answered: Vec<usize> = (0..predictions.len()).filter(|&row| predictions[row].answer().is_some()).collect();
    for rows in answered.chunks(batch_rows.max(1)) {
        let batch = input_batch(&descriptor, questions, predictions, rows)?;
        let outcomes = check_scores(&descriptor, metric.score(&batch)?, rows.len())?;
        for (&row, outcome) in rows.iter().zip(outcomes) {
            scores[row] = outcome;
        }
    }
    Ok(scores)
}

/// Where a row stands before the metric has seen it.
fn unasked(prediction: &Prediction) -> RowScore {
    match &prediction.outcome {
        Outcome::Answer(_) => RowScore::Error("not-scored".into()),
        Outcome::Failed(reason) => RowScore::Error(short(reason)),
    }
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
        RowScore::Score(score) => score,
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

/// One line, no control characters, a bounded length.
fn short(reason: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let short: String = reason.trim().chars().map(clean).take(MAX_REASON_CHARS).collect();
    if short.is_empty() { "no-reason".into() } else { short }
}

fn input_batch(
    metric: &MetricDescriptor,
    questions: &Questions,
    predictions: &[Prediction],
    rows: &[usize],
) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = metric
        .inputs
        .iter()
        .map(|name| -> ArrayRef {
            let values = rows.iter().map(|&row| input(name, questions, predictions, row));
            Arc::new(StringArray::from_iter_values(values))
        })
        .collect();
    let fields: Vec<Field> = metric.inputs.iter().map(|name| Field::new(name, DataType::Utf8, false)).collect();
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}

fn input<'a>(name: &str, questions: &'a Questions, predictions: &'a [Prediction], row: usize) -> &'a str {
    match name {
        "prompt" => &questions.prompts[row],
        "reference" => &questions.references[row],
        "prediction" => predictions[row].answer().unwrap_or_default(),
        "completion" => &predictions[row].completion,
        // `check_inputs` has seen that the column is there, `check` that it is long enough.
        other => questions.columns.get(other).map_or("", |column| &column[row]),
    }
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
