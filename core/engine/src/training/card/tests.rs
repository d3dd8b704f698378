use super::*;

fn report() -> FitReport {
    FitReport {
        outcome: luthier_train::FitOutcome::Finished,
        global_step: 40,
        total_steps: 40,
        resumed_from: None,
        losses: (1..=40).map(|step| 2.0 / f64::from(step)).collect(),
        n_target_tokens: 900,
        n_examples: 60,
        n_trainable: 512,
        evaluations: vec![luthier_train::Evaluation {
            step: 20,
            loss: 0.75,
            n_target_tokens: 30,
            is_best: true,
            metrics: Default::default(),
        }],
        stopped_early: false,
        result_step: 20,
        seconds: 3.0,
        tokens_per_second: 300.0,
        warnings: Vec::new(),
    }
}

#[test]
fn the_curve_has_its_ends_and_every_evaluation() {
    let text = curve(&report());
    for row in ["| 1 | 2.0000 |  |", "| 20 | 0.1000 | 0.7500 |", "| 40 | 0.0500 |  |"] {
        assert!(text.contains(row), "{row} is not in\n{text}");
    }
    assert!(text.lines().count() < 20);
    assert!(results(&report()).contains("| weights of step | 20 (the best evaluation) |"));
}

#[test]
fn values_do_not_break_a_table() {
    assert_eq!(cell("a|b`c\nd"), "`a\\|b'c d`");
}
