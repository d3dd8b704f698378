//! `%%evaluate NAME`: every arm, every row, every metric.

use std::collections::BTreeSet;
use std::path::PathBuf;

use luthier_eval::score;
use luthier_eval::table::predictions_table;
use luthier_eval::{Metric, MetricDescriptor, Prediction, Questions, ReportOptions, RowScore, ScoredArm};
use luthier_plugin_host::MetricPlugin;
use luthier_protocol::response::Evaluation;
use luthier_protocol::spec::{EvaluateSpec, MetricSpec, MetricTable};
use luthier_protocol::{Event, Response};

use crate::Error;
use crate::error::AtExt;
use crate::project::check_name;
use crate::scoring::{Bench, Needs, write_parquet};
use crate::service::Context;

/// Rows that a metric is shown at a time.
const METRIC_BATCH_ROWS: usize = 64;

/// Rows of each part that a report shows side by side.
pub(super) const EXAMPLES_PER_PART: usize = 5;

pub(crate) fn evaluate(context: Context<'_>, spec: &EvaluateSpec) -> Result<Response, Error> {
    let stopwatch = context.engine.clock().stopwatch();
    if let Some(name) = &spec.name {
        check_name("evaluation", name).at("/name")?;
    }
    let mut bench = Bench::open(context, spec)?;
    let mut metrics = open_metrics(context, &bench, spec)?;
    let needs = needs(&metrics, spec);
    let predictions = bench.predict(context, spec, needs)?;
    let name = evaluation_name(context, spec, &bench.dataset.name)?;
    let arms = score_all(context, &bench, spec, predictions, &mut metrics)?;
    let descriptors: Vec<MetricDescriptor> =
        metrics.iter().flat_map(|opened| opened.metric.descriptors().iter().cloned()).collect();
    let options = ReportOptions {
        evaluation: name.clone(),
        confidence: spec.confidence,
        seed: spec.seed,
        examples_per_part: EXAMPLES_PER_PART,
    };
    let owners = owners(&metrics);
    let mut reduce = |index: usize, sums: &[Vec<f64>]| {
        let owner = owners.get(index).and_then(|(metric, output)| Some((metrics.get_mut(*metric)?, *output)));
        match owner {
            Some((opened, output)) => opened.metric.reduce(output, sums),
            None => Err(luthier_eval::Error::NotReduced { metric: format!("number {index}") }),
        }
    };
    let report = luthier_eval::report(&bench.questions, &descriptors, &arms, &options, &mut reduce)?;
    let table = predictions_table(&bench.questions, &descriptors, &arms, &mut reduce)?;
    let path = context.project.subdir("evaluations")?.join(format!("{name}.parquet"));
    write_parquet(&path, &table)?;
    let predictions = copy_wanted(context, spec, &table)?.unwrap_or(path);
    let evaluation = Evaluation {
        name,
        data: bench.dataset.name.clone(),
        split: spec.split.clone(),
        confidence: spec.confidence,
        rows: report.rows,
        comparisons: report.comparisons,
        examples: report.examples,
        predictions: predictions.display().to_string(),
        seconds: stopwatch.seconds(),
    };
    context.project.store()?.put_evaluation(&evaluation, &context.engine.clock().timestamp())?;
    Ok(Response::Evaluated(evaluation))
}

/// What the metrics judge: text, log-likelihoods, or both. A metric that reads neither still has
/// answers generated, so that the report shows them.
fn needs(metrics: &[OpenedMetric], spec: &EvaluateSpec) -> Needs {
    let any = |reads: fn(&MetricDescriptor) -> bool| {
        metrics.iter().any(|opened| opened.metric.descriptors().first().is_some_and(reads))
    };
    let likelihood = any(score::needs_likelihood);
    Needs {
        text: any(score::needs_text) || !likelihood,
        likelihood,
        choices: any(score::needs_choices),
        samples: spec.samples as usize,
    }
}

/// Which metric, and which of its outputs, each descriptor is of.
fn owners(metrics: &[OpenedMetric]) -> Vec<(usize, usize)> {
    let outputs = |(metric, opened): (usize, &OpenedMetric)| {
        (0..opened.metric.descriptors().len()).map(move |output| (metric, output)).collect::<Vec<_>>()
    };
    metrics.iter().enumerate().flat_map(outputs).collect()
}

/// A metric and the questions as it reads them.
struct OpenedMetric {
    metric: MetricPlugin,
    /// Where the spec maps columns; else the bench's own.
    questions: Option<Questions>,
}

impl OpenedMetric {
    fn questions<'a>(&'a self, bench: &'a Bench) -> &'a Questions {
        self.questions.as_ref().unwrap_or(&bench.questions)
    }
}

/// The metrics of a spec, else those of the task. A column that one reads and nobody has, or has in
/// another type, is found before anything is generated.
fn open_metrics(context: Context<'_>, bench: &Bench, spec: &EvaluateSpec) -> Result<Vec<OpenedMetric>, Error> {
    let tables: Vec<MetricTable> = match spec.metrics.as_slice() {
        [] => bench.task.metrics.iter().map(|id| MetricSpec::from(id.as_str()).table()).collect(),
        metrics => metrics.iter().map(MetricSpec::table).collect(),
    };
    let mut opened = Vec::with_capacity(tables.len());
    let mut labels = BTreeSet::new();
    for table in tables {
        let (cancel, grants) = (context.call.cancel_token(), &bench.task.grants);
        let metric = context.engine.plugins.open_metric(context.project, &table, grants, cancel).at("/metrics")?;
        let questions = match table.columns.is_empty() {
            true => None,
            false => Some(bench.questions.with_columns(&table.metric, &table.columns).at("/metrics")?),
        };
        let one = OpenedMetric { metric, questions };
        for descriptor in one.metric.descriptors() {
            luthier_eval::check_inputs(descriptor, one.questions(bench)).at("/metrics")?;
            if !labels.insert(descriptor.id.clone()) {
                let found = format!("{:?} twice", descriptor.id);
                return Err(Error::invalid("the labels of the metrics", found, "different ones: set `name`"))
                    .at("/metrics");
            }
        }
        opened.push(one);
    }
    Ok(opened)
}

fn score_all(
    context: Context<'_>,
    bench: &Bench,
    spec: &EvaluateSpec,
    predictions: Vec<Vec<Prediction>>,
    metrics: &mut [OpenedMetric],
) -> Result<Vec<ScoredArm>, Error> {
    let mut arms = Vec::with_capacity(predictions.len());
    for (arm, predictions) in bench.arms.iter().zip(predictions) {
        let mut scores: Vec<Vec<RowScore>> = Vec::with_capacity(metrics.len());
        for opened in &mut *metrics {
            let (stage, total) = (format!("score {}", arm.label), Some(predictions.len() as u64));
            context.call.event(Event::Progress { stage, done: 0, total });
            let questions = opened.questions.as_ref().unwrap_or(&bench.questions);
            scores.extend(luthier_eval::score(&mut opened.metric, questions, &predictions, METRIC_BATCH_ROWS)?);
        }
        let signature = bench.signature(arm, spec);
        arms.push(ScoredArm { label: arm.label.clone(), signature, predictions, scores });
    }
    Ok(arms)
}

/// The name given, else the dataset's with the first free number.
pub(super) fn evaluation_name(context: Context<'_>, spec: &EvaluateSpec, data: &str) -> Result<String, Error> {
    if let Some(name) = &spec.name {
        return Ok(name.clone());
    }
    let store = context.project.store()?;
    let mut number = 1;
    while store.has_evaluation(&format!("{data}-{number}"))? {
        number += 1;
    }
    Ok(format!("{data}-{number}"))
}

/// A second copy where the person wants one.
fn copy_wanted(
    context: Context<'_>,
    spec: &EvaluateSpec,
    table: &arrow_array::RecordBatch,
) -> Result<Option<PathBuf>, Error> {
    let Some(wanted) = &spec.predictions else { return Ok(None) };
    let path = context.project.resolve(wanted);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|source| Error::io("make", parent, source)).at("/predictions")?;
    }
    write_parquet(&path, table).at("/predictions")?;
    Ok(Some(path))
}
