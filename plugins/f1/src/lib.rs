//! `f1`: token overlap of prediction and reference as in SQuAD's evaluation script.
//!
//! Both texts are lower-cased, stripped of ASCII punctuation and of the articles *a*, *an*, *the*, and
//! split at white space; F1 is that of the two bags of tokens. Where either is empty, F1 is 1 if both
//! are, else 0 (SQuAD 2.0's rule for questions without an answer). With `multiple_references` the
//! reference is a JSON list of texts, and the best of them counts.
//!
//! ```text
//! overlap = Σ min(count in prediction, count in reference)
//! precision = overlap / |prediction|    recall = overlap / |reference|    F1 = 2PR / (P + R)
//! ```
//!
//! Values equal SQuAD 2.0's script: tests/oracles/metrics.py.

mod squad;

use luthier_plugin::json::{Value, json};
use luthier_plugin::{
    Aggregation, Batch, Context, Databases, Error, Metric, MetricDescriptor, Options, Output, columns_batch,
    export_metric, text,
};

/// Columns, which are outputs.
const COLUMNS: [&str; 4] = ["f1", "precision", "recall", "exact"];

/// The opened metric.
pub struct F1 {
    multiple_references: bool,
}

impl Metric for F1 {
    fn describe() -> MetricDescriptor {
        let mean = |name, description| Output::new(name, description, Aggregation::Mean).between(0.0, 1.0);
        MetricDescriptor {
            config_schema: json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "multiple_references": {
                        "type": "boolean", "default": false,
                        "description": "the reference is a JSON list of texts; the best of them counts",
                    },
                },
            }),
            ..MetricDescriptor::with_outputs(
                "f1",
                "0.1.0",
                "token overlap of prediction and reference, normalized as in SQuAD",
                &["prediction", "reference"],
                vec![
                    mean("f1", "harmonic mean of precision and recall"),
                    mean("precision", "share of the prediction's tokens that the reference has"),
                    mean("recall", "share of the reference's tokens that the prediction has"),
                    Output::new(
                        "exact",
                        "share of predictions that are the reference, normalized",
                        Aggregation::Proportion,
                    )
                    .between(0.0, 1.0),
                ],
            )
        }
    }

    fn open(config: Value, _context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        let mut options = Options::new(&config)?;
        let multiple_references = options.boolean("multiple_references", false);
        options.finish()?;
        Ok(F1 { multiple_references })
    }

    fn score(&mut self, rows: &Batch) -> Result<Batch, Error> {
        let (predictions, references) = (rows.utf8("prediction")?, rows.utf8("reference")?);
        let score = |row: usize| -> Result<Vec<f64>, String> {
            let references = text::references(references.text(row), self.multiple_references)?;
            let best = references
                .iter()
                .map(|reference| squad::score(predictions.text(row), reference))
                .reduce(|best, score| if score.f1 > best.f1 { score } else { best });
            let best = best.ok_or("no-reference")?;
            Ok(vec![best.f1, best.precision, best.recall, best.exact])
        };
        let scores: Vec<_> = (0..rows.rows).map(score).collect();
        Ok(columns_batch(&COLUMNS, &scores))
    }
}

export_metric!(F1);

#[cfg(test)]
mod tests;
