use luthier_plugin::Answer;

use super::{conversation, extract};

#[test]
fn the_schema_stands_in_the_first_turn_only() {
    let messages = conversation("t(a)", &[("How many?", "SELECT COUNT(*) FROM t")], "Which a?");
    let texts: Vec<(&str, &str)> =
        messages.iter().map(|message| (message.role.as_str(), message.content.as_str())).collect();
    assert_eq!(texts, [("user", "t(a)\nHow many?"), ("assistant", "SELECT COUNT(*) FROM t"), ("user", "Which a?")]);
    assert_eq!(conversation("t(a)", &[], "Which a?")[0].content, "t(a)\nWhich a?");
}

#[test]
fn an_answer_is_the_first_statement() {
    let found = |text: &str| match extract(text) {
        Answer::Found(sql) => sql,
        Answer::Missing(reason) => panic!("{reason}"),
    };
    assert_eq!(found(" SELECT 1 "), "SELECT 1");
    assert_eq!(found("SELECT 1; SELECT 2"), "SELECT 1");
    assert_eq!(found("SELECT ';' FROM t; x"), "SELECT ';' FROM t");
    assert_eq!(found("Here:\n```sql\nSELECT 1;\n```\nDone"), "SELECT 1");
    assert_eq!(found("```\nSELECT 1\n```"), "SELECT 1");
}

#[test]
fn no_answer_has_a_reason() {
    for text in ["", "  \n", ";", "```sql\nSELECT 1", "```sql\n```"] {
        assert!(matches!(extract(text), Answer::Missing(reason) if !reason.is_empty()), "{text:?}");
    }
}
