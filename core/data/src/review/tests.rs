use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray};

use super::{Action, Edit, LABEL, REJECTED, Verdict, apply, correction, row_keys};
use crate::{Dataset, DatasetOptions, Error};

fn pairs(pairs: &[(&str, &str)]) -> Dataset {
    let column = |cells: Vec<&str>| Arc::new(StringArray::from(cells)) as ArrayRef;
    let (prompts, completions) = pairs.iter().copied().unzip();
    let batch = RecordBatch::try_from_iter([("prompt", column(prompts)), ("completion", column(completions))]).unwrap();
    Dataset::from_batch("shop", batch, DatasetOptions::default()).unwrap()
}

fn edit(dataset: &Dataset, row: usize, action: Action) -> Edit {
    Edit { key: row_keys(dataset)[row].clone(), action }
}

fn correct(column: &str, new: &str) -> Action {
    Action::Correct { column: column.into(), new: new.into() }
}

#[test]
fn rejected_rows_go_and_corrected_ones_change() {
    let source = pairs(&[("a", "1"), ("b", "2"), ("c", "3")]);
    let edits = [
        edit(&source, 0, Action::Accept),
        edit(&source, 1, Action::Reject),
        edit(&source, 2, correct("completion", "33")),
    ];
    let reviewed = apply(&source, &edits).unwrap();
    assert_eq!(reviewed.verdicts, [Some(Verdict::Accepted), Some(Verdict::Rejected), Some(Verdict::Corrected)]);
    let derived = &reviewed.derived;
    assert_eq!(derived.text_column("completion").unwrap(), ["1", "33"]);
    assert_ne!(derived.fingerprint, source.fingerprint);
    assert_eq!(derived.derived_from.as_ref(), Some(&source.fingerprint));
    assert_eq!(
        (derived.accounting.requested, derived.accounting.kept, derived.accounting.rejected[REJECTED]),
        (3, 2, 1)
    );
    assert_eq!(reviewed.rows.num_rows(), 3);
    // The same edits make the same version; the last word counts.
    assert_eq!(apply(&source, &edits).unwrap().derived.fingerprint, derived.fingerprint);
    let again = apply(&source, &[edits[1].clone(), edit(&source, 1, Action::Accept)]).unwrap();
    assert_eq!((again.verdicts[1], again.derived.fingerprint), (Some(Verdict::Accepted), source.fingerprint.clone()));
    assert_eq!(again.derived.derived_from, None);
}

#[test]
fn edits_find_their_rows_again_after_more_were_imported() {
    let source = pairs(&[("a", "1"), ("b", "2"), ("b", "2")]);
    let edits = [edit(&source, 1, Action::Reject)];
    let more = pairs(&[("z", "0"), ("b", "2"), ("a", "1"), ("b", "2")]);
    assert_eq!(apply(&more, &edits).unwrap().verdicts, [None, Some(Verdict::Rejected), None, None]);
    assert_eq!(apply(&pairs(&[("z", "0")]), &edits).unwrap().verdicts, [None]);
}

#[test]
fn labels_are_columns() {
    let source = pairs(&[("a", "1"), ("b", "2")]);
    let label = Action::Label { column: LABEL.into(), new: "good".into() };
    let reviewed = apply(&source, &[edit(&source, 1, label)]).unwrap();
    assert_eq!(reviewed.derived.text_column(LABEL).unwrap(), ["", "good"]);
    assert_eq!(reviewed.verdicts, [None, None]);
    assert_eq!(reviewed.labels[1], BTreeMap::from([(LABEL.to_string(), "good".to_string())]));
}

#[test]
fn corrections_fit_their_column() {
    let flags = Arc::new(BooleanArray::from(vec![true])) as ArrayRef;
    let text = |cell: &str| Arc::new(StringArray::from(vec![cell])) as ArrayRef;
    let batch =
        RecordBatch::try_from_iter([("prompt", text("a")), ("completion", text("1")), ("label", flags)]).unwrap();
    let source = Dataset::from_batch("kto", batch, DatasetOptions::default()).unwrap();
    assert_eq!(correction(&source, 0, "label", "false").unwrap(), ("label".into(), "false".into()));
    assert!(matches!(correction(&source, 0, "label", "maybe"), Err(Error::Cell { row: 1, .. })));
    assert!(matches!(correction(&source, 0, "complet", "x"), Err(Error::MissingColumn { nearest: Some(_), .. })));
    assert!(correction(&source, 0, "split", "test").is_err());
    let edits = [edit(&source, 0, correct("label", "false"))];
    assert_eq!(apply(&source, &edits).unwrap().derived.text_column("label").unwrap(), ["false"]);
}

#[test]
fn a_chat_rows_completion_is_its_last_answer() {
    let cell = r#"[{"role":"user","content":"q"},{"role":"assistant","content":"a"},{"role":"user","content":"r"}]"#;
    let column = Arc::new(StringArray::from(vec![cell])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("messages", column)]).unwrap();
    let source = Dataset::from_batch("chat", batch, DatasetOptions::default()).unwrap();
    let (column, new) = correction(&source, 0, "completion", "better").unwrap();
    assert_eq!(column, "messages");
    assert_eq!(new, r#"[{"role":"user","content":"q"},{"role":"assistant","content":"better"}]"#);
}

#[test]
fn nothing_left_is_an_error() {
    let source = pairs(&[("a", "1")]);
    assert!(matches!(apply(&source, &[edit(&source, 0, Action::Reject)]), Err(Error::NothingKept { .. })));
}
