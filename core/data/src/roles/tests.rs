use luthier_protocol::spec::RolesSpec;

use super::Roles;
use crate::Error;

fn resolve(columns: &[&str], spec: &RolesSpec) -> Result<Roles, Error> {
    let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
    Roles::resolve("rows.csv", &columns, spec, true)
}

fn guess(columns: &[&str]) -> Roles {
    resolve(columns, &RolesSpec::default()).unwrap()
}

fn pair(prompt: &str, completion: &str) -> Roles {
    Roles { prompt: Some(prompt.into()), completion: Some(completion.into()), ..Roles::default() }
}

#[test]
fn well_known_names_are_guessed() {
    assert_eq!(guess(&["prompt", "completion"]), pair("prompt", "completion"));
    assert_eq!(guess(&["id", "Question", "Answer"]), pair("Question", "Answer"));
    assert_eq!(guess(&["question", "sql", "database"]), pair("question", "sql"));
    assert_eq!(guess(&["question", "query"]), pair("question", "query"));
    assert_eq!(guess(&["query", "response"]), pair("query", "response"));
    assert_eq!(guess(&["input", "output"]), pair("input", "output"));
    assert_eq!(guess(&["text", "label"]), pair("text", "label"));
    let alpaca = Roles { input: Some("input".into()), ..pair("instruction", "output") };
    assert_eq!(guess(&["instruction", "input", "output"]), alpaca);
    let context = Roles { input: Some("context".into()), ..pair("question", "answer") };
    assert_eq!(guess(&["answer", "question", "context"]), context);
    let chat = |column: &str| Roles { messages: Some(column.into()), ..Roles::default() };
    assert_eq!(guess(&["messages", "source"]), chat("messages"));
    assert_eq!(guess(&["prompt", "prompt_id", "messages"]), chat("messages"));
    assert_eq!(guess(&["id", "conversations"]), chat("conversations"));
    assert_eq!(guess(&["prompt", "completion", "group"]).group.as_deref(), Some("group"));
}

#[test]
fn given_roles_win() {
    let spec = RolesSpec { prompt: Some("frage".into()), ..RolesSpec::default() };
    assert_eq!(resolve(&["frage", "answer", "question"], &spec).unwrap(), pair("frage", "answer"));
    let spec = RolesSpec { completion: Some("sql".into()), ..RolesSpec::default() };
    assert_eq!(resolve(&["question", "answer", "sql"], &spec).unwrap(), pair("question", "sql"));
    let spec = RolesSpec { prompt: Some("prompt".into()), ..RolesSpec::default() };
    assert_eq!(resolve(&["prompt", "messages", "completion"], &spec).unwrap(), pair("prompt", "completion"));
}

#[test]
fn doubt_is_an_error_that_lists_the_columns() {
    let message = |columns: &[&str]| resolve(columns, &RolesSpec::default()).unwrap_err().to_string();
    let two = message(&["question", "answer", "sql"]);
    assert!(two.contains("`answer` and `sql` could each be the completion"), "{two}");
    assert!(two.contains("the columns are `question`, `answer`, `sql`"), "{two}");
    assert!(message(&["a", "b"]).contains("no column is known to be the prompt"));
    assert!(message(&["question", "b"]).contains("no column is known to be the completion"));
    assert!(message(&["messages", "prompt", "completion"]).contains("both chat messages and prompt"));
    let both = RolesSpec { prompt: Some("a".into()), messages: Some("b".into()), ..RolesSpec::default() };
    assert!(matches!(resolve(&["a", "b"], &both), Err(Error::Roles { .. })));
}

#[test]
fn a_missing_column_names_the_nearest() {
    let spec = RolesSpec { prompt: Some("qestion".into()), ..RolesSpec::default() };
    let error = resolve(&["question", "sql"], &spec).unwrap_err();
    assert!(matches!(&error, Error::MissingColumn { nearest: Some(near), .. } if near == "question"));
    insta::assert_snapshot!(error, @"rows.csv: column `qestion` does not exist; the columns are `question`, `sql`; did you mean `question`?");
    let far = RolesSpec { prompt: Some("zzz".into()), ..RolesSpec::default() };
    assert!(matches!(resolve(&["question", "sql"], &far), Err(Error::MissingColumn { nearest: None, .. })));
}

#[test]
fn a_template_needs_no_roles() {
    let columns = ["question", "answer", "sql"].map(String::from);
    let roles = Roles::resolve("rows", &columns, &RolesSpec::default(), false).unwrap();
    assert_eq!(roles, Roles::default());
}
