//! Scores: by metric plugins in the engine, or by a closure in this process.

use std::path::Path;

use luthier_protocol::response::Evaluation;
use luthier_protocol::spec::{ArmSpec, EvaluateSpec, GenerationSpec, MetricSpec, ProviderSpec};
use luthier_protocol::{Request, Response};
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, read_rows, unexpected};
use crate::error::Result;
use crate::{interrupt, session};

/// The result of an evaluation: one row per arm, metric and part, with interval, n and signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores(pub Evaluation);

/// One row of the split with a model's answer to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Which arm answered.
    #[serde(default)]
    pub arm: String,
    /// Part of the split, if it has parts.
    #[serde(default)]
    pub part: String,
    /// What was asked: the dataset's prompt column.
    #[serde(default)]
    pub prompt: String,
    /// What the dataset says.
    #[serde(default)]
    pub reference: String,
    /// What the model says, after the task template has taken it out of the completion.
    #[serde(default)]
    pub prediction: String,
    /// The whole text that the model generated.
    #[serde(default)]
    pub completion: String,
    /// Why there is no prediction, if there is none.
    #[serde(default)]
    pub error: Option<String>,
    /// The row's other columns, as the dataset names them (its own `question`, say).
    #[serde(flatten)]
    pub columns: serde_json::Map<String, serde_json::Value>,
}

impl Prediction {
    /// A column of the dataset as text; empty if there is none, or no text.
    pub fn column(&self, name: &str) -> &str {
        self.columns.get(name).and_then(serde_json::Value::as_str).unwrap_or_default()
    }
}

/// Score arms on a split (`test` unless the dataset is limited to another) with metric plugins.
pub fn evaluate(arms: Vec<ArmSpec>, data: &Dataset, metrics: Vec<String>) -> Result<Scores> {
    match session::request(Request::Evaluate(spec(arms, data, metrics)))? {
        Response::Evaluated(evaluation) => Ok(Scores(evaluation)),
        other => Err(unexpected("an evaluation", &other)),
    }
}

/// Score arms with a closure. The engine generates and does the statistics; the closure runs in
/// this process, *local, unsandboxed*, and the signature of every score says so.
pub fn evaluate_with<S: Into<Option<f64>>>(
    arms: Vec<ArmSpec>,
    data: &Dataset,
    metric: &str,
    mut score: impl FnMut(&Prediction) -> S,
) -> Result<Scores> {
    let (predictions, path) = match session::request(Request::Predict(spec(arms, data, Vec::new())))? {
        Response::Predicted { predictions, path, .. } => (predictions, path),
        other => return Err(unexpected("predictions", &other)),
    };
    let rows: Vec<Prediction> = read_rows(data.name(), Path::new(&path))?;
    let mut scores = Vec::with_capacity(rows.len());
    for row in &rows {
        interrupt::check()?;
        // A score that is not a number is no score.
        scores.push(score(row).into().filter(|score| score.is_finite()));
    }
    match session::request(Request::RecordLocal { predictions, metric: metric.into(), scores })? {
        Response::Evaluated(evaluation) => Ok(Scores(evaluation)),
        other => Err(unexpected("an evaluation", &other)),
    }
}

fn spec(arms: Vec<ArmSpec>, data: &Dataset, metrics: Vec<String>) -> EvaluateSpec {
    EvaluateSpec {
        name: None,
        model: None,
        models: arms,
        data: data.name().into(),
        split: data.split_name().unwrap_or("test").into(),
        metrics: metrics.into_iter().map(MetricSpec::from).collect(),
        by: None,
        limit: None,
        generation: GenerationSpec::default(),
        samples: 1,
        base_url: None,
        provider: ProviderSpec::default(),
        confidence: 0.95,
        seed: 0,
        predictions: None,
    }
}
