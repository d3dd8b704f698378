use luthier_protocol::response::Signature;

use super::*;

fn row(model: &str, metric: &str, data: &str, mean: Option<f64>) -> ScoreRow {
    ScoreRow {
        model: model.into(),
        metric: metric.into(),
        part: "all".into(),
        mean,
        low: mean.map(|mean| mean - 0.1),
        high: mean.map(|mean| mean + 0.1),
        n: 10,
        coverage: 1.0,
        errors: Default::default(),
        interval: "wilson".into(),
        aggregation: "proportion".into(),
        higher_is_better: metric != "loss",
        signature: Signature { id: format!("{model}{data}"), data: data.into(), ..Signature::default() },
        evaluation: "e".into(),
    }
}

fn order(rows: Vec<ScoreRow>) -> Vec<String> {
    leaderboard(rows).into_iter().map(|row| row.model).collect()
}

#[test]
fn best_comes_first_within_metric_data_and_part() {
    let rows = vec![
        row("a", "b-metric", "d1", Some(0.5)),
        row("b", "b-metric", "d1", Some(0.9)),
        row("c", "a-metric", "d2", Some(0.1)),
        row("d", "a-metric", "d1", Some(0.2)),
        row("e", "b-metric", "d1", None),
    ];
    assert_eq!(order(rows), ["d", "c", "b", "a", "e"]);
}

#[test]
fn lower_is_better_where_the_metric_says_so() {
    assert_eq!(order(vec![row("a", "loss", "d", Some(2.0)), row("b", "loss", "d", Some(1.0))]), ["b", "a"]);
}

#[test]
fn ties_are_ordered_by_the_safer_claim_then_coverage_then_name() {
    let tied =
        |model: &str, low: f64, coverage: f64| ScoreRow { low: Some(low), coverage, ..row(model, "m", "d", Some(0.5)) };
    let rows = vec![tied("z", 0.4, 1.0), tied("b", 0.3, 0.9), tied("c", 0.3, 1.0), tied("a", 0.3, 0.9)];
    assert_eq!(order(rows), ["z", "c", "a", "b"]);
}

#[test]
fn a_score_repeated_under_one_signature_is_one_entry() {
    let newer = ScoreRow { evaluation: "newer".into(), ..row("a", "m", "d", Some(0.5)) };
    let board = leaderboard(vec![row("a", "m", "d", Some(0.5)), row("b", "m", "d", Some(0.4)), newer.clone()]);
    assert_eq!(board.len(), 2);
    assert_eq!(board[0], newer);
}
