//! One metric on one part: the number, its interval, and each pair of arms.

use luthier_protocol::response::{Comparison, ScoreRow};

use super::{ReduceOne, ReportOptions, ScoredArm, scores_alone, statistic};
use crate::metric::{Aggregation, MetricDescriptor, RowScore};
use crate::prediction::Questions;
use crate::score::errors_by_reason;
use crate::statistics::bootstrap::paired_difference;
use crate::statistics::resample::N_SWAPS;
use crate::statistics::{
    Interval, N_RESAMPLES, bootstrap_difference, bootstrap_mean, bootstrap_quantile, bootstrap_sums, cluster_sums,
    column_sums, mcnemar_exact, mean, quantile, randomization, wilson,
};
use crate::{Result, signature};

/// Everything that its numbers are made with.
pub(super) struct Cell<'a> {
    reduce: &'a mut ReduceOne<'a>,
    metric: &'a MetricDescriptor,
    part: &'a str,
    options: &'a ReportOptions,
    /// Rows of the part.
    rows: Vec<usize>,
    /// The cluster of each of them.
    clusters: Vec<usize>,
    is_clustered: bool,
}

/// What one arm has in a cell, row by row.
pub(super) struct Taken {
    scores: Vec<RowScore>,
    /// The row by itself.
    alone: Vec<Option<f64>>,
}

/// A row's cluster and numbers: its score, or what is summed.
type Numbers = (usize, Vec<f64>);

impl<'a> Cell<'a> {
    pub(super) fn new(
        reduce: &'a mut ReduceOne<'a>,
        metric: &'a MetricDescriptor,
        questions: &Questions,
        part: &'a str,
        options: &'a ReportOptions,
    ) -> Self {
        let rows: Vec<usize> = (0..questions.len()).filter(|&row| questions.parts[row] == *part).collect();
        let clusters: Vec<usize> = match questions.clusters(metric.group_by.as_deref()) {
            Some(clusters) => rows.iter().map(|&row| clusters[row]).collect(),
            None => rows.clone(),
        };
        let mut distinct = clusters.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let is_clustered = distinct.len() < rows.len();
        Cell { reduce, metric, part, options, rows, clusters, is_clustered }
    }

    /// The cell's share of an arm's scores.
    pub(super) fn take(&mut self, scores: &[RowScore]) -> Result<Taken> {
        let scores: Vec<RowScore> = self.rows.iter().map(|&row| scores[row].clone()).collect();
        let alone = scores_alone(self.metric, &scores, self.reduce)?;
        Ok(Taken { scores, alone })
    }

    pub(super) fn score_row(&mut self, arm: &ScoredArm, taken: &Taken) -> Result<ScoreRow> {
        let present: Vec<Numbers> = self
            .clusters
            .iter()
            .zip(&taken.scores)
            .filter_map(|(cluster, score)| Some((*cluster, numbers(score)?)))
            .collect();
        let estimate = self.estimate(&present)?.filter(|estimate| estimate.is_finite());
        let interval = match estimate {
            Some(_) => self.interval(&present)?,
            None => None,
        };
        let n = taken.scores.len() as u64;
        Ok(ScoreRow {
            model: arm.label.clone(),
            metric: self.metric.id.clone(),
            part: self.part.to_owned(),
            mean: estimate,
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            n,
            coverage: if n == 0 { 0.0 } else { present.len() as f64 / n as f64 },
            errors: errors_by_reason(&taken.scores),
            interval: self.interval_name(&present),
            aggregation: self.metric.aggregation.name(),
            higher_is_better: self.metric.higher_is_better,
            signature: signature::sign(&arm.signature, self.metric),
            evaluation: self.options.evaluation.clone(),
        })
    }

    /// The metric over rows.
    fn estimate(&mut self, rows: &[Numbers]) -> Result<Option<f64>> {
        if rows.is_empty() {
            return Ok(None);
        }
        let first: Vec<f64> = rows.iter().map(|(_, values)| values[0]).collect();
        let columns: Vec<&[f64]> = rows.iter().map(|(_, values)| values.as_slice()).collect();
        Ok(match self.metric.aggregation {
            Aggregation::Mean | Aggregation::Proportion => mean(&first),
            Aggregation::Quantile(q) => quantile(&first, q),
            Aggregation::Ratio | Aggregation::Sufficient(_) => {
                self.statistic(&[column_sums(&columns)])?.first().copied()
            }
        })
    }

    fn interval(&mut self, rows: &[Numbers]) -> Result<Option<Interval>> {
        let ReportOptions { confidence, seed, .. } = *self.options;
        let first: Vec<f64> = rows.iter().map(|(_, values)| values[0]).collect();
        match self.metric.aggregation {
            _ if self.is_share(&first) => Ok(wilson(n_ones(&first), first.len() as u64, confidence)),
            Aggregation::Mean if !self.is_clustered => Ok(bootstrap_mean(&first, confidence, seed)),
            Aggregation::Quantile(q) => Ok(bootstrap_quantile(rows, q, confidence, seed)),
            _ => {
                let sums: Vec<Numbers> = rows.iter().map(|(cluster, values)| (*cluster, self.summed(values))).collect();
                bootstrap_sums(&cluster_sums(&sums), confidence, seed, &mut |sums| self.statistic(sums))
            }
        }
    }

    /// What of a row is summed over a resample: a mean is the sum over the number of rows.
    fn summed(&self, values: &[f64]) -> Vec<f64> {
        if self.is_mean() { vec![values[0], 1.0] } else { values.to_vec() }
    }

    /// The metric of sums as [`Self::summed`] makes them.
    fn statistic(&mut self, sums: &[Vec<f64>]) -> Result<Vec<f64>> {
        statistic(self.metric, sums, self.reduce)
    }

    fn is_mean(&self) -> bool {
        matches!(self.metric.aggregation, Aggregation::Mean | Aggregation::Proportion)
    }

    /// The first arm against the second, on the rows for which both have a score; `None` if there
    /// are none, or if what they come to is not a number.
    pub(super) fn comparison(
        &mut self,
        (model, against): (&str, &str),
        (model_taken, against_taken): (&Taken, &Taken),
    ) -> Result<Option<Comparison>> {
        let mut both: Vec<(usize, Vec<f64>, Vec<f64>)> = Vec::new();
        let mut differences = Vec::new();
        for (row, cluster) in self.clusters.iter().enumerate() {
            let numbers = (numbers(&model_taken.scores[row]), numbers(&against_taken.scores[row]));
            let (Some(model), Some(against)) = numbers else { continue };
            both.push((*cluster, model, against));
            if let (Some(model), Some(against)) = (model_taken.alone[row], against_taken.alone[row]) {
                differences.push(model - against);
            }
        }
        let Some((difference, interval)) = self.difference(&both)? else { return Ok(None) };
        let n_different = differences.iter().filter(|&&difference| difference != 0.0).count() as u64;
        let won =
            |difference: &&f64| if self.metric.higher_is_better { **difference > 0.0 } else { **difference < 0.0 };
        let wins = differences.iter().filter(won).count() as u64;
        let losses = n_different - wins;
        let (p_value, test) = self.test(&both, (wins, losses))?;
        Ok(Some(Comparison {
            metric: self.metric.id.clone(),
            part: self.part.to_owned(),
            model: model.to_owned(),
            against: against.to_owned(),
            difference,
            low: interval.low,
            high: interval.high,
            n: both.len() as u64,
            wins,
            losses,
            p_value,
            test,
            aggregation: self.metric.aggregation.name(),
        }))
    }

    fn difference(&mut self, both: &[(usize, Vec<f64>, Vec<f64>)]) -> Result<Option<(f64, Interval)>> {
        let ReportOptions { confidence, seed, .. } = *self.options;
        if self.is_mean() && !self.is_clustered {
            let differences: Vec<f64> = both.iter().map(|(_, model, against)| model[0] - against[0]).collect();
            return Ok(paired_difference(&differences, confidence, seed));
        }
        let model: Vec<Numbers> = both.iter().map(|(cluster, model, _)| (*cluster, model.clone())).collect();
        let against: Vec<Numbers> = both.iter().map(|(cluster, _, against)| (*cluster, against.clone())).collect();
        let (Some(model), Some(against)) = (self.estimate(&model)?, self.estimate(&against)?) else {
            return Ok(None);
        };
        let interval = if let Aggregation::Quantile(q) = self.metric.aggregation {
            let paired: Vec<Numbers> =
                both.iter().map(|(cluster, model, against)| (*cluster, vec![model[0], against[0]])).collect();
            bootstrap_quantile(&paired, q, confidence, seed)
        } else {
            let clusters = self.paired_clusters(both);
            bootstrap_difference(&clusters, confidence, seed, &mut |sums| self.statistic(sums))?
        };
        Ok(interval.filter(|_| (model - against).is_finite()).map(|interval| (model - against, interval)))
    }

    fn paired_clusters(&self, both: &[(usize, Vec<f64>, Vec<f64>)]) -> Vec<Vec<f64>> {
        let paired = |(cluster, model, against): &(usize, Vec<f64>, Vec<f64>)| {
            (*cluster, [self.summed(model), self.summed(against)].concat())
        };
        cluster_sums(&both.iter().map(paired).collect::<Vec<_>>())
    }

    /// A p-value and the test that it is from: McNemar's for zeros and ones of independent rows,
    /// else approximate randomization; none for quantiles.
    fn test(
        &mut self,
        both: &[(usize, Vec<f64>, Vec<f64>)],
        (wins, losses): (u64, u64),
    ) -> Result<(Option<f64>, String)> {
        let is_binary = both.iter().all(|(_, model, against)| is_binary(model[0]) && is_binary(against[0]));
        if self.is_mean() && is_binary && !self.is_clustered {
            return Ok((Some(mcnemar_exact(wins, losses)), "mcnemar".to_owned()));
        }
        if let Aggregation::Quantile(_) = self.metric.aggregation {
            return Ok((None, String::new()));
        }
        let clusters = self.paired_clusters(both);
        let p_value = randomization(&clusters, self.options.seed, &mut |sums| self.statistic(sums))?;
        Ok((Some(p_value), format!("randomization({N_SWAPS})")))
    }

    /// Whether a mean of independent rows is a share: of a proportion always, of a mean from 0 to 1 (pass@1 of one sample)
    /// if every row is 0 or 1. A bootstrap of nothing but zeros would claim to be certain.
    fn is_share(&self, values: &[f64]) -> bool {
        let from_0_to_1 = self.metric.bounds == (Some(0.0), Some(1.0));
        !self.is_clustered
            && match self.metric.aggregation {
                Aggregation::Proportion => true,
                Aggregation::Mean => from_0_to_1 && values.iter().all(|value| is_binary(*value)),
                _ => false,
            }
    }

    fn interval_name(&self, rows: &[Numbers]) -> String {
        let first: Vec<f64> = rows.iter().map(|(_, values)| values[0]).collect();
        let clustered = if self.is_clustered { ", clustered" } else { "" };
        if self.is_share(&first) { "wilson".into() } else { format!("bootstrap({N_RESAMPLES}{clustered})") }
    }
}

/// What a row counts with; `None` where it has no score.
fn numbers(score: &RowScore) -> Option<Vec<f64>> {
    match score {
        RowScore::Score(score) => Some(vec![*score]),
        RowScore::Sums(sums) => Some(sums.clone()),
        RowScore::Error(_) => None,
    }
}

fn is_binary(score: f64) -> bool {
    score == 0.0 || score == 1.0
}

fn n_ones(values: &[f64]) -> u64 {
    values.iter().filter(|&&value| value == 1.0).count() as u64
}
