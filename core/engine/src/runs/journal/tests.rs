use luthier_protocol::StepEvent;

use super::*;

fn step(global_step: u64) -> Event {
    Event::Step(StepEvent {
        run: "r-1".into(),
        global_step,
        total_steps: 4,
        epoch: 0.0,
        loss: 1.0,
        metrics: Default::default(),
        learning_rate: 0.1,
        grad_norm: 1.0,
        n_target_tokens: 1,
        tokens_per_second: 1.0,
        elapsed_s: 0.0,
    })
}

fn started(resumed_from: Option<u64>) -> Event {
    Event::RunStarted { run: "r-1".into(), name: "r".into(), total_steps: 4, resumed_from }
}

fn story(dir: &Path) -> Vec<Event> {
    let mut events = Vec::new();
    replay(dir, &mut |event| events.push(event));
    events
}

fn append(dir: &Path, events: &[Event]) -> u64 {
    let mut journal = Journal::open(dir);
    events.iter().for_each(|event| journal.append(event));
    journal.n_bytes()
}

#[test]
fn a_resumed_run_reads_as_one() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), &[started(None), step(1), step(2), step(3)]);
    append(dir.path(), &[started(Some(2)), step(3), step(4)]);
    assert_eq!(story(dir.path()), [started(Some(2)), step(1), step(2), step(3), step(4)]);
}

#[test]
fn a_run_that_was_resumed_twice_reads_as_one() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), &[started(None), step(1), step(2), step(3), step(4)]);
    append(dir.path(), &[started(Some(3)), step(4)]);
    append(dir.path(), &[started(Some(1)), step(2)]);
    assert_eq!(story(dir.path()), [started(Some(1)), step(1), step(2)]);
}

#[test]
fn a_follower_hears_news_once_and_a_resumption_from_its_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let mut heard = Vec::new();
    let mut follower = Story::default();
    let mut tell = |n_bytes, heard: &mut Vec<Event>| follower.tell(dir.path(), n_bytes, &mut |event| heard.push(event));
    let n = append(dir.path(), &[started(None), step(1)]);
    tell(n, &mut heard);
    let n = append(dir.path(), &[step(2)]);
    tell(n, &mut heard);
    tell(n, &mut heard);
    assert_eq!(heard, [started(None), step(1), step(2)]);
    heard.clear();
    let n = append(dir.path(), &[started(Some(1)), step(2)]);
    tell(n, &mut heard);
    assert_eq!(heard, [started(Some(1)), step(1), step(2)]);
}

#[test]
fn a_broken_last_line_and_no_journal_at_all_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(story(dir.path()), []);
    append(dir.path(), &[step(1)]);
    let mut file = OpenOptions::new().append(true).open(dir.path().join(FILE_NAME)).unwrap();
    file.write_all(b"{\"event\":\"st").unwrap();
    assert_eq!(story(dir.path()), [step(1)]);
    // What comes after it is not lost with it.
    append(dir.path(), &[started(Some(1)), step(2)]);
    assert_eq!(story(dir.path()), [started(Some(1)), step(1), step(2)]);
    append(&dir.path().join("missing"), &[step(1)]);
}
