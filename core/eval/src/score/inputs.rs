//! The columns that a metric is shown.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow_cast::can_cast_types;
use arrow_schema::{DataType, Field, Schema};

use crate::metric::{InputType, MetricDescriptor, MetricInput};
use crate::prediction::{Prediction, Questions, SAMPLE, Scored};
use crate::{Error, Result};

/// Columns that every evaluation has; they hide columns of the same name in the data.
pub const OWN_COLUMNS: [&str; 5] = ["prompt", "prediction", "reference", "completion", SAMPLE];
/// Columns that an evaluation has as soon as a metric asks for them: the log-likelihood of the
/// reference in nats, the tokens and UTF-8 bytes scored, and the log-likelihood of each of the row's
/// `choices` (a JSON list).
pub const LIKELIHOOD_COLUMNS: [&str; 4] = ["loglikelihood", "n-tokens", "n-bytes", CHOICE_LOGLIKELIHOODS];
const CHOICE_LOGLIKELIHOODS: &str = "choice-loglikelihoods";
/// The dataset's column of choices: a list of texts, or a JSON list.
const CHOICES: &str = "choices";

/// It judges generated text.
pub fn needs_text(metric: &MetricDescriptor) -> bool {
    metric.reads("prediction") || metric.reads("completion")
}

/// It judges log-likelihoods.
pub fn needs_likelihood(metric: &MetricDescriptor) -> bool {
    LIKELIHOOD_COLUMNS.iter().any(|column| metric.reads(column))
}

/// It judges the log-likelihoods of choices.
pub fn needs_choices(metric: &MetricDescriptor) -> bool {
    metric.reads(CHOICE_LOGLIKELIHOODS)
}

/// Refuse a metric whose inputs the data does not have, or has in another type. Called before anything
/// is generated.
///
/// # Errors
/// A column that nobody has, or that has another type or nulls.
pub fn check_inputs(metric: &MetricDescriptor, questions: &Questions) -> Result<()> {
    let own = OWN_COLUMNS.into_iter().chain(LIKELIHOOD_COLUMNS);
    let available: Vec<&str> = own.chain(questions.columns.keys().map(String::as_str)).collect();
    let unknown = |column: &str| Error::UnknownInput {
        metric: metric.id.clone(),
        column: column.to_owned(),
        nearest: nearest(column, &available),
        available: available.iter().map(|&name| name.to_owned()).collect(),
    };
    for input in &metric.inputs {
        if !available.contains(&input.name.as_str()) {
            return Err(unknown(&input.name));
        }
        check_type(metric, input, questions)?;
    }
    if needs_choices(metric) && !questions.columns.contains_key(CHOICES) {
        return Err(unknown(CHOICES));
    }
    match &metric.group_by {
        Some(column) if questions.groups(column).is_none() => Err(unknown(column)),
        _ => Ok(()),
    }
}

/// The type of one of the evaluation's own columns.
fn own_type(name: &str) -> Option<DataType> {
    Some(match name {
        "prompt" | "prediction" | "reference" | "completion" | CHOICE_LOGLIKELIHOODS => DataType::Utf8,
        "loglikelihood" => DataType::Float64,
        SAMPLE | "n-tokens" | "n-bytes" => DataType::Int64,
        _ => return None,
    })
}

fn check_type(metric: &MetricDescriptor, input: &MetricInput, questions: &Questions) -> Result<()> {
    let own = own_type(&input.name);
    let column = questions.columns.get(&input.name).filter(|_| own.is_none());
    let found = own.or_else(|| column.map(|column| column.data_type().clone())).unwrap_or(DataType::Utf8);
    let fits = match input.ty {
        InputType::Any | InputType::Json => true,
        InputType::Utf8 => can_cast_types(&found, &DataType::Utf8),
        InputType::Float64 => found.is_numeric(),
        InputType::Int64 => found.is_integer(),
        InputType::Boolean => found == DataType::Boolean,
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

/// These rows, as the columns that the metric reads.
pub(super) fn batch(
    metric: &MetricDescriptor,
    questions: &Questions,
    predictions: &[Prediction],
    rows: &[usize],
) -> Result<RecordBatch> {
    let mut fields = Vec::with_capacity(metric.inputs.len());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(metric.inputs.len());
    for MetricInput { name, .. } in &metric.inputs {
        let column = column(name, questions, predictions, rows)?;
        fields.push(Field::new(name, column.data_type().clone(), column.is_nullable()));
        columns.push(column);
    }
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}

fn column(name: &str, questions: &Questions, predictions: &[Prediction], rows: &[usize]) -> Result<ArrayRef> {
    let texts = |text: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|&row| text(row))))
    };
    let scored = |row: usize| predictions[row].scored();
    let integers = |value: &dyn Fn(&Scored) -> u64| -> ArrayRef {
        let values = rows.iter().map(|&row| scored(row).map_or(0, value) as i64);
        Arc::new(Int64Array::from_iter_values(values))
    };
    // A metric that reads log-likelihoods is shown rows that have them, and no others.
    Ok(match name {
        "prompt" => texts(&|row| questions.prompts[row].clone()),
        "reference" => texts(&|row| questions.references[row].clone()),
        "prediction" => texts(&|row| predictions[row].answer().unwrap_or_default().to_owned()),
        "completion" => texts(&|row| predictions[row].completion.clone()),
        SAMPLE => {
            let samples = rows.iter().map(|&row| questions.samples.get(row).map_or(0, |sample| *sample as i64));
            Arc::new(Int64Array::from_iter_values(samples))
        }
        "loglikelihood" => {
            let values = rows.iter().map(|&row| scored(row).map_or(0.0, |scored| scored.loglikelihood));
            Arc::new(Float64Array::from_iter_values(values))
        }
        "n-tokens" => integers(&|scored| scored.n_tokens),
        "n-bytes" => integers(&|scored| scored.n_bytes),
        CHOICE_LOGLIKELIHOODS => texts(&|row| scored(row).map_or_else(String::new, |scored| json(&scored.choices))),
        name => {
            let rows = UInt64Array::from_iter_values(rows.iter().map(|&row| row as u64));
            match questions.columns.get(name) {
                Some(column) => arrow_select::take::take(column, &rows, None)?,
                // `check_inputs` has seen that it is there.
                None => Arc::new(StringArray::new_null(rows.len())),
            }
        }
    })
}

/// A JSON list of numbers.
fn json(numbers: &[f64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(|number| format!("{number:?}")).collect();
    format!("[{}]", numbers.join(","))
}
