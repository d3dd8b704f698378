//! `precision-recall-f1`: classification and extraction, scored as scikit-learn does.
//!
//! *Classification* (`labels` given): the label is taken out of the prediction, and the corpus comes
//! to precision, recall and F1, averaged over labels (`average`: `macro`, `micro`, `weighted`, or
//! `binary` for the one label `positive`), and accuracy. A prediction without a label is wrong, and
//! counts for no label. With `extract`: `exact` (the whole text, case and ends aside), `first` or
//! `last` (the first or last label that stands as a word of its own in the text).
//!
//! *Extraction* (no `labels`): prediction and reference are lists of items, as JSON lists of texts or
//! one per line; precision, recall and F1 are those of all items together (`micro`). Accuracy is
//! the share of rows with exactly the reference's items.
//!
//! All are computed from sums of true positives, false positives and false negatives by label:
//!
//! ```text
//! precision = TP / (TP + FP)      recall = TP / (TP + FN)      F1 = 2 TP / (2 TP + FP + FN)      0 / 0 = 0
//! ```

mod average;
mod extract;

use luthier_plugin::json::{Value, json};
use luthier_plugin::{
    Aggregation, Batch, Context, Databases, Error, Metric, MetricDescriptor, Options, Output, columns_batch,
    export_metric,
};

use average::Average;
use extract::Task;

/// Most labels of a classification: each has three columns, used or not.
pub(crate) const MAX_LABELS: usize = 20;

/// The opened metric.
pub struct PrecisionRecallF1 {
    task: Task,
    average: Average,
}

/// `tp-1`, `fp-1`, `fn-1`, …
fn count_columns() -> Vec<String> {
    (1..=MAX_LABELS).flat_map(|label| ["tp", "fp", "fn"].map(|count| format!("{count}-{label}"))).collect()
}

impl Metric for PrecisionRecallF1 {
    fn describe() -> MetricDescriptor {
        let averaged = |name, description| {
            Output::new(name, description, Aggregation::Sufficient(count_columns())).between(0.0, 1.0)
        };
        MetricDescriptor {
            config_schema: json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "labels": {
                        "type": "array", "items": { "type": "string" }, "maxItems": MAX_LABELS,
                        "description": "the classes; none for extraction of items",
                    },
                    "average": { "enum": average::NAMES, "default": "macro" },
                    "positive": { "type": "string", "description": "the label that `binary` is about" },
                    "extract": { "enum": extract::NAMES, "default": "exact" },
                },
            }),
            ..MetricDescriptor::with_outputs(
                "precision-recall-f1",
                "0.1.0",
                "precision, recall and F1 of classes or of extracted items",
                &["prediction", "reference"],
                vec![
                    averaged("f1", "harmonic mean of precision and recall"),
                    averaged("precision", "share of what was found that is right"),
                    averaged("recall", "share of what is right that was found"),
                    Output::new("accuracy", "share of rows that are right", Aggregation::Proportion).between(0.0, 1.0),
                ],
            )
        }
    }

    fn open(config: Value, _context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        let mut options = Options::new(&config)?;
        let labels: Vec<String> = options.texts("labels").into_iter().map(str::to_owned).collect();
        if labels.len() > MAX_LABELS {
            options.issue("labels", format!("at most {MAX_LABELS} labels, found {}", labels.len()));
        }
        let extraction = extract::Rule::named(options.choice("extract", "exact", &extract::NAMES));
        let name = options.choice("average", if labels.is_empty() { "micro" } else { "macro" }, &average::NAMES);
        let positive = options.text("positive");
        let position = positive.and_then(|positive| labels.iter().position(|label| label == positive));
        let average = match (name, position) {
            ("binary", Some(position)) => Average::Binary(position),
            ("binary", None) => {
                options.issue("positive", "`binary` needs `positive`, one of `labels`");
                Average::Micro
            }
            ("micro", _) => Average::Micro,
            ("weighted", _) => Average::Weighted(labels.len()),
            _ => Average::Macro(labels.len()),
        };
        if labels.is_empty() && name != "micro" {
            options.issue("average", format!("without `labels` there is `micro` only, found `{name}`"));
        }
        options.finish()?;
        let task = if labels.is_empty() { Task::Extraction } else { Task::classification(labels, extraction) };
        Ok(PrecisionRecallF1 { task, average })
    }

    fn score(&mut self, rows: &Batch) -> Result<Batch, Error> {
        let (predictions, references) = (rows.utf8("prediction")?, rows.utf8("reference")?);
        let scores: Vec<_> = (0..rows.rows)
            .map(|row| {
                let (counts, is_right) = self.task.counts(predictions.text(row), references.text(row))?;
                Ok(counts.into_iter().flatten().chain([f64::from(is_right)]).collect())
            })
            .collect();
        let names: Vec<String> = count_columns().into_iter().chain(["accuracy".to_owned()]).collect();
        Ok(columns_batch(&names.iter().map(String::as_str).collect::<Vec<_>>(), &scores))
    }

    fn reduce(&mut self, output: &str, sums: &[Vec<f64>]) -> Result<Vec<f64>, Error> {
        let measure = average::Measure::named(output)
            .ok_or_else(|| Error::Unsupported(format!("output `{output}` is not reduced from sums")))?;
        sums.iter().map(|sums| average::average(measure, self.average, sums)).collect()
    }
}

export_metric!(PrecisionRecallF1);

#[cfg(test)]
mod tests;
