use luthier_protocol::FailureKind;

use super::*;
use crate::runs::Journal;

fn warning(text: &str) -> Event {
    Event::Warning { message: text.into() }
}

#[test]
fn a_late_follower_hears_everything_and_the_end() {
    let (runs, dir) = (LiveRuns::default(), tempfile::tempdir().unwrap());
    let mut journal = Journal::open(dir.path());
    journal.append(&warning("old"));
    let registration = runs.register(Path::new("/p"), "r-1", Arc::default(), dir.path()).unwrap();
    let live = runs.get(Path::new("/p"), "r-1").unwrap();
    let mut say = |text| {
        journal.append(&warning(text));
        registration.live.written(journal.n_bytes());
    };
    say("early");
    let follower = std::thread::spawn(move || {
        let mut heard = Vec::new();
        let outcome = live.follow(&mut |event| heard.push(event), &AtomicBool::new(false));
        (heard, outcome)
    });
    say("late");
    registration.live.finish(&Err(Failure::new(FailureKind::Interrupted, "paused")));
    let (heard, outcome) = follower.join().unwrap();
    assert_eq!(heard, [warning("old"), warning("early"), warning("late")]);
    assert_eq!(outcome.unwrap().unwrap_err().kind, FailureKind::Interrupted);
}

#[test]
fn a_run_is_live_once_and_gone_when_it_ends() {
    let runs = LiveRuns::default();
    let registration = runs.register(Path::new("/p"), "r-1", Arc::default(), Path::new("/nowhere")).unwrap();
    assert!(runs.register(Path::new("/p"), "r-1", Arc::default(), Path::new("/nowhere")).is_none());
    assert!(runs.register(Path::new("/q"), "r-1", Arc::default(), Path::new("/nowhere")).is_some());
    let live = runs.get(Path::new("/p"), "r-1").unwrap();
    drop(registration);
    assert!(runs.get(Path::new("/p"), "r-1").is_none());
    let outcome = live.follow(&mut |_| {}, &AtomicBool::new(false));
    assert_eq!(outcome.unwrap().unwrap_err().kind, FailureKind::Internal);
}

#[test]
fn a_follower_can_leave_and_the_run_can_be_paused() {
    let runs = LiveRuns::default();
    let cancel = Arc::new(AtomicBool::new(false));
    let registration = runs.register(Path::new("/p"), "r-1", Arc::clone(&cancel), Path::new("/nowhere")).unwrap();
    assert!(registration.live.follow(&mut |_| {}, &AtomicBool::new(true)).is_none());
    runs.cancel_all();
    assert!(cancel.load(Ordering::SeqCst));
}
