use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};

use super::{DefaultRenderer, TrimExtractor, parse};
use crate::{Answer, AnswerExtractor, Message, PromptRenderer, Roles};

fn batch(columns: &[(&str, &[&str])]) -> RecordBatch {
    let array = |cells: &[&str]| Arc::new(StringArray::from(cells.to_vec())) as ArrayRef;
    RecordBatch::try_from_iter(columns.iter().map(|(name, cells)| (*name, array(cells)))).unwrap()
}

fn turns(conversation: &[Message]) -> Vec<(&str, &str)> {
    conversation.iter().map(|message| (message.role.as_str(), message.content.as_str())).collect()
}

fn alpaca() -> DefaultRenderer {
    let roles = Roles {
        prompt: Some("instruction".into()),
        input: Some("input".into()),
        completion: Some("output".into()),
        ..Roles::default()
    };
    DefaultRenderer::new("rows", roles)
}

#[test]
fn input_follows_the_instruction() {
    let rows = batch(&[("instruction", &["Add", "Hello"]), ("input", &["1 2", " "]), ("output", &["3", "Hi"])]);
    let conversations = alpaca().render(&rows, &rows.slice(0, 0)).unwrap();
    assert_eq!(turns(&conversations[0]), [("user", "Add\n\n1 2")]);
    assert_eq!(turns(&conversations[1]), [("user", "Hello")]);
    assert_eq!(alpaca().targets(&rows).unwrap(), ["3", "Hi"]);
}

#[test]
fn shots_are_earlier_turns() {
    let rows = batch(&[("instruction", &["a", "b", "c"]), ("input", &["", "", ""]), ("output", &["1", "2", "3"])]);
    let conversations = alpaca().render(&rows.slice(2, 1), &rows.slice(0, 2)).unwrap();
    assert_eq!(
        turns(&conversations[0]),
        [("user", "a"), ("assistant", "1"), ("user", "b"), ("assistant", "2"), ("user", "c")]
    );
}

#[test]
fn chat_rows_end_before_their_last_answer() {
    let rows = batch(&[(
        "messages",
        &[
            r#"[{"role":"system","content":"S"},{"role":"user","content":"a"},{"role":"assistant","content":"1"}]"#,
            r#"[{"from":"human","value":"b"},{"from":"gpt","value":"2"},{"from":"human","value":"c"},{"from":"gpt","value":"3"}]"#,
        ],
    )]);
    let mut renderer = DefaultRenderer::new("chat", Roles { messages: Some("messages".into()), ..Roles::default() });
    let conversations = renderer.render(&rows, &rows.slice(0, 0)).unwrap();
    assert_eq!(turns(&conversations[0]), [("system", "S"), ("user", "a")]);
    assert_eq!(turns(&conversations[1]), [("user", "b"), ("assistant", "2"), ("user", "c")]);
    assert_eq!(renderer.targets(&rows).unwrap(), ["1", "3"]);
    let shot = renderer.render(&rows.slice(0, 1), &rows.slice(1, 1)).unwrap();
    assert_eq!(
        turns(&shot[0]),
        [("system", "S"), ("user", "b"), ("assistant", "2"), ("user", "c"), ("assistant", "3"), ("user", "a")]
    );
}

#[test]
fn messages_of_other_shapes() {
    let parts = parse(r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":"c"},{"role":"user","content":"d"}]"#).unwrap();
    assert_eq!(parts.context[0].content, "ab");
    assert_eq!((parts.answer.map(|turn| turn.content), parts.n_unanswered), (Some("c".into()), 1));
    assert_eq!(parse("[]").unwrap().answer, None);
    for bad in [
        "{}",
        "[1]",
        "[{}]",
        r#"[{"role":"user"}]"#,
        r#"[{"role":"user","content":null}]"#,
        r#"[{"role":"user","content":[{"type":"image"}]}]"#,
        "x",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    assert!(parse(&"[".repeat(100_000)).is_err());
}

#[test]
fn numbers_are_written_out_and_missing_columns_named() {
    let rows = RecordBatch::try_from_iter([
        ("prompt", Arc::new(StringArray::from(vec!["1 + 1"])) as ArrayRef),
        ("completion", Arc::new(Int64Array::from(vec![2])) as ArrayRef),
    ])
    .unwrap();
    let roles = Roles { prompt: Some("prompt".into()), completion: Some("completion".into()), ..Roles::default() };
    assert_eq!(DefaultRenderer::new("rows", roles.clone()).targets(&rows).unwrap(), ["2"]);
    let other = batch(&[("promt", &["a"])]);
    let error = DefaultRenderer::new("rows", roles).render(&other, &other.slice(0, 0)).unwrap_err();
    assert!(error.to_string().contains("did you mean `promt`?"), "{error}");
    assert!(DefaultRenderer::new("rows", Roles::default()).targets(&rows).is_err());
}

#[test]
fn the_fingerprint_is_of_the_way_of_rendering_alone() {
    let renamed = DefaultRenderer::new("other", Roles { prompt: Some("p".into()), ..Roles::default() });
    assert_eq!(alpaca().fingerprint(), renamed.fingerprint());
    assert!(renamed.fingerprint().starts_with("sha256:"));
}

#[test]
fn the_default_answer_is_the_trimmed_completion() {
    let answers = TrimExtractor.extract(&[" SELECT 1\n".into(), "\n ".into()]).unwrap();
    assert_eq!(answers[0], Answer::Found("SELECT 1".into()));
    assert!(matches!(answers[1], Answer::Missing(_)));
}
