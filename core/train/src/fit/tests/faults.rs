//! Runs that must stop, and what they must name.

use super::*;

fn error_of(fault: Fault) -> Error {
    let dir = tempfile::tempdir().unwrap();
    let mut attempt = Attempt::new(dir.path());
    attempt.toy = Toy::with(fault);
    attempt.run().unwrap_err()
}

#[test]
fn a_tensor_that_no_gradient_reaches_stops_the_run_and_is_named() {
    // The learning rate of step 1 is 0; step 2 moves, so the verdict falls in step 4.
    match error_of(Fault::CutBias) {
        Error::NoGradient { step: 4, tensors } => assert_eq!(tensors, ["bias"]),
        other => panic!("{other}"),
    }
}

#[test]
fn a_gradient_that_arrives_a_step_late_is_fine() {
    let dir = tempfile::tempdir().unwrap();
    let mut attempt = Attempt::new(dir.path());
    attempt.toy = Toy::with(Fault::LateBias);
    assert_eq!(attempt.run().unwrap().0.outcome, FitOutcome::Finished);
}

#[test]
fn a_run_too_short_for_the_verdict_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut attempt = Attempt::new(dir.path());
    attempt.toy = Toy::with(Fault::CutBias);
    attempt.config.max_steps = Some(2);
    let (report, _) = attempt.run().unwrap();
    assert_eq!(report.warnings.len(), 1);
    assert!(report.warnings[0].contains("bias"), "{:?}", report.warnings);
}

#[test]
fn a_gradient_that_is_not_a_number_stops_the_run_and_is_named() {
    match error_of(Fault::NanGradient(5)) {
        // Two micro-batches per step: the sixth call belongs to the third step.
        Error::NonFiniteGradient { step: 3, tensors, examples, safe_step: None } => {
            assert_eq!((tensors, examples.len()), (vec!["bias".to_owned()], 4));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn an_infinite_loss_stops_the_run_and_names_the_examples() {
    match error_of(Fault::InfiniteLoss(3)) {
        Error::NonFiniteLoss { step: 2, tensor: None, examples, .. } => assert_eq!(examples.len(), 4),
        other => panic!("{other}"),
    }
}

#[test]
fn weights_that_are_not_finite_are_named() {
    use crate::Trainable;
    let dir = tempfile::tempdir().unwrap();
    let mut attempt = Attempt::new(dir.path());
    attempt.toy.values_mut(1)[4] = f32::NAN;
    match attempt.run().unwrap_err() {
        Error::NonFiniteLoss { tensor, .. } => assert_eq!(tensor.as_deref(), Some("bias")),
        other => panic!("{other}"),
    }
}

#[test]
fn a_model_that_counts_other_targets_is_not_trusted() {
    assert!(matches!(error_of(Fault::Miscounted), Error::TargetCount { step: 1, .. }));
}

#[test]
fn an_error_leaves_the_checkpoints_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let mut attempt = Attempt::new(dir.path());
    attempt.toy = Toy::with(Fault::NanGradient(2 * 14));
    let error = attempt.run().unwrap_err();
    assert!(error.to_string().contains("training state up to step 12 is safe"), "{error}");
    assert_eq!(step_names(dir.path()), ["step-000006", "step-000012"]);
}
