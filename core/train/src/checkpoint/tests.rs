pub(crate) mod faults;

use std::borrow::Cow;
use std::fs;

use super::*;
use crate::audit::GradientAudit;
use crate::config::TrainConfig;
use crate::optimizer::StateData;

/// The newest two, as by default.
const KEEP: Keep = Keep { newest: 2, best: None };

fn checkpoint(step: u64) -> Checkpoint<'static> {
    let identity = Identity {
        config: TrainConfig::default(),
        data: "sha256:d".into(),
        evaluation_data: None,
        model: "sha256:m".into(),
    };
    let state = |kind: &'static str, data| OptimizerState { kind: kind.into(), index: 0, data };
    let values = vec![0.1, -f32::MIN_POSITIVE, 3.0e38];
    Checkpoint {
        cursor: Cursor { global_step: step, epoch: 1, position: 2 },
        identity: Cow::Owned(identity),
        names: vec!["model.layers.0.weight".to_owned()].into(),
        values: vec![values.clone().into()],
        optimizer: vec![
            state("first_moment", StateData::F32(values.into())),
            state("second_moment_codes", StateData::U8(vec![0, 7, 255].into())),
        ],
        audit: Cow::Owned(GradientAudit::new(1)),
        // Decimal text would lose the last bit of some of these.
        losses: (0..step).map(|i| 0.1 + 1e-17 * i as f64).collect::<Vec<_>>().into(),
        evaluations: vec![2.0, 0.1 + 0.2, 40.0],
        n_target_tokens: 12,
        seconds: 1.5,
    }
}

#[test]
fn what_is_saved_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = CheckpointDir::open(dir.path().join("new/checkpoints")).unwrap();
    assert!(checkpoints.load_latest().unwrap().is_none());
    checkpoints.save(&checkpoint(3), KEEP).unwrap();
    let loaded = checkpoints.load_latest().unwrap().unwrap();
    assert_eq!(loaded.checkpoint, checkpoint(3));
    assert!(loaded.warnings.is_empty());
}

#[test]
fn the_newest_two_are_kept_and_foreign_files_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("notes")).unwrap();
    let checkpoints = CheckpointDir::open(dir.path()).unwrap();
    for step in [1, 2, 1_000_000, 1_000_001] {
        checkpoints.save(&checkpoint(step.min(9)).at(step), KEEP).unwrap();
    }
    assert_eq!(checkpoints.steps().unwrap(), [1_000_000, 1_000_001]);
    assert!(dir.path().join("notes").exists());
}

impl Checkpoint<'static> {
    fn at(mut self, step: u64) -> Self {
        self.cursor.global_step = step;
        self
    }
}

#[test]
fn the_best_is_kept_however_old_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = CheckpointDir::open(dir.path()).unwrap();
    for step in 1..=6 {
        checkpoints.save(&checkpoint(step), Keep { newest: 1, best: Some(2.min(step)) }).unwrap();
    }
    assert_eq!(checkpoints.steps().unwrap(), [2, 6]);
    assert_eq!(checkpoints.load(2).unwrap(), checkpoint(2));
}

#[test]
fn saving_a_step_again_replaces_it() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = CheckpointDir::open(dir.path()).unwrap();
    checkpoints.save(&checkpoint(4), KEEP).unwrap();
    checkpoints.save(&checkpoint(4), KEEP).unwrap();
    assert_eq!(checkpoints.steps().unwrap(), [4]);
    assert_eq!(checkpoints.load_latest().unwrap().unwrap().checkpoint, checkpoint(4));
}

#[test]
fn parts_that_do_not_belong_together_are_damage() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = CheckpointDir::open(dir.path()).unwrap();
    // One loss per step is missing; every checksum is right.
    checkpoints.save(&checkpoint(3).at(5), KEEP).unwrap();
    let error = checkpoints.load_latest().unwrap_err();
    assert!(error.to_string().contains("do not belong together"), "{error}");
}
