//! From predictions to one score per row, with nothing taken on trust.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow_cast::can_cast_types;
use arrow_schema::{DataType, Field, Schema};

use crate::metric::{Aggregation, InputType, Metric, MetricDescriptor, MetricInput, RowScore};
use crate::prediction::{Outcome, Prediction, Questions, check_length};
use crate::{Error, Result};

/// Columns that every evaluation has; they hide columns of the same name in the data.
pub const OWN_COLUMNS: [&str; 4] = ["prompt", "prediction", "reference", "completion"];
/// A plugin's reason is a code for a table, not an essay.
const MAX_REASON_CHARS: usize = 60;

/// Refuse a metric whose inputs the data does not have, or has in another type. Called before anything
/// is generated.
pub fn check_inputs(metric: &MetricDescriptor, questions: &Questions) -> Result<()> {
    let available: Vec<&str> = OWN_COLUMNS.into_iter().chain(questions.columns.keys().map(String::as_str)).collect();
    for input in &metric.inputs {
        if !available.contains(&input.name.as_str()) {
            return Err(Error::UnknownInput {
                metric: metric.id.clone(),
                column: input.name.clone(),
                nearest: nearest(&input.name, &available),
                available: available.iter().map(|&name| name.to_owned()).collect(),
            });
        }
        check_type(metric, input, questions)?;
    }
    Ok(())
}

fn check_type(metric: &MetricDescriptor, input: &MetricInput, questions: &Questions) -> Result<()> {
    let own = OWN_COLUMNS.contains(&input.name.as_str());
    let column = questions.columns.get(&input.name).filter(|_| !own);
    let found = column.map_or(&DataType::Utf8, |column| column.data_type());
    let fits = match input.ty {
        InputType::Any | InputType::Json => true,
        InputType::Utf8 => can_cast_types(found, &DataType::Utf8),
        InputType::Float64 => found.is_numeric(),
        InputType::Int64 => found.is_integer(),
        InputType::Boolean => *found == DataType::Boolean,
    };
    let wrong = |found: String| {
        Err(Error::InputType {
            metric: metric.id.clone(),
            column: input.name.clone(),
            expected: input.describe(),
            found,
        })
    };
    if !fits {
        return wrong(found.to_string());
    }
    match column.map_or(0, |column| column.null_count()) {
        0 => Ok(()),
        _ if input.nullable => Ok(()),
        n => wrong(format!("{found} with {n} nulls")),
    }
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

/// Score every row: by output, then by row. Rows whose generation failed have its reason; the metric
/// sees the others, at most `batch_rows` at a time, as exactly the columns it asked for.
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
    let unasked: Vec<RowScore> = predictions.iter().map(unasked).collect();
    let mut scores = vec![unasked; descriptors.len()];
    let answered: Vec<usize> = (0..predictions.len()).filter(|&row| predictions[row].answer().is_some()).collect();
    for rows in answered.chunks(batch_rows.max(1)) {
        let batch = input_batch(first, questions, predictions, rows)?;
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

fn input_batch(
    metric: &MetricDescriptor,
    questions: &Questions,
    predictions: &[Prediction],
    rows: &[usize],
) -> Result<RecordBatch> {
    let mut fields = Vec::with_capacity(metric.inputs.len());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(metric.inputs.len());
    for MetricInput { name, .. } in &metric.inputs {
        let column = input(name, questions, predictions, rows)?;
        fields.push(Field::new(name, column.data_type().clone(), column.is_nullable()));
        columns.push(column);
    }
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}

fn input(name: &str, questions: &Questions, predictions: &[Prediction], rows: &[usize]) -> Result<ArrayRef> {
    let text = |row: &usize| match name {
        "prompt" => questions.prompts[*row].as_str(),
        "reference" => questions.references[*row].as_str(),
        "prediction" => predictions[*row].answer().unwrap_or_default(),
        _ => predictions[*row].completion.as_str(),
    };
    match questions.columns.get(name) {
        Some(column) if !OWN_COLUMNS.contains(&name) => {
            let rows = UInt64Array::from_iter_values(rows.iter().map(|&row| row as u64));
            Ok(arrow_select::take::take(column, &rows, None)?)
        }
        // `check_inputs` has seen that it is one of our own.
        _ => Ok(Arc::new(StringArray::from_iter_values(rows.iter().map(text)))),
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
