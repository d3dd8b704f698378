use super::*;

fn with(losses: &[f64]) -> Evaluations {
    let of = |(index, &loss): (usize, &f64)| Recorded { step: 10 * (index as u64 + 1), loss, n_target_tokens: 7 };
    Evaluations(losses.iter().enumerate().map(of).collect())
}

fn config(patience: u64, threshold: f64) -> TrainConfig {
    TrainConfig {
        eval_steps: 10,
        early_stopping_patience: Some(patience),
        early_stopping_threshold: threshold,
        ..TrainConfig::default()
    }
}

#[test]
fn the_first_of_equals_is_best() {
    let evaluations = with(&[2.0, 1.0, 1.0, 1.5]);
    assert_eq!(evaluations.best_step(&config(9, 0.0)), Some(20));
    assert_eq!(with(&[2.0, 1.95, 1.9]).best_step(&config(9, 0.08)), Some(30));
    assert_eq!(with(&[2.0, 1.95, 1.93]).best_step(&config(9, 0.08)), Some(10), "too little better");
    assert_eq!(evaluations.best_step(&TrainConfig::default()), None, "nobody asked for the best");
}

#[test]
fn patience_counts_evaluations_since_the_best() {
    assert!(!with(&[2.0, 2.1]).is_enough(&config(2, 0.0)));
    assert!(with(&[2.0, 2.1, 2.0]).is_enough(&config(2, 0.0)));
    assert!(!with(&[2.0, 2.1, 1.9]).is_enough(&config(2, 0.0)));
    assert!(!with(&[]).is_enough(&config(1, 0.0)));
}

#[test]
fn one_is_due_every_few_steps_and_at_the_end_once() {
    let (config, none) = (config(1, 0.0), with(&[]));
    assert!(!none.is_due(0, 25, &config) && !none.is_due(9, 25, &config));
    assert!(none.is_due(10, 25, &config) && none.is_due(25, 25, &config));
    assert!(!with(&[2.0]).is_due(10, 25, &config), "it has been made");
}

#[test]
fn numbers_of_a_checkpoint_come_back() {
    let evaluations = with(&[0.1 + 0.2, 1e-17]);
    assert_eq!(Evaluations::unflatten(&evaluations.flatten()), Some(evaluations));
    assert_eq!(Evaluations::unflatten(&[1.0]), None);
}
