//! All scores of a project, in the order of merit.

use std::cmp::Ordering;

use luthier_protocol::response::ScoreRow;

/// Scores grouped by metric, data and part; within each group best first. Of scores repeated under
/// one signature the last is kept. `rows` come in the order in which they were made.
///
/// Equal means are ordered by the end of the interval that is the safer claim, then by coverage,
/// then by name, so that the order is the same on every machine.
pub fn leaderboard(rows: Vec<ScoreRow>) -> Vec<ScoreRow> {
    let mut kept: Vec<ScoreRow> = Vec::with_capacity(rows.len());
    for row in rows {
        match kept.iter_mut().find(|other| is_repeated(other, &row)) {
            Some(other) => *other = row,
            None => kept.push(row),
        }
    }
    kept.sort_by(|a, b| group(a).cmp(&group(b)).then_with(|| merit(a, b)));
    kept
}

fn is_repeated(a: &ScoreRow, b: &ScoreRow) -> bool {
    a.signature.id == b.signature.id && (&a.model, &a.metric, &a.part) == (&b.model, &b.metric, &b.part)
}

/// Scores of one group were made on the same rows by the same metric.
pub fn group(row: &ScoreRow) -> (&str, &str, &str) {
    (&row.metric, &row.signature.data, &row.part)
}

/// `Less` if `a` comes before `b`.
fn merit(a: &ScoreRow, b: &ScoreRow) -> Ordering {
    let safer = |row: &ScoreRow| if row.higher_is_better { row.low } else { row.high };
    better(a.mean, b.mean, a.higher_is_better)
        .then_with(|| better(safer(a), safer(b), a.higher_is_better))
        .then_with(|| b.coverage.total_cmp(&a.coverage))
        .then_with(|| a.model.cmp(&b.model))
        .then_with(|| a.evaluation.cmp(&b.evaluation))
}

/// The better number first; no number last.
fn better(a: Option<f64>, b: Option<f64>, higher_is_better: bool) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if higher_is_better => b.total_cmp(&a),
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests;
