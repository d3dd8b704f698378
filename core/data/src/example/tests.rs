use luthier_protocol::spec::{LossOn, OnTooLong};
use proptest::prelude::*;

use super::{Example, ExampleBuilder, IGNORE_INDEX, reason};
use crate::tokenizer::fixture::{CHATML, metaspace_json, prompter, write};
use crate::{Error, Message, Prompter};

fn builder(template: Option<&str>, adds_bos: bool) -> ExampleBuilder {
    ExampleBuilder {
        prompter: prompter(template, adds_bos),
        max_seq_len: 512,
        loss_on: LossOn::Completion,
        on_too_long: OnTooLong::Error,
    }
}

fn user(content: &str) -> Vec<Message> {
    vec![Message::new("user", content)]
}

fn trained_text(builder: &ExampleBuilder, example: &Example) -> String {
    let ids: Vec<u32> =
        example.labels.iter().filter(|label| **label != IGNORE_INDEX).map(|label| *label as u32).collect();
    builder.prompter.tokenizer.decode(&ids, false).unwrap()
}

#[test]
fn the_loss_sees_the_answer_and_its_end() {
    let builder = builder(Some(CHATML), true);
    let example = builder.build(&user("How many?"), "SELECT 1").unwrap();
    assert_eq!(trained_text(&builder, &example), "SELECT 1<|im_end|>");
    let whole = builder.prompter.tokenizer.decode(&example.input_ids, false).unwrap();
    assert_eq!(whole, "<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\nSELECT 1<|im_end|>");
    assert_eq!(example.labels.len(), example.input_ids.len());
}

#[test]
fn the_plain_default_ends_with_eos() {
    let builder = builder(None, true);
    let example = builder.build(&user("How many?"), "SELECT 1").unwrap();
    assert_eq!(trained_text(&builder, &example), " SELECT 1</s>");
    let whole = builder.prompter.tokenizer.decode(&example.input_ids, false).unwrap();
    assert_eq!(whole, "<s>User: How many?\nAssistant: SELECT 1</s>");
}

#[test]
fn earlier_turns_are_context() {
    let builder = builder(Some(CHATML), false);
    let mut messages = user("a");
    messages.push(Message::new("assistant", "first answer"));
    messages.extend(user("b"));
    let example = builder.build(&messages, "second").unwrap();
    assert_eq!(trained_text(&builder, &example), "second<|im_end|>");
}

#[test]
fn the_prompt_can_be_trained_on() {
    let builder = ExampleBuilder { loss_on: LossOn::All, ..builder(None, true) };
    let example = builder.build(&user("q"), "a").unwrap();
    assert!(example.labels.iter().zip(&example.input_ids).all(|(label, id)| *label == *id as i32));
    assert_eq!(example.n_targets(), example.input_ids.len() - 1);
}

#[test]
fn sentencepiece_answers_get_no_second_word_mark() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "tokenizer.json", &metaspace_json().to_string());
    write(dir.path(), "tokenizer_config.json", r#"{"bos_token": "<s>", "eos_token": "</s>"}"#);
    let prompter = Prompter::from_dir(dir.path()).unwrap();
    let builder = ExampleBuilder { prompter, ..builder(None, false) };
    let example = builder.build(&user("the ab"), "answer").unwrap();
    let texts: Vec<String> = example.input_ids.iter().map(|id| builder.prompter.tokenizer.token_text(*id)).collect();
    assert_eq!(texts[texts.len() - 2..], [" answer", "</s>"]);
}

fn rows(targets: &[&str]) -> (Vec<Vec<Message>>, Vec<String>) {
    (targets.iter().map(|_| user("q")).collect(), targets.iter().map(ToString::to_string).collect())
}

#[test]
fn too_long_is_refused_dropped_or_cut() {
    let long = "SELECT 1 + ".repeat(50);
    let (conversations, targets) = rows(&["a", &long, "b"]);
    let with = |on_too_long, max_seq_len| {
        let builder = ExampleBuilder { on_too_long, max_seq_len, ..builder(Some(CHATML), false) };
        builder.build_all(&conversations, &targets)
    };
    assert!(matches!(with(OnTooLong::Error, 64), Err(Error::TooLong { row: 2, max_seq_len: 64, .. })));
    let dropped = with(OnTooLong::Drop, 64).unwrap();
    assert_eq!(dropped.rows, [0, 2]);
    assert_eq!((dropped.accounting.requested, dropped.accounting.kept), (3, 2));
    assert_eq!(dropped.accounting.rejected[reason::TOO_LONG], 1);
    assert_eq!(dropped.warnings.len(), 1);
    let cut = with(OnTooLong::Truncate, 64).unwrap();
    assert_eq!(cut.rows, [0, 1, 2]);
    assert_eq!(cut.examples[1].input_ids.len(), 64);
    assert_eq!(cut.warnings, ["1 of 3 examples were cut to max_seq_len = 64"]);
    // Nothing but prompt is left of any row.
    assert!(matches!(with(OnTooLong::Truncate, 8), Err(Error::Lint { .. })));
}

#[test]
fn rows_that_teach_nothing_are_named() {
    let (conversations, targets) = rows(&["a", "", "b"]);
    let error = builder(Some(CHATML), false).build_all(&conversations, &targets).unwrap_err();
    assert!(error.to_string().contains("error empty-answer: row 2: the answer is empty"), "{error}");
    assert!(builder(None, false).build_all(&conversations, &targets[..2]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// The ids that training shows before the answer are those that generation is given; the text
    /// of the whole is the text of prompt and answer.
    #[test]
    fn training_and_generation_see_one_prompt(question in "\\PC{0,40}", answer in "[a-zA-Z0-9 ',.()é🎻\\n]{1,40}", chatml: bool, adds_bos: bool) {
        let builder = builder(chatml.then_some(CHATML), adds_bos);
        let prompter = &builder.prompter;
        let rendered = prompter.render(&user(&question)).unwrap();
        let prompt_ids = prompter.encode(&rendered).unwrap();
        let example = builder.build(&user(&question), &answer).unwrap();
        prop_assert_eq!(&example.input_ids[..prompt_ids.len()], &prompt_ids[..]);
        prop_assert!(example.labels[..prompt_ids.len()].iter().all(|label| *label == IGNORE_INDEX));
        let trained = trained_text(&builder, &example);
        prop_assert!(trained.contains(&answer), "{:?} in {:?}", answer, trained);
        let end = if chatml { "<|im_end|>" } else { "</s>" };
        prop_assert!(trained.ends_with(end));
    }
}
