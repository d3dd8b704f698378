//! AdamW, schedules and clipping against PyTorch and transformers (tests/oracles/adamw.py).

use luthier_train::adamw::{AdamW, AdamWConfig};
use luthier_train::gradients::{clipping_factor, global_norm, squared_norm};
use luthier_train::{Schedule, TrainConfig};
use serde::Deserialize;

const TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    schedule: Schedule,
    warmup_steps: u64,
    learning_rate: f64,
    weight_decay: f64,
    betas: (f64, f64),
    epsilon: f64,
    max_grad_norm: f64,
    total_steps: u64,
    initial: Vec<Vec<f32>>,
    steps: Vec<ExpectedStep>,
}

#[derive(Deserialize)]
struct ExpectedStep {
    gradients: Vec<Vec<f32>>,
    learning_rate: f64,
    grad_norm: f64,
    values: Vec<Vec<f32>>,
}

fn config_of(case: &Case) -> TrainConfig {
    TrainConfig {
        max_steps: Some(case.total_steps),
        learning_rate: case.learning_rate,
        schedule: case.schedule,
        warmup_steps: Some(case.warmup_steps),
        ..TrainConfig::default()
    }
}

#[track_caller]
fn assert_close(found: f64, expected: f64, what: &str) {
    let allowed = TOLERANCE * expected.abs().max(1.0);
    assert!((found - expected).abs() <= allowed, "{what}: {found}, expected {expected}");
}

#[test]
fn trajectories_are_those_of_torch() {
    let text = include_str!("fixtures/adamw.json");
    let fixture: Fixture = serde_json::from_str(text).expect("the committed fixture parses");
    assert_eq!(fixture.cases.len(), 3);
    for case in &fixture.cases {
        let config = config_of(case);
        let adamw = AdamWConfig { betas: case.betas, epsilon: case.epsilon, weight_decay: case.weight_decay };
        let mut values = case.initial.clone();
        let mut optimizer = AdamW::new(adamw, values.iter().map(Vec::len));
        for (step, expected) in case.steps.iter().enumerate() {
            let what = format!("{:?}, step {step}", case.schedule);
            let learning_rate = config.learning_rate_at(step as u64, case.total_steps);
            assert!((learning_rate - expected.learning_rate).abs() < 1e-15, "{what}: {learning_rate}");
            let squared_norms: Vec<f64> = expected.gradients.iter().map(|g| squared_norm(g)).collect();
            let grad_norm = global_norm(&squared_norms);
            assert_close(grad_norm, expected.grad_norm, &what);
            let scale = clipping_factor(grad_norm, case.max_grad_norm);
            optimizer.begin_step();
            for (index, gradient) in expected.gradients.iter().enumerate() {
                // The first tensor is the matrix, which alone decays.
                optimizer.update(index, &mut values[index], gradient, scale, learning_rate, index == 0);
            }
            for (found, expected) in values.concat().iter().zip(expected.values.concat()) {
                assert_close(f64::from(*found), f64::from(expected), &what);
            }
        }
    }
}
