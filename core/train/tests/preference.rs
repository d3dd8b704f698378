//! DPO, ORPO and KTO against TRL's own code over short runs (tests/oracles/preference.py): losses,
//! gradients (they make the next step) and rewards.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use luthier_data::Example;
use luthier_model::{Adapter, Model, TrainableModel};
use luthier_train::{
    CheckpointDir, DpoLoss, FitEvent, Labelled, Objective, ObjectiveKind, OptimizerKind, Schedule, TrainConfig, fit,
};
use serde::Deserialize;

/// Largest difference from TRL, relative to values of at least 1.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Fixture {
    rows: Vec<Row>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Row {
    prompt: Vec<u32>,
    chosen: Vec<u32>,
    rejected: Vec<u32>,
}

#[derive(Deserialize)]
struct Case {
    objective: ObjectiveKind,
    beta: f64,
    dpo_loss: DpoLoss,
    label_smoothing: f64,
    desirable_weight: f64,
    undesirable_weight: f64,
    learning_rate: f64,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    loss: f64,
    metrics: BTreeMap<String, f64>,
}

fn example(prompt: &[u32], completion: &[u32]) -> Example {
    let masked = vec![-100; prompt.len()];
    let labels = masked.into_iter().chain(completion.iter().map(|&id| id as i32)).collect();
    Example { input_ids: [prompt, completion].concat(), labels }
}

fn examples(rows: &[Row], objective: ObjectiveKind) -> Labelled {
    let mut data = Labelled::default();
    for (i, row) in rows.iter().enumerate() {
        let up = i % 3 != 1;
        if objective == ObjectiveKind::Kto {
            data.examples.push(example(&row.prompt, if up { &row.chosen } else { &row.rejected }));
            data.desirable.push(up);
        } else {
            data.examples.push(example(&row.prompt, &row.chosen));
            data.examples.push(example(&row.prompt, &row.rejected));
            data.desirable.extend([true, true]);
        }
    }
    data
}

#[test]
fn losses_gradients_and_rewards_are_those_of_trl() {
    let text = include_str!("fixtures/preference.json");
    let fixture: Fixture = serde_json::from_str(text).expect("the committed fixture parses");
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/models/llama");
    let base = Model::load(&dir).unwrap();
    assert_eq!(fixture.cases.len(), 7);
    let mut worst = 0.0f64;
    for case in &fixture.cases {
        let adapter = Adapter::load(&dir.join("adapter"), &base).unwrap();
        let mut trainable = TrainableModel::Adapter { base: base.clone(), adapter };
        let config = TrainConfig {
            objective: Objective {
                kind: case.objective,
                beta: case.beta,
                dpo_loss: case.dpo_loss,
                label_smoothing: case.label_smoothing,
                desirable_weight: case.desirable_weight,
                undesirable_weight: case.undesirable_weight,
            },
            optimizer: OptimizerKind::Sgd,
            momentum: 0.0,
            schedule: Schedule::Constant,
            warmup_steps: Some(0),
            max_grad_norm: 0.0,
            learning_rate: case.learning_rate,
            batch_size: fixture.rows.len(),
            max_steps: Some(case.steps.len() as u64),
            ..TrainConfig::default()
        };
        let data = examples(&fixture.rows, case.objective);
        let scratch = tempfile::tempdir().unwrap();
        let checkpoints = CheckpointDir::open(scratch.path()).unwrap();
        let mut found = Vec::new();
        let mut on_event = |event| {
            if let FitEvent::Step(step) = event {
                found.push(step);
            }
        };
        fit(&mut trainable, &data, &config, &checkpoints, false, &mut on_event, &AtomicBool::new(false)).unwrap();
        assert_eq!(found.len(), case.steps.len());
        for (found, expected) in found.iter().zip(&case.steps) {
            let what = format!("{:?} {:?}, step {}", case.objective, case.dpo_loss, found.global_step);
            let mut close = |name: &str, found: f64, expected: f64| {
                let error = (found - expected).abs() / expected.abs().max(1.0);
                worst = worst.max(error);
                assert!(error < TOLERANCE, "{what}, {name}: {found}, expected {expected}");
            };
            close("loss", found.loss, expected.loss);
            assert!(expected.metrics.len() >= 3, "{what}");
            for (name, expected) in &expected.metrics {
                close(name, found.metrics[name], *expected);
            }
        }
    }
    eprintln!("largest relative difference from TRL: {worst:.1e}");
}
