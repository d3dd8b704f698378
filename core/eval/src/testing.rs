//! Questions, predictions and metrics for this crate's tests.

use std::collections::BTreeMap;

use arrow_array::{Array, RecordBatch, StringArray};
use luthier_protocol::response::Signature;

use crate::metric::{Aggregation, Metric, MetricDescriptor, MetricInput, RowScore};
use crate::prediction::{Prediction, Questions};
use crate::report::ScoredArm;
use crate::{Result, score};

pub(crate) fn descriptor(id: &str, inputs: &[&str], aggregation: Aggregation) -> MetricDescriptor {
    MetricDescriptor {
        id: id.into(),
        version: "1.0.0".into(),
        summary: String::new(),
        inputs: inputs.iter().map(|&input| MetricInput::text(input)).collect(),
        higher_is_better: true,
        aggregation,
        bounds: (Some(0.0), Some(1.0)),
        group_by: None,
        digest: "sha256:abc".into(),
    }
}

/// Judges each row by a function of its columns; counts its calls.
pub(crate) struct ByRow {
    pub(crate) descriptor: MetricDescriptor,
    pub(crate) judge: fn(&[&str]) -> RowScore,
    pub(crate) n_calls: usize,
    /// Scores returned too few.
    pub(crate) n_missing: usize,
}

pub(crate) fn equal() -> ByRow {
    let judge = |row: &[&str]| match row {
        ["gold-error", ..] => RowScore::Error("gold-error".into()),
        [reference, prediction] => RowScore::Score(if reference == prediction { 1.0 } else { 0.0 }),
        _ => RowScore::Error("columns".into()),
    };
    let descriptor = descriptor("equal", &["reference", "prediction"], Aggregation::Proportion);
    ByRow { descriptor, judge, n_calls: 0, n_missing: 0 }
}

impl Metric for ByRow {
    fn descriptors(&self) -> &[MetricDescriptor] {
        std::slice::from_ref(&self.descriptor)
    }

    fn score(&mut self, rows: &RecordBatch) -> Result<Vec<Vec<RowScore>>> {
        self.n_calls += 1;
        let columns: Vec<&StringArray> =
            rows.columns().iter().map(|column| column.as_any().downcast_ref().unwrap()).collect();
        let row = |index| columns.iter().map(|column| column.value(index)).collect::<Vec<_>>();
        Ok(vec![(0..rows.num_rows() - self.n_missing).map(|index| (self.judge)(&row(index))).collect()])
    }
}

/// `n` questions in two parts; the reference of row `i` is `i mod 7`.
pub(crate) fn questions(n: usize) -> Questions {
    let column = |text: fn(usize) -> String| (0..n).map(text).collect::<Vec<_>>();
    Questions {
        parts: column(|i| if i % 3 == 0 { "unseen".into() } else { "seen".into() }),
        prompts: column(|i| format!("question {i}")),
        references: column(|i| (i % 7).to_string()),
        columns: BTreeMap::from([("database".to_owned(), texts(column(|i| format!("db{}", i % 2))))]),
        ..Questions::default()
    }
}

pub(crate) fn texts(values: Vec<String>) -> arrow_array::ArrayRef {
    std::sync::Arc::new(StringArray::from(values))
}

pub(crate) fn answer(text: impl Into<String>) -> Prediction {
    let text = text.into();
    Prediction::extracted(text.clone(), luthier_data::Answer::Found(text))
}

/// An arm that answers row `i` with `text(i)`, scored by `metric`.
pub(crate) fn arm(label: &str, questions: &Questions, metric: &mut ByRow, text: fn(usize) -> String) -> ScoredArm {
    let predictions: Vec<Prediction> = (0..questions.len()).map(|i| answer(text(i))).collect();
    let scores = score(metric, questions, &predictions, 16).unwrap();
    let signature = Signature { weights: label.into(), data: "sha256:data".into(), ..Signature::default() };
    ScoredArm { label: label.into(), signature, predictions, scores }
}
