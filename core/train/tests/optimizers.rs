//! Optimizers and schedules against torch, transformers and bitsandbytes (tests/oracles/optimizers.py).

use luthier_model::ParameterInfo;
use luthier_train::optimizer::{self, TensorUpdate, adamw8bit};
use luthier_train::{OptimizerKind, Schedule, TrainConfig};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    shapes: Vec<Vec<usize>>,
    maps: Maps,
    cases: Vec<Case>,
    schedules: Vec<ScheduleCase>,
}

#[derive(Deserialize)]
struct Maps {
    signed: Vec<f32>,
    unsigned: Vec<f32>,
}

#[derive(Deserialize)]
struct Case {
    optimizer: OptimizerKind,
    learning_rate: f64,
    weight_decay: f64,
    momentum: f64,
    /// By step: some values of the matrix, all of the bias.
    values: Vec<[Vec<f32>; 2]>,
}

#[derive(Deserialize)]
struct ScheduleCase {
    schedule: Schedule,
    warmup_steps: u64,
    total_steps: u64,
    decay_ratio: f64,
    multipliers: Vec<f64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/optimizers.json")).expect("the committed fixture parses")
}

/// The formulas of the script.
fn gradient(step: usize, tensor: usize, length: usize) -> Vec<f32> {
    let scale = if step % 5 == 4 { 8.0 } else { 1.0 };
    let number = |i: usize| (i * 7919 + step * 104_729 + tensor * 1_299_709) % 97;
    (0..length).map(|i| (number(i) as f32 - 48.0) / 16.0 * scale / 8.0).collect()
}

fn initial(tensor: usize, length: usize) -> Vec<f32> {
    (0..length).map(|i| (((i * 193 + tensor * 71) % 211) as f32 - 105.0) / 128.0).collect()
}

/// The values that the fixture keeps of a matrix.
fn sampled(matrix: &[f32]) -> Vec<f32> {
    matrix.iter().step_by(37).chain(&matrix[matrix.len() - 3..]).copied().collect()
}

/// Largest difference of a trajectory, relative to values of at least 1.
fn largest_error(case: &Case, shapes: &[Vec<usize>]) -> f64 {
    let info = |(shape, name): (&Vec<usize>, &str)| ParameterInfo {
        name: name.into(),
        shape: shape.clone(),
        decay: shape.len() > 1,
    };
    let parameters: Vec<_> = shapes.iter().zip(["matrix", "bias"]).map(info).collect();
    let config = TrainConfig {
        optimizer: case.optimizer,
        weight_decay: case.weight_decay,
        momentum: case.momentum,
        ..TrainConfig::default()
    };
    let mut optimizer = optimizer::build(&config, &parameters);
    let mut values: Vec<Vec<f32>> =
        shapes.iter().enumerate().map(|(tensor, shape)| initial(tensor, shape.iter().product())).collect();
    let mut largest = 0.0f64;
    for (step, expected) in case.values.iter().enumerate() {
        optimizer.begin_step();
        for (index, values) in values.iter_mut().enumerate() {
            let gradient = gradient(step, index, values.len());
            let decays = parameters[index].decay;
            let learning_rate = case.learning_rate;
            let update =
                TensorUpdate { index, values, gradient: &gradient, gradient_scale: 1.0, learning_rate, decays };
            optimizer.update(update);
        }
        let found = [sampled(&values[0]), values[1].clone()].concat();
        for (found, expected) in found.iter().zip(expected.concat()) {
            let error = f64::from(found - expected).abs() / f64::from(expected.abs()).max(1.0);
            largest = largest.max(error);
        }
    }
    largest
}

#[test]
fn trajectories_are_those_of_the_reference_implementations() {
    let fixture = fixture();
    assert_eq!(fixture.cases.len(), 4);
    for case in &fixture.cases {
        let tolerance = 1e-6;
        let error = largest_error(case, &fixture.shapes);
        eprintln!("{:?}: largest error {error:.1e}", case.optimizer);
        assert!(error < tolerance, "{:?}: {error}", case.optimizer);
    }
}

#[test]
fn dynamic_maps_are_those_of_bitsandbytes() {
    let Maps { signed, unsigned } = fixture().maps;
    for (ours, theirs) in [(adamw8bit::signed_map(), signed), (adamw8bit::unsigned_map(), unsigned)] {
        assert_eq!(theirs.len(), 256);
        for (a, b) in ours.iter().zip(theirs) {
            assert_eq!(a.to_bits(), b.to_bits(), "{a} against {b}");
        }
    }
}

#[test]
fn learning_rates_are_those_of_transformers() {
    let schedules = fixture().schedules;
    assert_eq!(schedules.len(), 12);
    for case in schedules {
        let config = TrainConfig {
            schedule: case.schedule,
            learning_rate: 1.0,
            warmup_steps: Some(case.warmup_steps),
            decay_ratio: case.decay_ratio,
            ..TrainConfig::default()
        };
        for (step, expected) in case.multipliers.iter().enumerate() {
            let found = config.learning_rate_at(step as u64, case.total_steps);
            assert!((found - expected).abs() < 1e-12, "{:?}, step {step}: {found}, expected {expected}", case.schedule);
        }
    }
}
