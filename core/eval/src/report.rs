//! The report: every arm on every part under every metric, and every pair of arms on the same rows.

mod cell;
mod examples;

use luthier_protocol::response::{Comparison, ExampleRow, ScoreRow, Signature};

use crate::metric::{Aggregation, MetricDescriptor, RowScore};
use crate::prediction::{Prediction, Questions, check_length};
use crate::{Error, Result};

use cell::Cell;

/// One arm's answers and what the metrics made of them.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredArm {
    /// Label in the report.
    pub label: String,
    /// What its numbers depend on, besides the metric; see [`crate::signature::sign`].
    pub signature: Signature,
    /// One per question.
    pub predictions: Vec<Prediction>,
    /// By metric (one for each output of a plugin), then by question.
    pub scores: Vec<Vec<RowScore>>,
}

/// How the report is made.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportOptions {
    /// Name of the evaluation.
    pub evaluation: String,
    /// Level of the intervals.
    pub confidence: f64,
    /// Seed of the bootstrap and of the randomization tests.
    pub seed: u64,
    /// Rows shown of each part.
    pub examples_per_part: usize,
}

/// What [`report()`] comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// By metric, part and arm, each in the order given.
    pub rows: Vec<ScoreRow>,
    /// By metric and part: each later arm against the first, then each other pair.
    pub comparisons: Vec<Comparison>,
    /// Rows on which the arms disagree under the first metric; of a single arm, its worst.
    pub examples: Vec<ExampleRow>,
}

/// Makes one number of each vector of sums, for the metric at this position; called for
/// [`Aggregation::Sufficient`] alone. See [`crate::Metric::reduce`].
pub type Reduce<'a> = dyn FnMut(usize, &[Vec<f64>]) -> Result<Vec<f64>> + 'a;

/// [`Reduce`] for one metric.
pub type ReduceOne<'a> = dyn FnMut(&[Vec<f64>]) -> Result<Vec<f64>> + 'a;

/// Put all scores together. The first arm is the baseline.
///
/// # Errors
/// Arms, metrics and questions that do not belong together; sums that cannot be reduced.
pub fn report(
    questions: &Questions,
    metrics: &[MetricDescriptor],
    arms: &[ScoredArm],
    options: &ReportOptions,
    reduce: &mut Reduce<'_>,
) -> Result<Report> {
    check(questions, metrics, arms)?;
    let mut report = Report { rows: Vec::new(), comparisons: Vec::new(), examples: Vec::new() };
    let parts = questions.part_names();
    for (index, metric) in metrics.iter().enumerate() {
        for part in &parts {
            let mut reduce_this = |sums: &[Vec<f64>]| reduce(index, sums);
            let mut cell = Cell::new(&mut reduce_this, metric, questions, part, options);
            let taken = arms.iter().map(|arm| cell.take(&arm.scores[index])).collect::<Result<Vec<_>>>()?;
            for (arm, rows) in arms.iter().zip(&taken) {
                report.rows.push(cell.score_row(arm, rows)?);
            }
            for (model, against) in pairs(arms.len()) {
                let labels = (arms[model].label.as_str(), arms[against].label.as_str());
                report.comparisons.extend(cell.comparison(labels, (&taken[model], &taken[against]))?);
            }
        }
    }
    if let Some(metric) = metrics.first() {
        let alone = |arm: &ScoredArm| scores_alone(metric, &arm.scores[0], &mut |sums| reduce(0, sums));
        let scores = arms.iter().map(alone).collect::<Result<Vec<_>>>()?;
        let n = options.examples_per_part;
        report.examples = examples::examples(questions, metric.higher_is_better, arms, &scores, n);
    }
    Ok(report)
}

/// The score of each row by itself: of sums, what they come to alone. `None` where there is none.
///
/// # Errors
/// Sums that cannot be reduced.
pub fn scores_alone(
    metric: &MetricDescriptor,
    scores: &[RowScore],
    reduce: &mut ReduceOne<'_>,
) -> Result<Vec<Option<f64>>> {
    let sums: Vec<Vec<f64>> = scores
        .iter()
        .filter_map(|score| match score {
            RowScore::Sums(sums) => Some(sums.clone()),
            RowScore::Score(_) | RowScore::Error(_) => None,
        })
        .collect();
    let mut reduced = statistic(metric, &sums, reduce)?.into_iter();
    let alone = |score: &RowScore| match score {
        RowScore::Score(score) => Some(*score),
        RowScore::Sums(_) => reduced.next().filter(|score| score.is_finite()),
        RowScore::Error(_) => None,
    };
    Ok(scores.iter().map(alone).collect())
}

/// What vectors of sums come to.
fn statistic(metric: &MetricDescriptor, sums: &[Vec<f64>], reduce: &mut ReduceOne<'_>) -> Result<Vec<f64>> {
    if sums.is_empty() {
        return Ok(Vec::new());
    }
    let Aggregation::Sufficient(_) = metric.aggregation else {
        return Ok(sums.iter().map(|sums| sums[0] / sums[1]).collect());
    };
    let values = reduce(sums)?;
    if values.len() == sums.len() {
        return Ok(values);
    }
    Err(Error::WrongNumberOfScores { metric: metric.id.clone(), expected: sums.len(), found: values.len() })
}

fn check(questions: &Questions, metrics: &[MetricDescriptor], arms: &[ScoredArm]) -> Result<()> {
    questions.check()?;
    for arm in arms {
        let label = &arm.label;
        check_length(&format!("predictions of {label}"), questions.len(), arm.predictions.len())?;
        check_length(&format!("list of metrics of {label}"), metrics.len(), arm.scores.len())?;
        for scores in &arm.scores {
            check_length(&format!("scores of {label}"), questions.len(), scores.len())?;
        }
    }
    Ok(())
}

/// Indices `(model, against)`: all against the first, then the other pairs.
fn pairs(n_arms: usize) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for against in 0..n_arms {
        pairs.extend((against + 1..n_arms).map(|model| (model, against)));
    }
    pairs
}

#[cfg(test)]
mod tests;
