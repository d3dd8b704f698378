//! Every prediction of every arm as one table, for a Parquet file that other tools can re-score.
//!
//! ```text
//! part arm prompt reference prediction completion error  <metric> <metric>:error …  <data's columns> …
//! ```
//!
//! One row per arm and question, arm by arm, in the data's order; where a prompt has several samples,
//! each is a question, counted by the column `sample`. What a metric sums over rows (a corpus-level
//! score, a ratio) stands here as what the row comes to alone. A score is null where there is none;
//! the reason stands beside it. Where a metric read log-likelihoods, they are here as well.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};

use crate::metric::{MetricDescriptor, RowScore};
use crate::prediction::{Likelihood, Outcome, Prediction, Questions, SAMPLE};
use crate::report::{Reduce, ScoredArm, scores_alone};
use crate::{Error, Result};

const PART: &str = "part";
const ARM: &str = "arm";
const PROMPT: &str = "prompt";
const REFERENCE: &str = "reference";
const PREDICTION: &str = "prediction";
const COMPLETION: &str = "completion";
const ERROR: &str = "error";
const FIXED: [&str; 11] =
    [PART, ARM, PROMPT, REFERENCE, PREDICTION, COMPLETION, ERROR, SAMPLE, "loglikelihood", "n-tokens", "n-bytes"];

/// Build the table. Columns of the data that would take the name of another column are left out.
///
/// # Errors
/// Sums that cannot be reduced; columns that do not fit together.
pub fn predictions_table(
    questions: &Questions,
    metrics: &[MetricDescriptor],
    arms: &[ScoredArm],
    reduce: &mut Reduce<'_>,
) -> Result<RecordBatch> {
    let mut columns = Columns::default();
    columns.per_row(PART, arms, |_, row| Some(&questions.parts[row]));
    columns.per_row(ARM, arms, |arm, _| Some(&arm.label));
    columns.per_row(PROMPT, arms, |_, row| Some(&questions.prompts[row]));
    columns.per_row(REFERENCE, arms, |_, row| Some(&questions.references[row]));
    columns.per_row(PREDICTION, arms, |arm, row| arm.predictions[row].answer());
    columns.per_row(COMPLETION, arms, |arm, row| Some(&arm.predictions[row].completion));
    columns.per_row(ERROR, arms, |arm, row| match &arm.predictions[row].outcome {
        Outcome::Answer(_) | Outcome::Unasked => None,
        Outcome::Failed(reason) => Some(reason),
    });
    if !questions.samples.is_empty() {
        let samples = arms.iter().flat_map(|_| questions.samples.iter().map(|sample| *sample as i64));
        columns.push(SAMPLE, DataType::Int64, Arc::new(Int64Array::from_iter_values(samples)));
    }
    columns.likelihoods(arms);
    for (index, metric) in metrics.iter().enumerate() {
        let mut scores = Vec::new();
        for arm in arms {
            scores.extend(scores_alone(metric, &arm.scores[index], &mut |sums| reduce(index, sums))?);
        }
        columns.push(&metric.id, DataType::Float64, Arc::new(Float64Array::from_iter(scores)));
        columns.per_row(&format!("{}:error", metric.id), arms, |arm, row| match &arm.scores[index][row] {
            RowScore::Score(_) | RowScore::Sums(_) => None,
            RowScore::Error(reason) => Some(reason),
        });
    }
    for (name, column) in &questions.columns {
        if !columns.has(name) && !arms.is_empty() {
            let repeated: Vec<&dyn Array> = arms.iter().map(|_| column.as_ref()).collect();
            let array = arrow_select::concat::concat(&repeated)?;
            columns.push(name, array.data_type().clone(), array);
        }
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(columns.fields)), columns.arrays)?)
}

#[derive(Default)]
struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl Columns {
    fn push(&mut self, name: &str, data_type: DataType, array: ArrayRef) {
        self.fields.push(Field::new(name, data_type, true));
        self.arrays.push(array);
    }

    fn per_row<'a>(
        &mut self,
        name: &str,
        arms: &'a [ScoredArm],
        text: impl Fn(&'a ScoredArm, usize) -> Option<&'a str>,
    ) {
        let text = &text;
        let values = arms.iter().flat_map(|arm| (0..arm.predictions.len()).map(move |row| text(arm, row)));
        self.push(name, DataType::Utf8, Arc::new(StringArray::from_iter(values)));
    }

    fn likelihoods(&mut self, arms: &[ScoredArm]) {
        let all = || arms.iter().flat_map(|arm| &arm.predictions);
        if all().all(|prediction| prediction.likelihood == Likelihood::Unasked) {
            return;
        }
        let loglikelihoods = all().map(|prediction| prediction.scored().map(|scored| scored.loglikelihood));
        self.push("loglikelihood", DataType::Float64, Arc::new(Float64Array::from_iter(loglikelihoods)));
        let n_tokens = all().map(|prediction| prediction.scored().map(|scored| scored.n_tokens as i64));
        self.push("n-tokens", DataType::Int64, Arc::new(Int64Array::from_iter(n_tokens)));
        let n_bytes = all().map(|prediction| prediction.scored().map(|scored| scored.n_bytes as i64));
        self.push("n-bytes", DataType::Int64, Arc::new(Int64Array::from_iter(n_bytes)));
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name() == name)
    }
}

/// Predictions read back from a table, for a metric that comes later.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPredictions {
    /// The rows that every arm was asked.
    pub questions: Questions,
    /// Label and predictions by arm, in the table's order.
    pub arms: Vec<(String, Vec<Prediction>)>,
}

/// Read a table that [`predictions_table`] made. Columns that are not its own become columns
/// of the questions; scores are left behind.
///
/// # Errors
/// A missing column, or arms that were asked different numbers of rows.
pub fn read_predictions(table: &RecordBatch) -> Result<StoredPredictions> {
    let arm_of = texts(table, ARM)?;
    let mut rows_of: Vec<(String, Vec<usize>)> = Vec::new();
    for row in 0..table.num_rows() {
        let label = arm_of.value(row);
        match rows_of.iter_mut().find(|(other, _)| other == label) {
            Some((_, rows)) => rows.push(row),
            None => rows_of.push((label.to_owned(), vec![row])),
        }
    }
    let first = rows_of.first().map(|(_, rows)| rows.clone()).unwrap_or_default();
    let (answers, completions, errors) = (texts(table, PREDICTION)?, texts(table, COMPLETION)?, texts(table, ERROR)?);
    let prediction = |&row: &usize| match errors.is_valid(row) {
        true => Prediction::failed(errors.value(row)),
        false => Prediction {
            completion: completions.value(row).to_owned(),
            outcome: if answers.is_valid(row) {
                Outcome::Answer(answers.value(row).to_owned())
            } else {
                Outcome::Unasked
            },
            likelihood: Likelihood::Unasked,
        },
    };
    let mut arms = Vec::new();
    for (label, rows) in &rows_of {
        crate::prediction::check_length(&format!("arm {label}"), first.len(), rows.len())?;
        arms.push((label.clone(), rows.iter().map(prediction).collect()));
    }
    Ok(StoredPredictions { questions: questions_of(table, &first)?, arms })
}

fn questions_of(table: &RecordBatch, rows: &[usize]) -> Result<Questions> {
    let column = |name: &str| -> Result<Vec<String>> {
        let values = texts(table, name)?;
        Ok(rows
            .iter()
            .map(|&row| if values.is_valid(row) { values.value(row).to_owned() } else { String::new() })
            .collect())
    };
    let mut columns = BTreeMap::new();
    for field in table.schema().fields() {
        let name = field.name();
        let is_score = table.column_by_name(&format!("{name}:error")).is_some();
        let is_own = FIXED.contains(&name.as_str()) || name.ends_with(":error") || is_score;
        if let (false, Some(array)) = (is_own, table.column_by_name(name)) {
            let rows = UInt64Array::from_iter_values(rows.iter().map(|&row| row as u64));
            columns.insert(name.clone(), arrow_select::take::take(array, &rows, None)?);
        }
    }
    let (parts, prompts, references) = (column(PART)?, column(PROMPT)?, column(REFERENCE)?);
    let mut questions = Questions { parts, prompts, references, columns, ..Questions::default() };
    let samples = table.column_by_name(SAMPLE).and_then(|column| column.as_any().downcast_ref::<Int64Array>());
    if let Some(samples) = samples {
        questions.samples = rows.iter().map(|&row| samples.value(row) as usize).collect();
        let groups = questions.groups(SAMPLE).unwrap_or_default();
        questions.clusters = groups.into_iter().map(|group| group.to_string()).collect();
    }
    Ok(questions)
}

fn texts<'a>(table: &'a RecordBatch, name: &str) -> Result<&'a StringArray> {
    table
        .column_by_name(name)
        .and_then(|column| column.as_any().downcast_ref::<StringArray>())
        .ok_or_else(|| Error::PredictionsColumn { column: name.into(), expected: "utf8" })
}

#[cfg(test)]
mod tests;
