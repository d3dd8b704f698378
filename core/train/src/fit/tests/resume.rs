//! N steps equal k steps, a resume and N − k steps, bit for bit, whatever ended the first part.
#![allow(clippy::disallowed_methods, reason = "a file is damaged in place")]

use std::fs;

use super::*;

/// Stop after `step` steps, then resume with a fresh model, as a new process would.
fn interrupted_at(step: u64, between: impl FnOnce(&Path)) -> (TempDir, FitReport) {
    let dir = tempfile::tempdir().unwrap();
    let mut first = Attempt::new(dir.path());
    first.stop_after = Some(step);
    let (report, _) = first.run().unwrap();
    assert_eq!(report.outcome, FitOutcome::Paused { step });
    between(dir.path());
    let report = resumed(dir.path()).unwrap();
    (dir, report)
}

fn resumed(dir: &Path) -> Result<FitReport> {
    let mut second = Attempt::new(dir);
    second.resume = true;
    Ok(second.run()?.0)
}

#[test]
fn a_resumed_run_has_the_bits_of_an_uninterrupted_one() {
    let (expected_dir, expected) = uninterrupted();
    for step in [1, 2, 3, 7, 8, 12, 16, 19] {
        let (dir, report) = interrupted_at(step, |_| {});
        assert_eq!(report.resumed_from, Some(step));
        assert_eq!(report.outcome, FitOutcome::Finished);
        assert_eq!(report.n_target_tokens, expected.n_target_tokens);
        assert_eq!(report.losses, expected.losses, "step {step}");
        assert!(final_bytes(dir.path()) == final_bytes(expected_dir.path()), "step {step}");
    }
}

#[test]
fn an_interrupt_within_a_step_loses_that_step_alone() {
    let (expected_dir, _) = uninterrupted();
    let dir = tempfile::tempdir().unwrap();
    let mut first = Attempt::new(dir.path());
    first.toy = Toy::with(Fault::Interrupted(2 * 9));
    assert_eq!(first.run().unwrap().0.outcome, FitOutcome::Paused { step: 9 });
    resumed(dir.path()).unwrap();
    assert!(final_bytes(dir.path()) == final_bytes(expected_dir.path()));
}

#[test]
fn a_writer_that_was_killed_leaves_nothing_that_matters() {
    let (expected_dir, _) = uninterrupted();
    let (dir, report) = interrupted_at(8, |dir| {
        // As `kill -9` leaves it: a temporary directory with half a file.
        let half = dir.join(".writing-x1y2z3");
        fs::create_dir(&half).unwrap();
        let tensors = fs::read(dir.join("step-000008/tensors.safetensors")).unwrap();
        fs::write(half.join("tensors.safetensors"), &tensors[..tensors.len() / 2]).unwrap();
    });
    assert_eq!(report.resumed_from, Some(8));
    assert!(final_bytes(dir.path()) == final_bytes(expected_dir.path()));
    assert_eq!(step_names(dir.path()), ["step-000018", "step-000020"]);
}

#[test]
fn a_damaged_newest_checkpoint_costs_the_steps_since_the_one_before() {
    let (expected_dir, _) = uninterrupted();
    type Damage = fn(&Path);
    let damages: [Damage; 5] = [
        |path| fs::write(path.join("tensors.safetensors"), b"short").unwrap(),
        |path| fs::remove_file(path.join("checksums.json")).unwrap(),
        |path| fs::remove_file(path.join("state.json")).unwrap(),
        |path| fs::write(path.join("checksums.json"), b"{\"format_version\":").unwrap(),
        |path| {
            let file = path.join("tensors.safetensors");
            let mut bytes = fs::read(&file).unwrap();
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            fs::write(file, bytes).unwrap();
        },
    ];
    for (index, damage) in damages.into_iter().enumerate() {
        let (dir, report) = interrupted_at(8, |dir| damage(&dir.join("step-000008")));
        assert_eq!(report.resumed_from, Some(6), "damage {index}");
        assert_eq!(report.warnings.len(), 1);
        assert!(report.warnings[0].contains("step-000008"), "{:?}", report.warnings);
        assert!(final_bytes(dir.path()) == final_bytes(expected_dir.path()), "damage {index}");
        assert_eq!(step_names(dir.path()), ["damaged-000008", "step-000018", "step-000020"]);
    }
}

#[test]
fn damage_to_all_checkpoints_is_an_error_and_not_a_fresh_start() {
    let dir = tempfile::tempdir().unwrap();
    Attempt::new(dir.path()).run().unwrap();
    for step in ["step-000018", "step-000020"] {
        fs::write(dir.path().join(step).join("state.json"), b"{}").unwrap();
    }
    let error = resumed(dir.path()).unwrap_err();
    assert!(matches!(error, Error::NoReadableCheckpoint { n: 2, .. }), "{error}");
}

#[test]
fn another_format_version_is_named_and_not_taken_for_damage() {
    let dir = tempfile::tempdir().unwrap();
    Attempt::new(dir.path()).run().unwrap();
    let path = dir.path().join("step-000020/checksums.json");
    let text = fs::read_to_string(&path).unwrap().replace("\"format_version\": 2", "\"format_version\": 3");
    fs::write(path, text).unwrap();
    let error = resumed(dir.path()).unwrap_err();
    assert!(matches!(error, Error::CheckpointVersion { found: 3, expected: 2, .. }), "{error}");
}

#[test]
fn resuming_before_the_first_checkpoint_starts_at_the_beginning() {
    let (expected_dir, _) = uninterrupted();
    let dir = tempfile::tempdir().unwrap();
    let report = resumed(dir.path()).unwrap();
    assert_eq!(report.resumed_from, None);
    assert_eq!(report.warnings.len(), 1);
    assert!(final_bytes(dir.path()) == final_bytes(expected_dir.path()));
}

#[test]
fn resuming_a_finished_run_changes_nothing() {
    let (dir, expected) = uninterrupted();
    let before = final_bytes(dir.path());
    let report = resumed(dir.path()).unwrap();
    assert_eq!((report.outcome, report.resumed_from), (FitOutcome::Finished, Some(20)));
    assert_eq!(report.losses, expected.losses);
    assert!(final_bytes(dir.path()) == before);
}

#[test]
fn a_fresh_run_does_not_overwrite_an_old_one() {
    let (dir, _) = uninterrupted();
    let error = Attempt::new(dir.path()).run().unwrap_err();
    assert!(matches!(error, Error::CheckpointsExist { step: 20, .. }), "{error}");
}

#[test]
fn a_checkpoint_of_another_run_is_refused_and_all_differences_are_named() {
    let (dir, _) = uninterrupted();
    let mut other = Attempt::new(dir.path());
    other.resume = true;
    other.config.learning_rate = 0.01;
    other.config.checkpoint_steps = 1;
    other.toy = Toy::new();
    crate::Trainable::values_mut(&mut other.toy, 0)[0] += 1.0;
    match other.run().unwrap_err() {
        Error::Mismatch { step: 20, differences } => {
            let names: Vec<&str> = differences.iter().map(|difference| difference.what.as_str()).collect();
            assert_eq!(names, ["config.learning_rate", "model"]);
            assert_eq!(differences[0].to_string(), "config.learning_rate was 0.05, is 0.01");
        }
        error => panic!("{error}"),
    }
}

#[test]
fn other_data_is_refused() {
    let (dir, _) = uninterrupted();
    let checkpoints = CheckpointDir::open(dir.path()).unwrap();
    let mut data = examples(31);
    data.swap(3, 4);
    let cancel = AtomicBool::new(false);
    let error = fit(&mut Toy::new(), &data, &config(), &checkpoints, true, &mut |_| {}, &cancel).unwrap_err();
    match error {
        Error::Mismatch { differences, .. } => assert_eq!(differences[0].what, "data"),
        error => panic!("{error}"),
    }
}

#[test]
fn a_failing_file_system_call_in_mid_run_keeps_the_checkpoints_that_there_are() {
    use crate::checkpoint::tests::faults::Failure;
    let (expected_dir, _) = uninterrupted();
    let calls_of_a_whole_run = {
        let dir = tempfile::tempdir().unwrap();
        let (checkpoints, calls) = CheckpointDir::open(dir.path()).unwrap().failing(usize::MAX, Failure::Once);
        Attempt::new(dir.path()).run_in(&checkpoints).unwrap();
        calls.load(Ordering::SeqCst)
    };
    assert!(calls_of_a_whole_run > 50, "four checkpoints: {calls_of_a_whole_run}");
    for at in 0..calls_of_a_whole_run {
        let dir = tempfile::tempdir().unwrap();
        let (checkpoints, _) = CheckpointDir::open(dir.path()).unwrap().failing(at, Failure::FromThereOn);
        let outcome = Attempt::new(dir.path()).run_in(&checkpoints);
        if let Err(error) = &outcome {
            assert!(matches!(error, Error::CheckpointNotWritten { .. }), "call {at}: {error}");
        }
        resumed(dir.path()).unwrap();
        assert!(final_bytes(dir.path()) == final_bytes(expected_dir.path()), "call {at}");
    }
}
