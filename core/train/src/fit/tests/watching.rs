//! Evaluation on the way, early stopping, and the best weights.

use super::*;
use crate::fit::Evaluation;

fn evaluations(events: &[FitEvent]) -> Vec<Evaluation> {
    let one = |event: &FitEvent| match event {
        FitEvent::Evaluation(evaluation) => Some(evaluation.clone()),
        _ => None,
    };
    events.iter().filter_map(one).collect()
}

fn evaluated(dir: &Path) -> Attempt<'_> {
    let mut attempt = Attempt::new(dir);
    attempt.config.eval_steps = 3;
    attempt
}

/// A learning rate that lets the evaluation loss fall and then rise.
fn overshooting(dir: &Path) -> Attempt<'_> {
    let mut attempt = evaluated(dir);
    attempt.config.schedule = Schedule::Constant;
    attempt.config.learning_rate = 1.5;
    attempt.config.max_steps = Some(60);
    attempt.config.max_grad_norm = 0.0;
    attempt
}

#[test]
fn evaluations_come_every_few_steps_and_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (report, events) = evaluated(dir.path()).run().unwrap();
    let found = evaluations(&events);
    assert_eq!(found.iter().map(|one| one.step).collect::<Vec<_>>(), [3, 6, 9, 12, 15, 18, 20]);
    assert_eq!(report.evaluations, found);
    assert!(found[6].loss < found[0].loss && found[0].is_best);
    // Looking changes nothing in what is trained.
    let (blind, _) = uninterrupted();
    let weights = |dir: &Path| std::fs::read(dir.join("step-000020/tensors.safetensors")).unwrap();
    assert!(weights(dir.path()) != weights(blind.path()), "the evaluations are in the checkpoint");
    assert_eq!(report.losses, Attempt::new(tempfile::tempdir().unwrap().path()).run().unwrap().0.losses);
}

#[test]
fn without_data_to_evaluate_on_a_run_does_not_begin() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = CheckpointDir::open(dir.path()).unwrap();
    let config = TrainConfig { eval_steps: 2, ..config() };
    let cancel = AtomicBool::new(false);
    let error = fit(&mut Toy::new(), &examples(9), &config, &checkpoints, false, &mut |_| {}, &cancel).unwrap_err();
    assert!(matches!(error, Error::NoEvaluationData { eval_steps: 2 }), "{error}");
}

#[test]
fn a_run_that_does_not_get_better_ends_and_leaves_its_best_weights() {
    let dir = tempfile::tempdir().unwrap();
    let mut attempt = overshooting(dir.path());
    attempt.config.early_stopping_patience = Some(2);
    let (report, events) = attempt.run().unwrap();
    assert!(report.stopped_early && report.global_step < 60, "{:?}", report.evaluations);
    assert_eq!(report.outcome, FitOutcome::Finished);
    assert!(events.iter().any(|event| matches!(event, FitEvent::StoppedEarly { .. })));
    let best = report.best().unwrap();
    assert_eq!(report.result_step, best.step);
    assert!(best.step + 6 == report.global_step, "{:?}", report.evaluations);
    // What the model holds now has the best evaluation's loss.
    let checkpoint = CheckpointDir::open(dir.path()).unwrap().load(best.step).unwrap();
    for (index, values) in checkpoint.values.iter().enumerate() {
        assert_eq!(crate::Trainable::values(&attempt.toy, index), &**values);
    }
    assert!(report.evaluations.iter().all(|one| one.loss >= best.loss));
}

#[test]
fn load_best_alone_trains_to_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut attempt = overshooting(dir.path());
    attempt.config.load_best = true;
    attempt.config.keep_checkpoints = 1;
    let (report, _) = attempt.run().unwrap();
    assert_eq!((report.global_step, report.stopped_early), (60, false));
    let best = report.best().unwrap().step;
    assert_eq!(report.result_step, best);
    assert_eq!(CheckpointDir::open(dir.path()).unwrap().steps().unwrap(), [best, 60], "the best and the newest");
}

#[test]
fn a_watched_run_resumes_bit_for_bit_wherever_it_stopped() {
    let whole = tempfile::tempdir().unwrap();
    fn configured(dir: &Path) -> Attempt<'_> {
        let mut attempt = overshooting(dir);
        attempt.config.early_stopping_patience = Some(3);
        attempt
    }
    let mut expected = configured(whole.path());
    let (report, _) = expected.run().unwrap();
    for step in [2, 3, report.result_step, report.global_step - 1] {
        let parts = tempfile::tempdir().unwrap();
        let mut first = configured(parts.path());
        first.stop_after = Some(step);
        first.run().unwrap();
        let mut second = configured(parts.path());
        second.resume = true;
        let (resumed, _) = second.run().unwrap();
        assert_eq!(resumed.evaluations, report.evaluations, "step {step}");
        assert_eq!((resumed.result_step, resumed.global_step), (report.result_step, report.global_step));
        assert_eq!(second.toy.all_values(), expected.toy.all_values(), "step {step}");
    }
}

#[test]
fn an_evaluation_in_parts_is_the_same() {
    let loss_with = |batch_size| {
        let dir = tempfile::tempdir().unwrap();
        let mut attempt = evaluated(dir.path());
        attempt.config.batch_size = batch_size;
        attempt.config.gradient_accumulation_steps = 32 / batch_size;
        attempt.run().unwrap().0.evaluations[0].loss
    };
    let whole = loss_with(32);
    for batch_size in [1, 2, 8] {
        assert!((loss_with(batch_size) - whole).abs() < 1e-6);
    }
}
