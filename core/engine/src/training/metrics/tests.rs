use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt64Type};
use luthier_protocol::{EvalEvent, StepEvent};

use super::*;
use crate::runs::Journal;

fn step(global_step: u64, metrics: &[(&str, f64)]) -> Event {
    Event::Step(StepEvent {
        run: "r-1".into(),
        global_step,
        total_steps: 3,
        epoch: 0.5,
        loss: 1.0 / global_step as f64,
        metrics: metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
        learning_rate: 0.1,
        grad_norm: 1.0,
        n_target_tokens: 7,
        tokens_per_second: 1.0,
        elapsed_s: 0.0,
    })
}

#[test]
fn every_step_is_a_row_and_evaluations_stand_beside_theirs() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path());
    let evaluated = Event::Evaluated(EvalEvent {
        run: "r-1".into(),
        global_step: 2,
        loss: 0.25,
        n_target_tokens: 9,
        is_best: true,
        metrics: BTreeMap::new(),
    });
    let margin = [("rewards/margins", 0.5)];
    [step(1, &[]), step(2, &margin), evaluated, step(3, &[])].iter().for_each(|event| journal.append(event));
    write(dir.path()).unwrap();
    let table = crate::scoring::read_table(&dir.path().join(FILE_NAME)).unwrap();
    let column = |name: &str| table.column_by_name(name).unwrap().clone();
    assert_eq!(column("global_step").as_primitive::<UInt64Type>().values(), &[1, 2, 3]);
    let of = |name: &str| -> Vec<Option<f64>> { column(name).as_primitive::<Float64Type>().iter().collect() };
    assert_eq!(of("loss"), [Some(1.0), Some(0.5), Some(1.0 / 3.0)]);
    assert_eq!(of("eval_loss"), [None, Some(0.25), None]);
    assert_eq!(of("rewards/margins"), [None, Some(0.5), None]);
}

#[test]
fn a_run_without_a_step_has_an_empty_table() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path()).unwrap();
    assert_eq!(crate::scoring::read_table(&dir.path().join(FILE_NAME)).unwrap().num_rows(), 0);
}
