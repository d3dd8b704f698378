//! `multiple-choice`: whether the model holds the right choice for the likeliest, without generating
//! a word.
//!
//! The dataset has a column `choices` (a list of texts) and, as its reference, the right choice: its
//! text, its number from 0, or its letter from A. The model gives the log-likelihood of each choice
//! after the prompt.
//!
//! ```text
//! acc       argmax log-likelihood                          acc_norm   argmax log-likelihood / UTF-8 bytes of the choice
//! ```
//!
//! The definitions are lm-evaluation-harness's; the first of equally likely choices is taken.

use luthier_plugin::json::{self, Value, json};
use luthier_plugin::{
    Aggregation, Batch, ColumnSpec, Context, Databases, Error, LogicalType, Metric, MetricDescriptor, Options, Output,
    columns_batch, export_metric, text,
};

/// Columns, which are outputs.
const COLUMNS: [&str; 2] = ["acc", "acc_norm"];

/// The opened metric.
pub struct MultipleChoice {
    answer: &'static str,
}

impl Metric for MultipleChoice {
    fn describe() -> MetricDescriptor {
        let output = |name, description| Output::new(name, description, Aggregation::Proportion).between(0.0, 1.0);
        MetricDescriptor {
            config_schema: json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "answer": {
                        "enum": ["auto", "text", "number", "letter"], "default": "auto",
                        "description": "what the reference is; auto: the text of a choice, else its number from 0, else its letter",
                    },
                },
            }),
            inputs: vec![
                ColumnSpec::new("choices", LogicalType::Json, "the choices"),
                ColumnSpec::new("choice-loglikelihoods", LogicalType::Json, "of each choice, in nats"),
                ColumnSpec::new("reference", LogicalType::Utf8, "the right choice"),
            ],
            ..MetricDescriptor::with_outputs(
                "multiple-choice",
                "0.1.0",
                "share of rows whose right choice is the likeliest",
                &[],
                vec![
                    output("acc", "by log-likelihood"),
                    output("acc_norm", "by log-likelihood per UTF-8 byte of the choice"),
                ],
            )
        }
    }

    fn open(config: Value, _context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        let mut options = Options::new(&config)?;
        let answer = options.choice("answer", "auto", &["auto", "text", "number", "letter"]);
        options.finish()?;
        Ok(MultipleChoice { answer })
    }

    fn score(&mut self, rows: &Batch) -> Result<Batch, Error> {
        let (choices, references) = (rows.utf8("choices")?, rows.utf8("reference")?);
        let loglikelihoods = rows.utf8("choice-loglikelihoods")?;
        let score = |row: usize| self.row(choices.text(row), loglikelihoods.text(row), references.text(row));
        Ok(columns_batch(&COLUMNS, &(0..rows.rows).map(score).collect::<Vec<_>>()))
    }
}

export_metric!(MultipleChoice);

impl MultipleChoice {
    fn row(&self, choices: &str, loglikelihoods: &str, reference: &str) -> Result<Vec<f64>, String> {
        let choices: Vec<String> = json::from_str(choices).map_err(|error| format!("choices: {error}"))?;
        let loglikelihoods: Vec<f64> =
            json::from_str(loglikelihoods).map_err(|error| format!("loglikelihoods: {error}"))?;
        if choices.is_empty() || choices.len() != loglikelihoods.len() {
            return Err(format!("choices: {} with {} log-likelihoods", choices.len(), loglikelihoods.len()));
        }
        let right = self.right(&choices, reference).ok_or("unknown-answer")?;
        let normalized: Vec<f64> = loglikelihoods
            .iter()
            .zip(&choices)
            .map(|(loglikelihood, choice)| loglikelihood / choice.len().max(1) as f64)
            .collect();
        Ok([loglikelihoods, normalized].iter().map(|scores| f64::from(likeliest(scores) == right)).collect())
    }

    fn right(&self, choices: &[String], reference: &str) -> Option<usize> {
        let reference = text::strip(reference);
        let by_text = || choices.iter().position(|choice| text::strip(choice) == reference);
        let within = |number: usize| (number < choices.len()).then_some(number);
        let by_number = || reference.parse().ok().and_then(within);
        let by_letter = || {
            let [letter] = reference.as_bytes() else { return None };
            let letter = letter.to_ascii_uppercase();
            letter.is_ascii_uppercase().then(|| usize::from(letter - b'A')).and_then(within)
        };
        match self.answer {
            "text" => by_text(),
            "number" => by_number(),
            "letter" => by_letter(),
            _ => by_text().or_else(by_number).or_else(by_letter),
        }
    }
}

/// The first of the largest.
fn likeliest(scores: &[f64]) -> usize {
    let mut best = 0;
    for (index, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests;
