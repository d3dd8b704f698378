mod faults;
mod resume;
mod toy;
mod variants;
mod watching;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use super::{FitData, FitEvent, FitOutcome, FitReport, fit, fit_on};
use crate::{CheckpointDir, Error, Result, Schedule, TrainConfig};
use toy::{Fault, Toy, examples};

/// 20 steps over two and a half epochs, with warm-up, decay and clipping all at work.
fn config() -> TrainConfig {
    TrainConfig {
        max_steps: Some(20),
        batch_size: 2,
        gradient_accumulation_steps: 2,
        learning_rate: 0.05,
        warmup_ratio: 0.1,
        weight_decay: 0.1,
        max_grad_norm: 0.5,
        seed: 7,
        checkpoint_steps: 6,
        ..TrainConfig::default()
    }
}

/// One attempt at a run in `dir`; cancelled after `stop_after` steps, if at all.
struct Attempt<'a> {
    toy: Toy,
    config: TrainConfig,
    dir: &'a Path,
    resume: bool,
    stop_after: Option<u64>,
}

impl<'a> Attempt<'a> {
    fn new(dir: &'a Path) -> Self {
        Attempt { toy: Toy::new(), config: config(), dir, resume: false, stop_after: None }
    }

    fn run(&mut self) -> Result<(FitReport, Vec<FitEvent>)> {
        self.run_in(&CheckpointDir::open(self.dir)?)
    }

    fn run_in(&mut self, checkpoints: &CheckpointDir) -> Result<(FitReport, Vec<FitEvent>)> {
        let cancel = AtomicBool::new(false);
        let mut events = Vec::new();
        let mut on_event = |event: FitEvent| {
            if let FitEvent::Step(step) = &event {
                cancel.store(Some(step.global_step) == self.stop_after, Ordering::Relaxed);
            }
            events.push(event);
        };
        // Pairs need an even number; the desirable of KTO are every third.
        let n = if self.config.objective.is_preference() { 32 } else { 31 };
        let labelled = |n| crate::Labelled { examples: examples(n), desirable: (0..n).map(|i| i % 3 == 0).collect() };
        let (train, held_out) = (labelled(n), labelled(6));
        let data = FitData { train: &train, evaluation: (self.config.eval_steps > 0).then_some(&held_out) };
        let report = fit_on(&mut self.toy, data, &self.config, checkpoints, self.resume, &mut on_event, &cancel)?;
        Ok((report, events))
    }
}

/// Content of the newest checkpoint's tensors: weights, moments and losses.
fn final_bytes(dir: &Path) -> Vec<u8> {
    std::fs::read(dir.join("step-000020/tensors.safetensors")).unwrap()
}

fn uninterrupted() -> (TempDir, FitReport) {
    let dir = tempfile::tempdir().unwrap();
    let (report, _) = Attempt::new(dir.path()).run().unwrap();
    (dir, report)
}

fn step_names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_loss_falls_and_every_step_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (report, events) = Attempt::new(dir.path()).run().unwrap();
    assert_eq!(report.outcome, FitOutcome::Finished);
    assert_eq!((report.global_step, report.total_steps, report.losses.len()), (20, 20, 20));
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&report.losses[15..]) < mean(&report.losses[..5]) - 0.2, "{:?}", report.losses);
    assert_eq!(events[0], FitEvent::Started { total_steps: 20, resumed_from: None });
    let steps: Vec<u64> = events
        .iter()
        .filter_map(|event| if let FitEvent::Step(step) = event { Some(step.global_step) } else { None })
        .collect();
    assert_eq!(steps, (1..=20).collect::<Vec<_>>());
    let saved: Vec<&FitEvent> = events.iter().filter(|event| matches!(event, FitEvent::Checkpoint { .. })).collect();
    let expected: Vec<FitEvent> = [6, 12, 18, 20].map(|step| FitEvent::Checkpoint { step }).into();
    assert_eq!(saved, expected.iter().collect::<Vec<_>>());
    assert_eq!(step_names(dir.path()), ["step-000018", "step-000020"]);
}

#[test]
fn micro_batches_do_not_change_the_loss_curve() {
    // Every step sees all 31 examples, whose numbers of targets differ.
    let curve = |batch_size, gradient_accumulation_steps| {
        let dir = tempfile::tempdir().unwrap();
        let mut attempt = Attempt::new(dir.path());
        attempt.config = TrainConfig { batch_size, gradient_accumulation_steps, ..config() };
        attempt.run().unwrap().0.losses
    };
    let whole = curve(31, 1);
    for (batch_size, n_micro_batches) in [(16, 2), (4, 8), (1, 31)] {
        for (a, b) in whole.iter().zip(curve(batch_size, n_micro_batches)) {
            assert!((a - b).abs() < 1e-5, "batch size {batch_size}: {a} against {b}");
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let (expected, _) = uninterrupted();
    for n_threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let (dir, _) = pool.install(uninterrupted);
        assert!(final_bytes(dir.path()) == final_bytes(expected.path()), "{n_threads} threads");
    }
}

#[test]
fn the_first_step_of_a_warm_up_moves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut attempt = Attempt::new(dir.path());
    attempt.stop_after = Some(1);
    attempt.config.warmup_steps = Some(5);
    let (report, _) = attempt.run().unwrap();
    assert_eq!(report.outcome, FitOutcome::Paused { step: 1 });
    assert_eq!(attempt.toy.all_values(), Toy::new().all_values());
}

#[test]
fn a_run_whose_only_step_has_no_learning_rate_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut attempt = Attempt::new(dir.path());
    attempt.config.max_steps = Some(1);
    attempt.config.warmup_steps = Some(1);
    let error = attempt.run().unwrap_err();
    assert!(matches!(error, Error::InvalidConfig { key: "warmup_steps", .. }), "{error}");
    attempt.config.schedule = Schedule::Constant;
    attempt.config.warmup_steps = None;
    assert_eq!(attempt.run().unwrap().0.global_step, 1);
}
