mod limits;
pub(crate) mod real;

use serde::Deserialize;
use serde_json::json;

use super::{ChatTemplate, RenderDate, python};
use crate::tokenizer::fixture::{byte_level, model_dir, tokenizer, tokenizer_config, write};
use crate::{Error, Message, Tokenizer};

#[derive(Deserialize)]
struct Golden {
    templates: std::collections::BTreeMap<String, String>,
    conversations: std::collections::BTreeMap<String, Vec<Message>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    template: String,
    conversation: String,
    add_generation_prompt: bool,
    text: Option<String>,
    error: Option<String>,
}

fn user(content: &str) -> Message {
    Message::new("user", content)
}

/// `tests/oracles/chat_templates.py` renders the same cases with Jinja2.
#[test]
fn renders_as_jinja2_does() {
    let golden: Golden = serde_json::from_str(include_str!("../../../../tests/fixtures/chat_templates.json")).unwrap();
    let tokenizer = tokenizer(false);
    assert!(golden.cases.len() > 100);
    let mut wrong = Vec::new();
    for case in &golden.cases {
        let template =
            ChatTemplate::from_source(&case.template, &golden.templates[&case.template], &tokenizer).unwrap();
        let rendered = template.render(&golden.conversations[&case.conversation], case.add_generation_prompt);
        let label = format!("{} / {}", case.template, case.conversation);
        match (rendered, &case.text, &case.error) {
            (Ok(found), Some(expected), _) if found == *expected => {}
            (Err(error), None, Some(expected)) if error.to_string().contains(expected.as_str()) => {}
            (found, expected, error) => {
                wrong.push(format!("{label}:\n found    {found:?}\n expected {expected:?} {error:?}"))
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases differ\n{}", wrong.len(), golden.cases.len(), wrong.join("\n"));
}

#[test]
fn a_directory_brings_its_template() {
    let from = |files: &[(&str, serde_json::Value)], jinja: Option<&str>| {
        let dir = model_dir(&byte_level(false), files);
        if let Some(source) = jinja {
            write(dir.path(), "chat_template.jinja", source);
        }
        ChatTemplate::from_dir(dir.path(), &Tokenizer::from_dir(dir.path()).unwrap())
    };
    let config = |template: serde_json::Value| {
        ("tokenizer_config.json", json!({ "chat_template": template, "eos_token": "</s>" }))
    };
    let text = |template: ChatTemplate| template.render(&[user("hi")], true).unwrap();
    assert_eq!(text(from(&[config(json!("A{{ eos_token }}"))], None).unwrap()), "A</s>");
    assert_eq!(text(from(&[config(json!("A"))], Some("B")).unwrap()), "B");
    let named = json!([{ "name": "tool_use", "template": "T" }, { "name": "default", "template": "D" }]);
    assert_eq!(text(from(&[config(named)], None).unwrap()), "D");
    let plain = from(&[config(json!(null))], None).unwrap();
    assert!(plain.is_plain());
    assert_eq!(text(plain), "User: hi\nAssistant:");
    let none =
        from(&[config(json!([{ "name": "rag", "template": "R" }, { "name": "tool_use", "template": "T" }]))], None);
    assert!(none.unwrap_err().to_string().contains("rag, tool_use"));
    let broken = from(&[], Some("{% if %}")).unwrap_err();
    assert!(matches!(&broken, Error::ChatTemplate { template, .. } if template == "chat_template.jinja"), "{broken}");
    assert!(broken.to_string().contains("line 1"), "{broken}");
}

#[test]
fn the_date_is_an_argument() {
    let tokenizer = tokenizer(false);
    let template = ChatTemplate::from_source("dated", "{{ strftime_now('%d %b %Y') }}", &tokenizer).unwrap();
    assert_eq!(template.render(&[], false).unwrap(), "26 Jul 2024");
    let later = template.with_date(RenderDate { year: 2026, month: 11, day: 1 }).unwrap();
    assert_eq!(later.render(&[], false).unwrap(), "01 Nov 2026");
    assert_ne!(template.fingerprint(), later.fingerprint());
    assert_eq!(python::strftime("%-d %e %F %%", later.date()).unwrap(), "1  1 2026-11-01 %");
    assert!(python::strftime("%Q", later.date()).is_err());
    assert!(python::strftime("%d", RenderDate { year: 2026, month: 13, day: 1 }).is_err());
}

#[test]
fn the_plain_default_renders_turns_and_refuses_other_roles() {
    let template = ChatTemplate::plain(&tokenizer(false));
    let turn = |role: &str, content: &str| Message::new(role, content);
    let text = template.render(&[turn("system", "S"), user("q"), turn("assistant", "a"), user("r")], true).unwrap();
    assert_eq!(text, "S\n\nUser: q\nAssistant: a\nUser: r\nAssistant:");
    assert!(template.render(&[turn("tool", "x")], true).is_err());
}

#[test]
fn the_fingerprint_is_of_what_shapes_text() {
    let (a, b) = (tokenizer(false), tokenizer(false));
    let template = |source: &str, tokenizer: &Tokenizer| {
        ChatTemplate::from_source("n", source, tokenizer).unwrap().fingerprint().to_string()
    };
    assert_eq!(template("A", &a), template("A", &b));
    assert_ne!(template("A", &a), template("B", &a));
    let dir = model_dir(
        &byte_level(false),
        &[("tokenizer_config.json", {
            let mut c = tokenizer_config();
            c["eos_token"] = json!("<|im_end|>");
            c
        })],
    );
    assert_ne!(template("A", &a), template("A", &Tokenizer::from_dir(dir.path()).unwrap()));
}
