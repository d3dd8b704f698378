use std::sync::atomic::AtomicBool;

use luthier_protocol::spec::{LossOn, OnTooLong};

use super::super::{Example, ExampleBuilder, IGNORE_INDEX};
use crate::preference::{LabeledRow, PreferenceRow};
use crate::tokenizer::fixture::{CHATML, prompter};
use crate::{Error, Message};

fn builder(max_seq_len: usize, on_too_long: OnTooLong) -> ExampleBuilder {
    ExampleBuilder { prompter: prompter(Some(CHATML), false), max_seq_len, loss_on: LossOn::All, on_too_long }
}

fn turn(role: &str, text: &str) -> Vec<Message> {
    vec![Message::new(role, text)]
}

fn pair(chosen: &str, rejected: &str) -> PreferenceRow {
    PreferenceRow {
        prompt: turn("user", "q"),
        chosen: turn("assistant", chosen),
        rejected: turn("assistant", rejected),
    }
}

fn learned(builder: &ExampleBuilder, example: &Example) -> String {
    let ids: Vec<u32> =
        example.labels.iter().filter(|label| **label != IGNORE_INDEX).map(|label| *label as u32).collect();
    builder.prompter.tokenizer.decode(&ids, false).unwrap()
}

#[test]
fn both_sequences_begin_with_one_prompt() {
    let builder = builder(512, OnTooLong::Error);
    let rows = [pair("good", "bad answer")];
    let built = builder.build_preferences(&rows, &AtomicBool::new(false), &mut |_| {}).unwrap();
    let example = &built.examples[0];
    assert_eq!(learned(&builder, &example.chosen), "good<|im_end|>");
    assert_eq!(learned(&builder, &example.rejected), "bad answer<|im_end|>");
    let prompt = &example.chosen.input_ids[..example.n_prompt];
    assert_eq!(prompt, &example.rejected.input_ids[..example.n_prompt]);
    let rendered = builder.prompter.render(&rows[0].prompt).unwrap();
    assert_eq!(prompt, builder.prompter.encode(&rendered).unwrap());
    assert_eq!((built.accounting.requested, built.accounting.kept), (1, 1));
    assert_eq!(built.findings, []);
}

#[test]
fn a_pair_stays_or_goes_as_one() {
    let long = "word ".repeat(100);
    let rows = [pair("good", "bad"), pair("good", &long)];
    let go = |on_too_long| builder(64, on_too_long).build_preferences(&rows, &AtomicBool::new(false), &mut |_| {});
    assert!(matches!(go(OnTooLong::Error), Err(Error::TooLong { row: 2, .. })));
    let dropped = go(OnTooLong::Drop).unwrap();
    assert_eq!((dropped.rows, dropped.accounting.rejected.values().sum::<u64>()), (vec![0], 1));
    let cut = go(OnTooLong::Truncate).unwrap();
    assert_eq!((cut.rows.len(), cut.examples[1].rejected.input_ids.len()), (2, 64));
    assert_eq!(cut.findings[0].name, "truncated");
}

#[test]
fn equal_answers_are_found() {
    let rows = [pair("good", "bad"), pair("same", "same")];
    let built = builder(512, OnTooLong::Error).build_preferences(&rows, &AtomicBool::new(false), &mut |_| {}).unwrap();
    assert_eq!((built.findings[0].name.as_str(), built.findings[0].rows.clone()), ("identical-pairs", vec![2]));
}

#[test]
fn labeled_sequences_keep_their_verdict() {
    let builder = builder(512, OnTooLong::Error);
    let row = |text: &str, label| LabeledRow {
        prompt: turn("user", "q"),
        completion: turn("assistant", text),
        label,
        row: usize::from(!label),
    };
    let built =
        builder.build_labeled(&[row("yes", true), row("no", false)], &AtomicBool::new(false), &mut |_| {}).unwrap();
    assert_eq!(built.rows, [0, 1]);
    assert_eq!(built.examples.iter().map(|example| example.label).collect::<Vec<_>>(), [true, false]);
    let first = &built.examples[0];
    assert_eq!(learned(&builder, &first.example), "yes<|im_end|>");
    assert_eq!(first.n_prompt, first.example.labels.iter().filter(|label| **label == IGNORE_INDEX).count());
}

#[test]
fn a_cancelled_build_ends() {
    let cancelled = AtomicBool::new(true);
    let built = builder(512, OnTooLong::Error).build_preferences(&[pair("a", "b")], &cancelled, &mut |_| {});
    assert!(matches!(built, Err(Error::Interrupted)));
}
