//! `perplexity`: how surprised the model is by the references, per token, per word and per byte.
//!
//! ```text
//! perplexity       exp(− Σ log-likelihood / Σ tokens)       of the model's own tokens
//! word-perplexity  exp(− Σ log-likelihood / Σ words)        words: runs without white space
//! byte-perplexity  exp(− Σ log-likelihood / Σ UTF-8 bytes)
//! ```
//!
//! The first compares a model with its own adapters; models with different tokenizers are compared
//! by the others (or by `bits-per-byte`). Words and bytes are those of the reference as the dataset
//! has it. The definitions are lm-evaluation-harness's.

use luthier_plugin::json::Value;
use luthier_plugin::{
    Aggregation, Batch, ColumnSpec, Context, Databases, Error, LogicalType, Metric, MetricDescriptor, Options, Output,
    columns_batch, export_metric, text,
};

/// What is summed.
const COLUMNS: [&str; 4] = ["negative-loglikelihood", "tokens", "words", "bytes"];
/// Outputs, and what each divides by.
const OUTPUTS: [(&str, &str, &str); 3] = [
    ("perplexity", "tokens", "per token of the model"),
    ("word-perplexity", "words", "per word"),
    ("byte-perplexity", "bytes", "per UTF-8 byte"),
];

/// The opened metric.
pub struct Perplexity;

impl Metric for Perplexity {
    fn describe() -> MetricDescriptor {
        let output = |(name, column, description): (&str, &str, &str)| {
            let sums = Aggregation::Sufficient(vec![COLUMNS[0].to_owned(), column.to_owned()]);
            Output { lower: Some(1.0), ..Output::new(name, description, sums).lower_is_better() }
        };
        MetricDescriptor {
            inputs: vec![
                ColumnSpec::new("reference", LogicalType::Utf8, "what is scored; its words are counted"),
                ColumnSpec::new("loglikelihood", LogicalType::Float64, "of the reference, in nats"),
                ColumnSpec::new("n-tokens", LogicalType::Int64, "tokens scored"),
                ColumnSpec::new("n-bytes", LogicalType::Int64, "UTF-8 bytes scored"),
            ],
            ..MetricDescriptor::with_outputs(
                "perplexity",
                "0.1.0",
                "exponential of the mean negative log-likelihood of the references",
                &[],
                OUTPUTS.map(output).to_vec(),
            )
        }
    }

    fn open(config: Value, _context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        Options::new(&config)?.finish()?;
        Ok(Perplexity)
    }

    fn score(&mut self, rows: &Batch) -> Result<Batch, Error> {
        let (references, loglikelihoods) = (rows.utf8("reference")?, rows.float64("loglikelihood")?);
        let (n_tokens, n_bytes) = (rows.int64("n-tokens")?, rows.int64("n-bytes")?);
        let score = |row: usize| -> Result<Vec<f64>, String> {
            let loglikelihood = loglikelihoods.get(row).ok_or("no-loglikelihood")?;
            let n_words = text::words(references.text(row)).count();
            match (n_tokens.get(row), n_bytes.get(row)) {
                (Some(tokens @ 1..), Some(bytes @ 1..)) if n_words > 0 => {
                    Ok(vec![-loglikelihood, tokens as f64, n_words as f64, bytes as f64])
                }
                _ => Err("empty-reference".to_owned()),
            }
        };
        Ok(columns_batch(&COLUMNS, &(0..rows.rows).map(score).collect::<Vec<_>>()))
    }

    fn reduce(&mut self, output: &str, sums: &[Vec<f64>]) -> Result<Vec<f64>, Error> {
        if !OUTPUTS.iter().any(|(name, ..)| *name == output) {
            return Err(Error::Unsupported(format!("there is no output `{output}`")));
        }
        sums.iter()
            .map(|sums| match sums.as_slice() {
                [negative_loglikelihood, n] => Ok((negative_loglikelihood / n).exp()),
                other => Err(Error::Internal(format!("{} sums, expected 2", other.len()))),
            })
            .collect()
    }
}

export_metric!(Perplexity);

#[cfg(test)]
mod tests;
