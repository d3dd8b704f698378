//! `bleu`: corpus BLEU as sacreBLEU computes it, from sums of n-gram counts.
//!
//! A row gives counts; the corpus score, its interval and every comparison are computed from sums of
//! counts over rows, never from a mean of rows' scores. The options are sacreBLEU's, and so are the
//! values: tests/oracles/metrics.py.
//!
//! ```text
//! p_n = Σ matches of n-grams, clipped / Σ n-grams of the predictions        n = 1 … 4
//! BP  = 1 if the predictions are longer than the references, else exp(1 − r/c)
//! BLEU = 100 · BP · exp(Σ ln p_n / 4)
//! ```

mod corpus;
mod tokenize;
mod unicode;

use luthier_plugin::json::{Value, json};
use luthier_plugin::{
    Aggregation, Batch, Context, Databases, Error, Metric, MetricDescriptor, Options, Output, columns_batch,
    export_metric, text,
};

use corpus::{Counts, Smoothing};
use tokenize::Tokenizer;

/// The sums that the score is made of: both lengths, then matches and n-grams of each order.
const COLUMNS: [&str; 10] = [
    "length",
    "reference-length",
    "correct-1",
    "correct-2",
    "correct-3",
    "correct-4",
    "total-1",
    "total-2",
    "total-3",
    "total-4",
];

/// The opened metric.
pub struct Bleu {
    tokenizer: Tokenizer,
    lowercase: bool,
    smoothing: Smoothing,
    effective_order: bool,
    multiple_references: bool,
}

impl Metric for Bleu {
    fn describe() -> MetricDescriptor {
        let columns = COLUMNS.map(str::to_owned).to_vec();
        MetricDescriptor {
            config_schema: json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "tokenize": { "enum": tokenize::NAMES, "default": "13a" },
                    "smooth_method": { "enum": corpus::SMOOTHINGS, "default": "exp" },
                    "smooth_value": {
                        "type": "number", "minimum": 0,
                        "description": "of floor (default 0) and add-k (default 1)",
                    },
                    "lowercase": { "type": "boolean", "default": false },
                    "effective_order": {
                        "type": "boolean", "default": false,
                        "description": "leave out orders that no prediction is long enough for",
                    },
                    "multiple_references": {
                        "type": "boolean", "default": false,
                        "description": "the reference is a JSON list of texts",
                    },
                },
            }),
            ..MetricDescriptor::with_outputs(
                "bleu",
                "0.1.0",
                "corpus BLEU, as sacreBLEU computes it",
                &["prediction", "reference"],
                // Smoothed scores exceed 100 by a rounding.
                vec![Output::new("bleu", "BLEU, from 0 to 100", Aggregation::Sufficient(columns)).between(0.0, 100.0)],
            )
        }
    }

    fn open(config: Value, _context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        let mut options = Options::new(&config)?;
        let tokenizer = Tokenizer::named(options.choice("tokenize", "13a", &tokenize::NAMES));
        let method = options.choice("smooth_method", "exp", &corpus::SMOOTHINGS);
        let default = if method == "add-k" { 1.0 } else { 0.0 };
        let value = options.number("smooth_value", default, 0.0..=1e6);
        let metric = Bleu {
            tokenizer,
            lowercase: options.boolean("lowercase", false),
            smoothing: Smoothing::named(method, value),
            effective_order: options.boolean("effective_order", false),
            multiple_references: options.boolean("multiple_references", false),
        };
        options.finish()?;
        Ok(metric)
    }

    fn score(&mut self, rows: &Batch) -> Result<Batch, Error> {
        let (predictions, references) = (rows.utf8("prediction")?, rows.utf8("reference")?);
        let score = |row: usize| -> Result<Vec<f64>, String> {
            let references = text::references(references.text(row), self.multiple_references)?;
            let references: Vec<Vec<String>> = references.iter().map(|reference| self.tokens(reference)).collect();
            Ok(Counts::of(&self.tokens(predictions.text(row)), &references).to_columns())
        };
        let scores: Vec<_> = (0..rows.rows).map(score).collect();
        Ok(columns_batch(&COLUMNS, &scores))
    }

    fn reduce(&mut self, output: &str, sums: &[Vec<f64>]) -> Result<Vec<f64>, Error> {
        if output != "bleu" {
            return Err(Error::Unsupported(format!("there is no output `{output}`, only `bleu`")));
        }
        let score =
            |sums: &Vec<f64>| Counts::from_columns(sums).map(|sums| sums.bleu(self.smoothing, self.effective_order));
        sums.iter().map(score).collect()
    }
}

export_metric!(Bleu);

impl Bleu {
    fn tokens(&self, text: &str) -> Vec<String> {
        let text = if self.lowercase { text.to_lowercase() } else { text.to_owned() };
        self.tokenizer.tokens(text.trim_end_matches(luthier_plugin::text::is_white_space))
    }
}

#[cfg(test)]
mod tests;
