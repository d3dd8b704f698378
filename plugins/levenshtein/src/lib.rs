//! `levenshtein`: edit distance of prediction and reference, in Unicode characters.
//!
//! ```text
//! similarity      1 − distance / max(|prediction|, |reference|)   (1 for two empty texts); mean
//! distance        insertions + deletions + substitutions; mean
//! character-error-rate   Σ distance / Σ |reference|; a ratio of sums over the corpus
//! ```

use luthier_plugin::json::{Value, json};
use luthier_plugin::{
    Aggregation, Batch, Context, Databases, Error, Metric, MetricDescriptor, Options, Output, columns_batch,
    export_metric,
};

/// Columns: two outputs, and the sums of the third.
const COLUMNS: [&str; 3] = ["similarity", "distance", "reference-characters"];
/// Longest text compared, in characters: the work is the product of both lengths.
const MAX_CHARACTERS: usize = 20_000;

/// The opened metric.
pub struct Levenshtein {
    ignore_case: bool,
}

impl Metric for Levenshtein {
    fn describe() -> MetricDescriptor {
        let distance = Output::new("distance", "edits from prediction to reference", Aggregation::Mean);
        let rate = Output::new(
            "character-error-rate",
            "edits per character of the references",
            Aggregation::Ratio("distance".to_owned(), "reference-characters".to_owned()),
        );
        MetricDescriptor {
            config_schema: json!({
                "type": "object",
                "additionalProperties": false,
                "properties": { "ignore_case": { "type": "boolean", "default": false } },
            }),
            ..MetricDescriptor::with_outputs(
                "levenshtein",
                "0.1.0",
                "edit distance of prediction and reference",
                &["prediction", "reference"],
                vec![
                    Output::new("similarity", "1 minus the distance over the longer length", Aggregation::Mean)
                        .between(0.0, 1.0),
                    Output { lower: Some(0.0), ..distance.lower_is_better() },
                    Output { lower: Some(0.0), ..rate.lower_is_better() },
                ],
            )
        }
    }

    fn open(config: Value, _context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        let mut options = Options::new(&config)?;
        let ignore_case = options.boolean("ignore_case", false);
        options.finish()?;
        Ok(Levenshtein { ignore_case })
    }

    fn score(&mut self, rows: &Batch) -> Result<Batch, Error> {
        let (predictions, references) = (rows.utf8("prediction")?, rows.utf8("reference")?);
        let scores: Vec<_> = (0..rows.rows).map(|row| self.row(predictions.text(row), references.text(row))).collect();
        Ok(columns_batch(&COLUMNS, &scores))
    }
}

export_metric!(Levenshtein);

impl Levenshtein {
    fn row(&self, prediction: &str, reference: &str) -> Result<Vec<f64>, String> {
        let characters = |text: &str| -> Vec<char> {
            if self.ignore_case { text.to_lowercase().chars().collect() } else { text.chars().collect() }
        };
        let (prediction, reference) = (characters(prediction), characters(reference));
        let longest = prediction.len().max(reference.len());
        if longest > MAX_CHARACTERS {
            return Err(format!("too-long: {longest} characters, at most {MAX_CHARACTERS}"));
        }
        let distance = distance(&prediction, &reference) as f64;
        let similarity = if longest == 0 { 1.0 } else { 1.0 - distance / longest as f64 };
        Ok(vec![similarity, distance, reference.len() as f64])
    }
}

/// Wagner and Fischer's table, one row at a time.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests;
