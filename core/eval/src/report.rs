//! The report: every arm on every part under every metric, and every pair of arms on the same rows.

mod examples;

use luthier_protocol::response::{Comparison, ExampleRow, ScoreRow, Signature};

use crate::metric::{Aggregation, MetricDescriptor, RowScore};
use crate::prediction::{Prediction, Questions, check_length};
use crate::score::errors_by_reason;
use crate::statistics::bootstrap::paired_difference;
use crate::statistics::{Interval, N_RESAMPLES, bootstrap_mean, mcnemar_exact, mean, wilson};
use crate::{Result, signature};

/// One arm's answers and what the metrics made of them.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredArm {
    /// Label in the report.
    pub label: String,
    /// What its numbers depend on, besides the metric; see [`signature::sign`].
    pub signature: Signature,
    /// One per question.
    pub predictions: Vec<Prediction>,
    /// By metric, then by question.
    pub scores: Vec<Vec<RowScore>>,
}

/// How the report is made.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportOptions {
    /// Name of the evaluation.
    pub evaluation: String,
    /// Level of the intervals.
    pub confidence: f64,
    /// Seed of the bootstrap.
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

/// Put all scores together. The first arm is the baseline.
///
/// # Errors
/// Arms, metrics and questions that do not belong together.
pub fn report(
    questions: &Questions,
    metrics: &[MetricDescriptor],
    arms: &[ScoredArm],
    options: &ReportOptions,
) -> Result<Report> {
    check(questions, metrics, arms)?;
    let mut report = Report { rows: Vec::new(), comparisons: Vec::new(), examples: Vec::new() };
    let parts = questions.part_names();
    for (index, metric) in metrics.iter().enumerate() {
        for part in &parts {
            let rows: Vec<usize> = (0..questions.len()).filter(|&row| questions.parts[row] == *part).collect();
            let cell = Cell { metric, part, rows: &rows, options };
            report.rows.extend(arms.iter().map(|arm| cell.score_row(arm, &cell.scores(&arm.scores[index]))));
            for (model, against) in pairs(arms.len()) {
                let (model, against) = (&arms[model], &arms[against]);
                let scores = (cell.scores(&model.scores[index]), cell.scores(&against.scores[index]));
                report.comparisons.extend(cell.comparison(model, &scores.0, against, &scores.1));
            }
        }
    }
    report.examples = examples::examples(questions, metrics, arms, options.examples_per_part);
    Ok(report)
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

/// One metric on one part.
struct Cell<'a> {
    metric: &'a MetricDescriptor,
    part: &'a str,
    rows: &'a [usize],
    options: &'a ReportOptions,
}

impl Cell<'_> {
    fn scores<'s>(&self, scores: &'s [RowScore]) -> Vec<&'s RowScore> {
        self.rows.iter().map(|&row| &scores[row]).collect()
    }

    fn score_row(&self, arm: &ScoredArm, scores: &[&RowScore]) -> ScoreRow {
        let values: Vec<f64> = scores.iter().filter_map(|score| value(score)).collect();
        let n = scores.len() as u64;
        let interval = self.interval(&values);
        ScoreRow {
            model: arm.label.clone(),
            metric: self.metric.id.clone(),
            part: self.part.to_owned(),
            mean: mean(&values),
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            n,
            coverage: if n == 0 { 0.0 } else { values.len() as f64 / n as f64 },
            errors: errors_by_reason(scores.iter().copied()),
            interval: interval_name(self.metric.aggregation),
            higher_is_better: self.metric.higher_is_better,
            signature: signature::sign(&arm.signature, self.metric),
            evaluation: self.options.evaluation.clone(),
        }
    }

    fn interval(&self, values: &[f64]) -> Option<Interval> {
        let ReportOptions { confidence, seed, .. } = *self.options;
        match self.metric.aggregation {
            Aggregation::Mean => bootstrap_mean(values, confidence, seed),
            Aggregation::Proportion => wilson(n_ones(values), values.len() as u64, confidence),
            Aggregation::Quantile(_) | Aggregation::Ratio | Aggregation::Sufficient(_) => None,
        }
    }

    /// `model` against `against` on the rows for which both have a score; `None` if there are none.
    fn comparison(
        &self,
        model: &ScoredArm,
        model_scores: &[&RowScore],
        against: &ScoredArm,
        against_scores: &[&RowScore],
    ) -> Option<Comparison> {
        let both: Vec<(f64, f64)> = model_scores
            .iter()
            .zip(against_scores)
            .filter_map(|(model, against)| Some((value(model)?, value(against)?)))
            .collect();
        let differences: Vec<f64> = both.iter().map(|(model, against)| model - against).collect();
        let (difference, interval) = paired_difference(&differences, self.options.confidence, self.options.seed)?;
        let better =
            |difference: &&f64| if self.metric.higher_is_better { **difference > 0.0 } else { **difference < 0.0 };
        let n_different = differences.iter().filter(|&&difference| difference != 0.0).count() as u64;
        let wins = differences.iter().filter(better).count() as u64;
        let losses = n_different - wins;
        let binary = both.iter().all(|&(model, against)| is_binary(model) && is_binary(against));
        Some(Comparison {
            metric: self.metric.id.clone(),
            part: self.part.to_owned(),
            model: model.label.clone(),
            against: against.label.clone(),
            difference,
            low: interval.low,
            high: interval.high,
            n: both.len() as u64,
            wins,
            losses,
            p_value: binary.then(|| mcnemar_exact(wins, losses)),
        })
    }
}

/// The number of a score that is one.
pub(crate) fn value(score: &RowScore) -> Option<f64> {
    match score {
        RowScore::Score(score) => Some(*score),
        RowScore::Sums(_) | RowScore::Error(_) => None,
    }
}

fn is_binary(score: f64) -> bool {
    score == 0.0 || score == 1.0
}

fn n_ones(values: &[f64]) -> u64 {
    values.iter().filter(|&&value| value == 1.0).count() as u64
}

fn interval_name(aggregation: Aggregation) -> String {
    match aggregation {
        Aggregation::Mean => format!("bootstrap({N_RESAMPLES})"),
        Aggregation::Proportion => "wilson".into(),
        Aggregation::Quantile(_) | Aggregation::Ratio | Aggregation::Sufficient(_) => "none".into(),
    }
}

#[cfg(test)]
mod tests;
