use super::*;

#[test]
fn a_taken_slot_is_passed_over_and_found_again_when_free() {
    let root = tempfile::tempdir().unwrap();
    let first = Slot::take(root.path()).unwrap();
    let second = Slot::take(root.path()).unwrap();
    assert_ne!(first.dir(), second.dir());
    let kept = first.dir().to_path_buf();
    drop(first);
    assert_eq!(Slot::take(root.path()).unwrap().dir(), kept);
    assert!(second.dir().is_dir());
}

#[test]
fn when_all_are_taken_there_is_a_temporary_one() {
    let root = tempfile::tempdir().unwrap();
    let taken: Vec<Slot> = (0..MAX_SLOTS).map(|_| Slot::take(root.path()).unwrap()).collect();
    let extra = Slot::take(root.path()).unwrap();
    let dir = extra.dir().to_path_buf();
    assert!(taken.iter().all(|slot| slot.dir() != dir));
    drop(extra);
    assert!(!dir.exists());
}
