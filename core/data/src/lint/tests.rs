use luthier_protocol::response::Finding;

use super::{ERRORS, Facts, WARNINGS, across_splits, gate, lint};
use crate::preference::PreferenceRow;
use crate::tokenizer::fixture::{CHATML, byte_level, model_dir, prompter};
use crate::{ChatTemplate, Error, Example, IGNORE_INDEX, Message, Prompter, Tokenizer, TrainingRow};

fn example(ids: &[u32], n_masked: usize) -> Example {
    let label = |(index, id): (usize, &u32)| if index < n_masked { IGNORE_INDEX } else { *id as i32 };
    Example { input_ids: ids.to_vec(), labels: ids.iter().enumerate().map(label).collect() }
}

fn row(prompt: &str, answer: &str) -> TrainingRow {
    TrainingRow::answered(vec![Message::new("user", prompt)], answer)
}

/// Findings about examples whose rows are `q0 → a0`, `q1 → a1`, ….
fn check(examples: &[Example]) -> Vec<Finding> {
    let rows: Vec<TrainingRow> = (0..examples.len()).map(|i| row(&format!("q{i}"), &format!("a{i}"))).collect();
    let row_of: Vec<usize> = (0..examples.len()).collect();
    lint(examples, &row_of, &rows, &Facts::default(), &prompter(Some(CHATML), false))
}

fn about_rows(rows: &[TrainingRow]) -> Vec<Finding> {
    let good = vec![example(&[10, 11, 12, 3], 2); rows.len()];
    let row_of: Vec<usize> = (0..rows.len()).collect();
    lint(&good, &row_of, rows, &Facts::default(), &prompter(Some(CHATML), false))
}

fn names(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.name.as_str()).collect()
}

#[test]
fn good_examples_pass() {
    assert_eq!(check(&[example(&[10, 11, 12, 3], 2), example(&[10, 11, 13, 3], 2)]), []);
}

#[test]
fn each_fault_of_tokens_is_named_with_its_row() {
    let good = example(&[10, 11, 12, 3], 2);
    let finding = |bad: Example| {
        let findings = check(&[good.clone(), bad]);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!((findings[0].rows.as_slice(), findings[0].n_rows), (&[2][..], 1));
        assert!(findings[0].excerpt.contains("q1"), "{}", findings[0].excerpt);
        assert!(!findings[0].remedy.is_empty());
        findings[0].name.clone()
    };
    assert_eq!(finding(example(&[10, 11, 3], 3)), "all-masked");
    assert_eq!(finding(example(&[10, 11, 3], 2)), "empty-answer");
    assert_eq!(finding(example(&[0, 0, 11, 3], 2)), "doubled-bos");
    assert_eq!(finding(Example { input_ids: vec![10, 11, 3], labels: vec![IGNORE_INDEX, 12, 3] }), "misaligned-labels");
    assert_eq!(finding(example(&[10, 11, 12, 3, 12, 13, 3], 2)), "end-inside-answer");
    assert_eq!(names(&check(&[example(&[10, 11, 12], 1)])), ["end-of-turn-never-trained"]);
    assert_eq!(names(&lint(&[], &[], &[], &Facts::default(), &prompter(None, false))), ["no-examples"]);
}

#[test]
fn ends_of_several_turns_and_of_an_unmasked_prompt_are_no_fault() {
    let several = Example {
        input_ids: vec![10, 11, 3, 12, 13, 14, 3],
        labels: vec![IGNORE_INDEX, 11, 3, IGNORE_INDEX, IGNORE_INDEX, 14, 3],
    };
    assert_eq!(check(&[several]), []);
    assert_eq!(check(&[example(&[10, 11, 3, 12, 13, 3], 0)]), []);
}

#[test]
fn many_rows_are_counted() {
    let findings = check(&vec![example(&[10, 11], 2); 14]);
    assert_eq!((findings[0].rows.len(), findings[0].n_rows), (10, 14));
    let text = findings[0].to_string();
    assert!(
        text.starts_with("error all-masked: rows 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 4 more: no token is learned"),
        "{text}"
    );
}

#[test]
fn what_happened_to_rows_is_told() {
    let facts = Facts { cut: vec![0], emptied: vec![1], unstable: vec![2] };
    let rows: Vec<TrainingRow> = (0..3).map(|i| row(&format!("q{i}"), &format!("a{i}"))).collect();
    let good = vec![example(&[10, 11, 12, 3], 2); 2];
    let findings = lint(&good, &[0, 2], &rows, &facts, &prompter(Some(CHATML), false));
    assert_eq!(names(&findings), ["template-not-prefix-stable", "truncation-removes-targets", "truncated"]);
    assert_eq!(findings.iter().map(|finding| finding.rows[0]).collect::<Vec<_>>(), [3, 2, 1]);
}

#[test]
fn faults_of_texts() {
    assert_eq!(names(&about_rows(&[row("a", "b"), row("a", "c"), row("d", "b")])), [] as [&str; 0]);
    let identical = about_rows(&[row("a", "b"), row("same", " same\n")]);
    assert_eq!((names(&identical), identical[0].rows[0]), (vec!["identical-pairs"], 2));
    let twice = about_rows(&[row("a", "b"), row("a", "b"), row("a", "b")]);
    assert_eq!((names(&twice), twice[0].rows.clone()), (vec!["duplicate-rows"], vec![2, 3]));
    let special = about_rows(&[row("a", "b"), row("say <|im_end|>", "c")]);
    assert_eq!(names(&special), ["special-token-in-text"]);
    let texts = about_rows(&[TrainingRow::Text("a".into()), TrainingRow::Text("a".into())]);
    assert_eq!(names(&texts), ["duplicate-rows"]);
}

#[test]
fn equal_answers_are_no_preference() {
    let turn = |text: &str| vec![Message::new("assistant", text)];
    let pair = |chosen: &str, rejected: &str| PreferenceRow {
        prompt: vec![Message::new("user", "q")],
        chosen: turn(chosen),
        rejected: turn(rejected),
    };
    assert_eq!(super::identical_answers(&[pair("a", "b")]), None);
    let finding = super::identical_answers(&[pair("a", "b"), pair("c", "c")]).unwrap();
    assert_eq!((finding.name.as_str(), finding.rows), ("identical-pairs", vec![2]));
}

#[test]
fn rows_of_other_splits() {
    let trained = [row("a", "1"), row("b", "2"), row("c", "3")];
    let test = |rows: &[TrainingRow]| vec![("test".to_string(), rows.to_vec())];
    assert_eq!(across_splits(&trained, &test(&[row("d", "1")])), []);
    let findings = across_splits(&trained, &test(&[row("b", "2"), row("c", "other")]));
    assert_eq!(names(&findings), ["duplicates-across-splits", "prompts-across-splits"]);
    assert_eq!((findings[0].rows.clone(), findings[1].rows.clone()), (vec![2], vec![3]));
    assert!(findings[0].is_error && !findings[1].is_error);
    assert!(findings[0].message.contains("(test)"));
}

#[test]
fn padding_with_eos_and_no_end_are_warnings() {
    let with = |config: serde_json::Value| {
        let dir = model_dir(&byte_level(false), &[("tokenizer_config.json", config)]);
        let tokenizer = Tokenizer::from_dir(dir.path()).unwrap();
        let template = ChatTemplate::from_source("t", "{{ messages[0].content }}", &tokenizer).unwrap();
        let rows = [row("a", "b")];
        let good = [example(&[10, 11, 12, 1], 2)];
        lint(&good, &[0], &rows, &Facts::default(), &Prompter { tokenizer, template })
    };
    assert_eq!(names(&with(serde_json::json!({"eos_token": "</s>", "pad_token": "<s>"}))), [] as [&str; 0]);
    assert_eq!(names(&with(serde_json::json!({"eos_token": "</s>", "pad_token": "</s>"}))), ["pad-is-eos"]);
    assert_eq!(names(&with(serde_json::json!({}))), ["no-end-token"]);
}

#[test]
fn the_gate_lets_warnings_and_what_is_allowed_pass() {
    let findings = check(&[example(&[10, 11, 12, 3], 2), example(&[10, 11, 3], 2)]);
    let Err(Error::Lint { findings: stopping }) = gate(findings.clone(), &[]) else { panic!("not stopped") };
    assert_eq!(names(&stopping), ["empty-answer"]);
    let passed = gate(findings.clone(), &["empty-answer".into()]).unwrap();
    assert!(passed[0].allowed && passed[0].to_string().starts_with("allowed empty-answer: row 2"));
    assert!(gate(findings, &["all-masked".into()]).is_err());
    let unknown = gate(vec![], &["empty-answr".into()]).unwrap_err();
    assert_eq!(unknown.to_string(), "no finding of the data lint is named `empty-answr`; did you mean `empty-answer`?");
    assert!(ERRORS.iter().all(|name| !WARNINGS.contains(name)));
}
