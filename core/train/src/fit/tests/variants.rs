//! Every optimizer and objective: it learns, and it resumes bit for bit.

use super::*;
use crate::{Objective, ObjectiveKind, OptimizerKind};

fn variants() -> Vec<(&'static str, TrainConfig)> {
    let optimizer = |optimizer, learning_rate| TrainConfig { optimizer, learning_rate, ..config() };
    let objective = |kind| TrainConfig {
        objective: Objective { kind, beta: 0.5, ..Objective::default() },
        batch_size: 4,
        gradient_accumulation_steps: 1,
        ..config()
    };
    vec![
        ("adamw-8bit", optimizer(OptimizerKind::AdamW8bit, 0.05)),
        ("sgd", optimizer(OptimizerKind::Sgd, 0.2)),
        ("sgd without momentum", TrainConfig { momentum: 0.0, ..optimizer(OptimizerKind::Sgd, 0.5) }),
        ("adafactor", optimizer(OptimizerKind::Adafactor, 0.05)),
        ("wsd", TrainConfig { schedule: Schedule::Wsd, decay_ratio: 0.3, ..config() }),
        ("packed", TrainConfig { pack_tokens: Some(12), ..config() }),
        ("dpo", objective(ObjectiveKind::Dpo)),
        ("orpo", objective(ObjectiveKind::Orpo)),
        ("kto", objective(ObjectiveKind::Kto)),
    ]
}

fn attempt<'a>(dir: &'a Path, config: &TrainConfig) -> Attempt<'a> {
    Attempt { config: config.clone(), ..Attempt::new(dir) }
}

#[test]
fn each_lowers_its_loss() {
    for (name, config) in variants() {
        let dir = tempfile::tempdir().unwrap();
        // The same 31 or 32 examples in every step: nothing else moves the loss.
        let config = TrainConfig { batch_size: 32, gradient_accumulation_steps: 1, ..config };
        let (report, _) = attempt(dir.path(), &config).run().unwrap();
        let (first, last) = (report.losses[0], report.losses[19]);
        assert!(last < first - 0.02, "{name}: from {first} to {last}");
    }
}

#[test]
fn each_resumes_bit_for_bit() {
    for (name, config) in variants() {
        let whole = tempfile::tempdir().unwrap();
        let (expected, _) = attempt(whole.path(), &config).run().unwrap();
        for step in [1, 9] {
            let parts = tempfile::tempdir().unwrap();
            let mut first = attempt(parts.path(), &config);
            first.stop_after = Some(step);
            first.run().unwrap();
            let mut second = attempt(parts.path(), &config);
            second.resume = true;
            let (report, _) = second.run().unwrap();
            assert_eq!(report.resumed_from, Some(step), "{name}");
            assert_eq!(report.losses, expected.losses, "{name}");
            assert!(final_bytes(parts.path()) == final_bytes(whole.path()), "{name}, step {step}");
        }
    }
}

#[test]
fn preferences_are_reported_and_learned() {
    let (_, config) = variants().into_iter().find(|(name, _)| *name == "dpo").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = TrainConfig { batch_size: 16, gradient_accumulation_steps: 1, ..config };
    let (_, events) = attempt(dir.path(), &config).run().unwrap();
    let steps: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            FitEvent::Step(step) => Some(step.metrics.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(steps[0]["rewards/margins"], 0.0, "the policy starts as the reference");
    assert!(steps[19]["rewards/margins"] > 0.1, "{:?}", steps[19]);
    assert!(steps[19]["rewards/accuracies"] > 0.6, "{:?}", steps[19]);
    assert!(events.iter().any(|event| matches!(event, FitEvent::Reference { done: 16, total: 16 })));
}

#[test]
fn micro_batches_do_not_change_a_preference_either() {
    for (name, config) in variants().into_iter().filter(|(name, _)| ["dpo", "orpo"].contains(name)) {
        let curve = |batch_size, gradient_accumulation_steps| {
            let dir = tempfile::tempdir().unwrap();
            let config = TrainConfig { batch_size, gradient_accumulation_steps, ..config.clone() };
            attempt(dir.path(), &config).run().unwrap().0.losses
        };
        let whole = curve(16, 1);
        for (batch_size, n) in [(8, 2), (2, 8), (1, 16)] {
            for (a, b) in whole.iter().zip(curve(batch_size, n)) {
                assert!((a - b).abs() < 1e-5, "{name}, batch size {batch_size}: {a} against {b}");
            }
        }
    }
}

#[test]
fn an_interrupt_before_the_first_step_leaves_nothing_and_can_be_resumed() {
    let (_, config) = variants().into_iter().find(|(name, _)| *name == "kto").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = CheckpointDir::open(dir.path()).unwrap();
    let (cancel, data) = (AtomicBool::new(true), examples(32));
    let report = fit(&mut Toy::new(), &data, &config, &checkpoints, false, &mut |_| {}, &cancel).unwrap();
    assert_eq!(report.outcome, FitOutcome::Paused { step: 0 });
    assert!(step_names(dir.path()).is_empty());
}
