//! `bits-per-byte`: what the model needs on average to write a byte of the references down.
//!
//! ```text
//! bits per byte = − Σ log-likelihood / (ln 2 · Σ UTF-8 bytes)
//! ```
//!
//! The reference is scored after its prompt, or as a whole document where a row has no prompt. Models
//! with different tokenizers can be compared by it. The definition is lm-evaluation-harness's.

use luthier_plugin::json::Value;
use luthier_plugin::{
    Aggregation, Batch, ColumnSpec, Context, Databases, Error, LogicalType, Metric, MetricDescriptor, Options, Output,
    columns_batch, export_metric,
};

/// The opened metric.
pub struct BitsPerByte;

impl Metric for BitsPerByte {
    fn describe() -> MetricDescriptor {
        let ratio = Aggregation::Ratio("bits".to_owned(), "bytes".to_owned());
        let output = Output::new("bits-per-byte", "negative log-likelihood in bits per UTF-8 byte", ratio);
        MetricDescriptor {
            inputs: vec![
                ColumnSpec::new("loglikelihood", LogicalType::Float64, "of the reference, in nats"),
                ColumnSpec::new("n-bytes", LogicalType::Int64, "UTF-8 bytes of the reference"),
            ],
            ..MetricDescriptor::with_outputs(
                "bits-per-byte",
                "0.1.0",
                "negative log-likelihood of the references, in bits per byte",
                &[],
                vec![Output { lower: Some(0.0), ..output.lower_is_better() }],
            )
        }
    }

    fn open(config: Value, _context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        Options::new(&config)?.finish()?;
        Ok(BitsPerByte)
    }

    fn score(&mut self, rows: &Batch) -> Result<Batch, Error> {
        let (loglikelihoods, n_bytes) = (rows.float64("loglikelihood")?, rows.int64("n-bytes")?);
        let score = |row: usize| -> Result<Vec<f64>, String> {
            let loglikelihood = loglikelihoods.get(row).ok_or("no-loglikelihood")?;
            match n_bytes.get(row).ok_or("no-bytes")? {
                0 => Err("empty-reference".to_owned()),
                n => Ok(vec![-loglikelihood / std::f64::consts::LN_2, n as f64]),
            }
        };
        Ok(columns_batch(&["bits", "bytes"], &(0..rows.rows).map(score).collect::<Vec<_>>()))
    }
}

export_metric!(BitsPerByte);

#[cfg(test)]
mod tests;
