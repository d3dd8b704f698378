//! Templates of real models, against transformers' own rendering.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::format::parse_list;
use crate::render::TOOLS_ROLE;
use crate::tokenizer::fixture::tokenizer;
use crate::{ChatTemplate, Message};

#[derive(Deserialize)]
pub(crate) struct Row {
    pub(crate) messages: Value,
    #[serde(default)]
    pub(crate) tools: Option<Value>,
}

#[derive(Deserialize)]
struct Expected {
    conversations: BTreeMap<String, Row>,
    texts: BTreeMap<String, BTreeMap<String, Outcome>>,
}

#[derive(Deserialize)]
struct Outcome {
    text: Option<String>,
}

#[derive(Deserialize)]
struct Expressions {
    expressions: Vec<Expression>,
}

#[derive(Deserialize)]
struct Expression {
    source: String,
    text: Option<String>,
}

/// A file of `tests/fixtures/chat_templates`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/chat_templates").join(name)
}

pub(crate) fn read(name: &str) -> String {
    std::fs::read_to_string(fixture(name)).unwrap()
}

pub(crate) fn conversations() -> BTreeMap<String, Vec<Message>> {
    let expected: Expected = serde_json::from_str(&read("expected.json")).unwrap();
    expected.conversations.into_iter().map(|(name, row)| (name, row.turns())).collect()
}

impl Row {
    fn turns(&self) -> Vec<Message> {
        let mut messages = parse_list(&self.messages.to_string()).unwrap();
        if let Some(tools) = &self.tools {
            messages.insert(0, Message::new(TOOLS_ROLE, tools.to_string()));
        }
        messages
    }
}

#[test]
fn real_templates_render_as_transformers_does() {
    let expected: Expected = serde_json::from_str(&read("expected.json")).unwrap();
    let tokenizer = tokenizer(false);
    let (mut n_texts, mut wrong) = (0, Vec::new());
    for (name, cases) in &expected.texts {
        let template = ChatTemplate::from_source(name, &read(&format!("{name}.jinja")), &tokenizer).unwrap();
        for (key, outcome) in cases {
            let (conversation, prompted) = key.strip_suffix(" +").map_or((key.as_str(), false), |key| (key, true));
            let found = template.render(&expected.conversations[conversation].turns(), prompted);
            n_texts += usize::from(outcome.text.is_some());
            match (&found, &outcome.text) {
                (Ok(found), Some(text)) if found == text => {}
                (Err(_), None) => {}
                (found, text) => wrong.push(format!("{name} / {key}:\n found    {found:?}\n expected {text:?}")),
            }
        }
    }
    assert!(expected.texts.len() >= 20 && n_texts > 700, "{} templates, {n_texts} texts", expected.texts.len());
    assert!(wrong.is_empty(), "{} of {n_texts} differ\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
}

/// Where minijinja's language itself differs from Jinja2's, and no environment can change it.
const KNOWN: [&str; 2] =
    ["{{ '%s-%d' % ('a', 3) }}", "{% macro h() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ h(1, a=2) }}"];

#[test]
fn expressions_come_to_what_jinja2_makes_of_them() {
    let golden = include_str!("../../../../../tests/fixtures/chat_templates.json");
    let Expressions { expressions } = serde_json::from_str(golden).unwrap();
    let tokenizer = tokenizer(false);
    let messages = [Message::new("user", "q"), Message::new("assistant", "a")];
    assert!(expressions.len() > 70);
    let mut wrong = Vec::new();
    for Expression { source, text } in expressions.iter().filter(|case| !KNOWN.contains(&case.source.as_str())) {
        let found = ChatTemplate::from_source("e", source, &tokenizer).and_then(|e| e.render(&messages, false));
        match (&found, text) {
            (Ok(found), Some(text)) if found == text => {}
            (Err(_), None) => {}
            (found, text) => wrong.push(format!("{source}\n found    {found:?}\n expected {text:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), expressions.len(), wrong.join("\n"));
}

#[test]
fn the_templates_are_those_that_the_checksums_name() {
    use sha2::{Digest, Sha256};
    let sums = read("SHA256SUMS");
    assert!(sums.lines().count() >= 20);
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        assert_eq!(format!("{:x}", Sha256::digest(std::fs::read(fixture(name)).unwrap())), sum, "{name}");
    }
}
