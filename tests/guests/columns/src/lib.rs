//! `columns`: the share of bytes in which a prediction and its reference agree. As a guest it is what the
//! throughput of typed columns is measured with; natively it is what that is compared with.

use luthier_plugin::json::Value;
use luthier_plugin::{
    Aggregation, Batch, Context, Databases, Error, Metric, MetricDescriptor, Output, RowScore, export_metric,
    score_batch,
};

/// The metric.
pub struct Columns;

impl Metric for Columns {
    fn describe() -> MetricDescriptor {
        let output = Output::new("score", "share of equal bytes", Aggregation::Mean).between(0.0, 1.0);
        MetricDescriptor::with_outputs(
            "columns",
            "0.1.0",
            "share of bytes in which both texts agree",
            &["prediction", "reference"],
            vec![output],
        )
    }

    fn open(_config: Value, _context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        Ok(Self)
    }

    fn score(&mut self, rows: &Batch) -> Result<Batch, Error> {
        let (predictions, references) = (rows.utf8("prediction")?, rows.utf8("reference")?);
        let scores: Vec<RowScore> =
            (0..rows.rows).map(|row| RowScore::Score(agreement(predictions.text(row), references.text(row)))).collect();
        Ok(score_batch("score", &scores))
    }
}

export_metric!(Columns);

/// Share of positions with equal bytes, among those of the longer text.
pub fn agreement(a: &str, b: &str) -> f64 {
    let equal = a.bytes().zip(b.bytes()).filter(|(a, b)| a == b).count();
    let longest = a.len().max(b.len());
    if longest == 0 { 1.0 } else { equal as f64 / longest as f64 }
}
