use std::borrow::Cow;
use std::fs::OpenOptions;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::adamw::Moments;
use crate::audit::GradientAudit;
use crate::config::TrainConfig;

impl CheckpointDir {
    /// Writing the tensors of the `nth` checkpoint (from 1) and of all later ones finds no space.
    pub(crate) fn with_disk_full_from(mut self, nth: usize) -> Self {
        let n_written = AtomicUsize::new(0);
        self.open_file = Box::new(move |path| {
            let is_tensors = path.ends_with(TENSORS_FILE);
            if is_tensors && n_written.fetch_add(1, Ordering::Relaxed) + 1 >= nth {
                return OpenOptions::new().write(true).open("/dev/full");
            }
            File::create_new(path)
        });
        self
    }
}

fn checkpoint(step: u64) -> Checkpoint<'static> {
    let identity = Identity { config: TrainConfig::default(), data: "sha256:d".into(), model: "sha256:m".into() };
    let values = vec![0.1, -f32::MIN_POSITIVE, 3.0e38];
    Checkpoint {
        cursor: Cursor { global_step: step, epoch: 1, position: 2 },
        identity: Cow::Owned(identity),
        names: vec!["model.layers.0.weight".to_owned()].into(),
        values: vec![values.clone().into()],
        moments: vec![Moments { first: values.clone(), second: values }].into(),
        audit: Cow::Owned(GradientAudit::new(1)),
        // Decimal text would lose the last bit of some of these.
        losses: (0..step).map(|i| 0.1 + 1e-17 * i as f64).collect::<Vec<_>>().into(),
        n_target_tokens: 12,
        seconds: 1.5,
    }
}

#[test]
fn what_is_saved_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = CheckpointDir::open(dir.path().join("new/checkpoints")).unwrap();
    assert!(checkpoints.load_latest().unwrap().is_none());
    checkpoints.save(&checkpoint(3)).unwrap();
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
        checkpoints.save(&checkpoint(step.min(9)).at(step)).unwrap();
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
fn saving_a_step_again_replaces_it() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = CheckpointDir::open(dir.path()).unwrap();
    checkpoints.save(&checkpoint(4)).unwrap();
    checkpoints.save(&checkpoint(4)).unwrap();
    assert_eq!(checkpoints.steps().unwrap(), [4]);
    assert_eq!(checkpoints.load_latest().unwrap().unwrap().checkpoint, checkpoint(4));
}

#[test]
fn parts_that_do_not_belong_together_are_damage() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = CheckpointDir::open(dir.path()).unwrap();
    // One loss per step is missing; every checksum is right.
    checkpoints.save(&checkpoint(3).at(5)).unwrap();
    let error = checkpoints.load_latest().unwrap_err();
    assert!(error.to_string().contains("do not belong together"), "{error}");
}
