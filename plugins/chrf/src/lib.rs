//! `chrf`: chrF and chrF++ as sacreBLEU computes them, from sums of n-gram counts.
//!
//! The score is an F-measure of character n-grams (and, with `word_order = 2`, of word n-grams:
//! chrF++), averaged over orders. A row gives counts; the corpus score comes from their sums.
//!
//! ```text
//! P_n = matches / n-grams of the predictions      R_n = matches / n-grams of the references
//! chrF = 100 · (1 + β²) P R / (β² P + R),  P and R means over the orders that both sides have
//! ```

mod counts;

use luthier_plugin::json::{Value, json};
use luthier_plugin::{
    Aggregation, Batch, Context, Databases, Error, Metric, MetricDescriptor, Options, Output, columns_batch,
    export_metric, text,
};

use counts::{Counts, MAX_CHARACTER_ORDER, MAX_WORD_ORDER, N_ORDERS};

/// The opened metric.
pub struct Chrf {
    character_order: usize,
    word_order: usize,
    beta: f64,
    lowercase: bool,
    whitespace: bool,
    multiple_references: bool,
}

/// `hypothesis-1`, `reference-1`, `match-1`, …: characters' orders first, then words'.
fn columns() -> Vec<String> {
    (1..=N_ORDERS).flat_map(|n| ["hypothesis", "reference", "match"].map(|what| format!("{what}-{n}"))).collect()
}

impl Metric for Chrf {
    fn describe() -> MetricDescriptor {
        MetricDescriptor {
            config_schema: json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "char_order": { "type": "integer", "minimum": 1, "maximum": MAX_CHARACTER_ORDER, "default": 6 },
                    "word_order": {
                        "type": "integer", "minimum": 0, "maximum": MAX_WORD_ORDER, "default": 0,
                        "description": "2 is chrF++",
                    },
                    "beta": { "type": "number", "minimum": 0.01, "maximum": 100, "default": 2 },
                    "lowercase": { "type": "boolean", "default": false },
                    "whitespace": { "type": "boolean", "default": false, "description": "white space counts" },
                    "multiple_references": {
                        "type": "boolean", "default": false,
                        "description": "the reference is a JSON list of texts; the best of them counts",
                    },
                },
            }),
            ..MetricDescriptor::with_outputs(
                "chrf",
                "0.1.0",
                "character n-gram F-score (chrF, chrF++), as sacreBLEU computes it",
                &["prediction", "reference"],
                vec![
                    Output::new("chrf", "chrF, from 0 to 100", Aggregation::Sufficient(columns())).between(0.0, 100.0),
                ],
            )
        }
    }

    fn open(config: Value, _context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        let mut options = Options::new(&config)?;
        let metric = Chrf {
            character_order: options.integer("char_order", 6, 1..=MAX_CHARACTER_ORDER as u64) as usize,
            word_order: options.integer("word_order", 0, 0..=MAX_WORD_ORDER as u64) as usize,
            beta: options.number("beta", 2.0, 0.01..=100.0),
            lowercase: options.boolean("lowercase", false),
            whitespace: options.boolean("whitespace", false),
            multiple_references: options.boolean("multiple_references", false),
        };
        options.finish()?;
        Ok(metric)
    }

    fn score(&mut self, rows: &Batch) -> Result<Batch, Error> {
        let (predictions, references) = (rows.utf8("prediction")?, rows.utf8("reference")?);
        let scores: Vec<_> = (0..rows.rows).map(|row| self.row(predictions.text(row), references.text(row))).collect();
        let names = columns();
        Ok(columns_batch(&names.iter().map(String::as_str).collect::<Vec<_>>(), &scores))
    }

    fn reduce(&mut self, output: &str, sums: &[Vec<f64>]) -> Result<Vec<f64>, Error> {
        if output != "chrf" {
            return Err(Error::Unsupported(format!("there is no output `{output}`, only `chrf`")));
        }
        sums.iter().map(|sums| Counts::from_columns(sums).map(|sums| sums.score(self.beta))).collect()
    }
}

export_metric!(Chrf);

impl Chrf {
    fn row(&self, prediction: &str, reference: &str) -> Result<Vec<f64>, String> {
        let references = text::references(reference, self.multiple_references)?;
        let prediction = self.n_grams(prediction);
        let best = references
            .iter()
            .map(|reference| Counts::of(&prediction, &self.n_grams(reference)))
            .reduce(|best, counts| if counts.score(self.beta) > best.score(self.beta) { counts } else { best });
        best.map(Counts::into_columns).ok_or_else(|| "no-reference".to_owned())
    }

    fn n_grams(&self, text: &str) -> counts::NGrams {
        let text = if self.lowercase { text.to_lowercase() } else { text.to_owned() };
        counts::n_grams(&text, self.character_order, self.word_order, self.whitespace)
    }
}

#[cfg(test)]
mod tests;
