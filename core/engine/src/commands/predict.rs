//! Predictions for a client's closure, and the scores that it returns. They are signed as *local*:
//! nobody else can run the closure.

use luthier_eval::table::{StoredPredictions, predictions_table};
use luthier_eval::{Aggregation, MetricDescriptor, ReportOptions, RowScore, ScoredArm};
use luthier_protocol::Response;
use luthier_protocol::response::Evaluation;
use luthier_protocol::spec::EvaluateSpec;

use super::evaluate::{EXAMPLES_PER_PART, evaluation_name};
use crate::Error;
use crate::error::AtExt;
use crate::project::check_name;
use crate::scoring::{Bench, Needs, read_predictions, write_jsonl, write_parquet};
use crate::service::Context;
use crate::store::PredictionRecord;

pub(crate) fn predict(context: Context<'_>, spec: &EvaluateSpec) -> Result<Response, Error> {
    let mut bench = Bench::open(context, spec)?;
    let needs = Needs { text: true, likelihood: false, choices: false, samples: spec.samples as usize };
    let predictions = bench.predict(context, spec, needs)?;
    let signatures: Vec<_> = bench.arms.iter().map(|arm| (arm.label.clone(), bench.signature(arm, spec))).collect();
    let arms: Vec<ScoredArm> = signatures
        .iter()
        .zip(predictions)
        .map(|((label, signature), predictions)| ScoredArm {
            label: label.clone(),
            signature: signature.clone(),
            predictions,
            scores: Vec::new(),
        })
        .collect();
    let id = id(&signatures);
    let dir = context.project.subdir("cache")?;
    let table = dir.join(format!("{id}.parquet"));
    write_parquet(&table, &predictions_table(&bench.questions, &[], &arms, &mut no_sums)?)?;
    let path = dir.join(format!("{id}.jsonl"));
    let texts: Vec<_> = arms.into_iter().map(|arm| (arm.label, arm.predictions)).collect();
    let n_rows = write_jsonl(&path, &bench.questions, &texts)?;
    let signature = signatures.first().map(|(_, signature)| signature.clone()).unwrap_or_default();
    let record = PredictionRecord {
        id: id.clone(),
        evaluation: evaluation_name(context, spec, &bench.dataset.name)?,
        data: bench.dataset.name.clone(),
        split: spec.split.clone(),
        signatures,
        confidence: spec.confidence,
        seed: spec.seed,
        table: table.display().to_string(),
    };
    context.project.store()?.put_predictions(&record, &context.engine.clock().timestamp())?;
    Ok(Response::Predicted { predictions: id, path: path.display().to_string(), n_rows, signature })
}

/// The same arms on the same rows have the same predictions, and one id.
fn id(signatures: &[(String, luthier_protocol::response::Signature)]) -> String {
    let json = serde_json::to_string(signatures).unwrap_or_default();
    format!("predictions-{}", crate::hash::short(&crate::hash::parts([json.as_bytes()])))
}

pub(crate) fn record_local(
    context: Context<'_>,
    predictions: &str,
    metric: &str,
    scores: &[Option<f64>],
) -> Result<Response, Error> {
    let stopwatch = context.engine.clock().stopwatch();
    check_name("metric", metric).at("/metric")?;
    let mut store = context.project.store()?;
    let record = store
        .predictions(predictions)?
        .ok_or_else(|| Error::unknown("set of predictions", predictions, Vec::new()).at("/predictions"))?;
    let table = read_predictions(record.table.as_ref())?;
    let StoredPredictions { questions, arms } = luthier_eval::table::read_predictions(&table)?;
    if scores.len() != table.num_rows() {
        let expected = format!("{}, one per prediction", table.num_rows());
        return Err(Error::invalid("the number of scores", scores.len(), &expected)).at("/scores");
    }
    let descriptor = descriptor(metric, scores);
    let mut remaining = scores.iter();
    let mut scored = Vec::with_capacity(arms.len());
    for (label, predictions) in arms {
        let own: Vec<RowScore> =
            predictions.iter().zip(&mut remaining).map(|(prediction, score)| row_score(prediction, *score)).collect();
        let own = luthier_eval::check_scores(&descriptor, own, predictions.len())?;
        let signature = record.signatures.iter().find(|(other, _)| *other == label);
        let signature = signature.map(|(_, signature)| signature.clone()).unwrap_or_default();
        scored.push(ScoredArm { label, signature, predictions, scores: vec![own] });
    }
    let name = format!("{}/{metric}", record.evaluation);
    let options = ReportOptions {
        evaluation: name.clone(),
        confidence: record.confidence,
        seed: record.seed,
        examples_per_part: EXAMPLES_PER_PART,
    };
    let report = luthier_eval::report(&questions, std::slice::from_ref(&descriptor), &scored, &options, &mut no_sums)?;
    let evaluation = Evaluation {
        name,
        data: record.data,
        split: record.split,
        confidence: record.confidence,
        rows: report.rows,
        comparisons: report.comparisons,
        examples: report.examples,
        predictions: record.table,
        seconds: stopwatch.seconds(),
    };
    store.put_evaluation(&evaluation, &context.engine.clock().timestamp())?;
    Ok(Response::Evaluated(evaluation))
}

/// A row whose generation failed has no score, whatever the closure says of its empty text.
fn row_score(prediction: &luthier_eval::Prediction, score: Option<f64>) -> RowScore {
    match (&prediction.outcome, score) {
        (luthier_eval::Outcome::Failed(reason), _) => RowScore::Error(reason.clone()),
        (_, Some(score)) => RowScore::Score(score),
        (_, None) => RowScore::Error("no-score".to_owned()),
    }
}

/// A closure gives scores; nothing is summed.
fn no_sums(_: usize, _: &[Vec<f64>]) -> luthier_eval::Result<Vec<f64>> {
    Err(luthier_eval::Error::NotReduced { metric: "a closure".to_owned() })
}

/// A closure says nothing of itself: zeros and ones are a proportion, anything else a mean.
fn descriptor(metric: &str, scores: &[Option<f64>]) -> MetricDescriptor {
    let binary = scores.iter().flatten().all(|score| *score == 0.0 || *score == 1.0);
    MetricDescriptor {
        id: metric.to_owned(),
        version: "local".to_owned(),
        summary: "a closure of the client's".to_owned(),
        inputs: Vec::new(),
        higher_is_better: true,
        aggregation: if binary { Aggregation::Proportion } else { Aggregation::Mean },
        bounds: (None, None),
        group_by: None,
        digest: String::new(),
    }
}
