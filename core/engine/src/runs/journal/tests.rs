use luthier_protocol::StepEvent;

use super::*;

fn step(global_step: u64) -> Event {
    Event::Step(StepEvent {
        run: "r-1".into(),
        global_step,
        total_steps: 4,
        epoch: 0.0,
        loss: 1.0,
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

#[test]
fn a_resumed_run_reads_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path());
    [started(None), step(1), step(2), step(3)].iter().for_each(|event| journal.append(event));
    let mut journal = Journal::open(dir.path());
    [started(Some(2)), step(3), step(4)].iter().for_each(|event| journal.append(event));
    assert_eq!(replay(dir.path()), [started(Some(2)), step(1), step(2), step(3), step(4)]);
}

#[test]
fn a_broken_last_line_and_no_journal_at_all_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(replay(dir.path()), []);
    Journal::open(dir.path()).append(&step(1));
    let mut file = OpenOptions::new().append(true).open(dir.path().join(FILE_NAME)).unwrap();
    file.write_all(b"{\"event\":\"st").unwrap();
    assert_eq!(replay(dir.path()), [step(1)]);
    Journal::open(&dir.path().join("missing")).append(&step(1));
}
