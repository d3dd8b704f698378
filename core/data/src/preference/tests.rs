use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use luthier_protocol::spec::RolesSpec;

use super::{labeled_rows, preference_rows};
use crate::{DefaultRenderer, Error, Message, Roles, RowKind};

fn batch(columns: &[(&str, &[&str])]) -> RecordBatch {
    let array = |cells: &[&str]| Arc::new(StringArray::from(cells.to_vec())) as ArrayRef;
    RecordBatch::try_from_iter(columns.iter().map(|(name, cells)| (*name, array(cells)))).unwrap()
}

fn roles(batch: &RecordBatch) -> Roles {
    Roles::resolve("rows", &crate::roles::column_names(batch), &RolesSpec::default(), true).unwrap()
}

fn texts(turns: &[Message]) -> Vec<(&str, &str)> {
    turns.iter().map(|turn| (turn.role.as_str(), turn.content.as_str())).collect()
}

#[test]
fn pairs_of_text() {
    let rows = batch(&[("prompt", &["a"]), ("chosen", &["good"]), ("rejected", &["bad"])]);
    let roles = roles(&rows);
    assert_eq!(roles.kind(), RowKind::Preference);
    let mut renderer = DefaultRenderer::new("rows", roles.clone());
    let pairs = preference_rows("rows", &roles, &mut renderer, &rows).unwrap();
    assert_eq!(texts(&pairs[0].prompt), [("user", "a")]);
    assert_eq!(texts(&pairs[0].chosen), [("assistant", "good")]);
    assert_eq!(texts(&pairs[0].rejected), [("assistant", "bad")]);
    let labeled = labeled_rows("rows", &roles, &mut renderer, &rows).unwrap();
    assert_eq!(labeled.iter().map(|row| (row.label, row.row)).collect::<Vec<_>>(), [(true, 0), (false, 0)]);
}

#[test]
fn pairs_of_message_lists() {
    let question = r#"{"role":"user","content":"q"}"#;
    let answer = |text: &str| format!(r#"{{"role":"assistant","content":"{text}"}}"#);
    let whole = |text: &str| format!("[{question},{}]", answer(text));
    let alone = |text: &str| format!("[{}]", answer(text));
    let cases = [
        // Whole conversations, with the prompt beside them, as a list, and implied.
        batch(&[("prompt", &["q"]), ("chosen", &[&whole("good")]), ("rejected", &[&whole("bad")])]),
        batch(&[
            ("prompt", &[&format!("[{question}]")]),
            ("chosen", &[&alone("good")]),
            ("rejected", &[&alone("bad")]),
        ]),
        batch(&[("chosen", &[&whole("good")]), ("rejected", &[&whole("bad")])]),
    ];
    for rows in cases {
        let roles = roles(&rows);
        let mut renderer = DefaultRenderer::new("rows", roles.clone());
        let pairs = preference_rows("rows", &roles, &mut renderer, &rows).unwrap();
        assert_eq!(texts(&pairs[0].prompt), [("user", "q")]);
        assert_eq!(texts(&pairs[0].chosen), [("assistant", "good")]);
        assert_eq!(texts(&pairs[0].rejected), [("assistant", "bad")]);
    }
}

#[test]
fn answers_that_begin_alike_share_only_their_prompt() {
    let list = |turns: &[(&str, &str)]| {
        let turns: Vec<String> =
            turns.iter().map(|(role, text)| format!(r#"{{"role":"{role}","content":"{text}"}}"#)).collect();
        format!("[{}]", turns.join(","))
    };
    let same = list(&[("user", "q"), ("assistant", "same")]);
    let shared = crate::format::shared_prompt(&same, &same);
    assert_eq!(texts(&shared), [("user", "q")]);
    assert_eq!(crate::format::shared_prompt("text", &same), []);
}

#[test]
fn labels_are_true_or_false() {
    let prompt = Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef;
    let completion = Arc::new(StringArray::from(vec!["1", "2"])) as ArrayRef;
    let label = Arc::new(BooleanArray::from(vec![true, false])) as ArrayRef;
    let rows = RecordBatch::try_from_iter([("prompt", prompt), ("completion", completion), ("label", label)]).unwrap();
    let roles = roles(&rows);
    assert_eq!(roles.kind(), RowKind::Labeled);
    let mut renderer = DefaultRenderer::new("rows", roles.clone());
    let labeled = labeled_rows("rows", &roles, &mut renderer, &rows).unwrap();
    assert_eq!((labeled[0].label, labeled[1].label), (true, false));
    assert_eq!(texts(&labeled[1].completion), [("assistant", "2")]);

    let text = batch(&[("prompt", &["a"]), ("completion", &["1"]), ("label", &["maybe"])]);
    let error = labeled_rows("rows.csv", &roles, &mut renderer, &text).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rows.csv: row 1, column `label`: expected true or false (wanted or not), found `maybe`"
    );
}

#[test]
fn rows_without_them_are_refused() {
    let rows = batch(&[("prompt", &["a"]), ("completion", &["1"])]);
    let roles = roles(&rows);
    let mut renderer = DefaultRenderer::new("rows", roles.clone());
    assert!(matches!(preference_rows("rows", &roles, &mut renderer, &rows), Err(Error::Roles { .. })));
    assert!(matches!(labeled_rows("rows", &roles, &mut renderer, &rows), Err(Error::Roles { .. })));
}
