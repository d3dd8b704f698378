//! Masks of templates that mark what an assistant says, against transformers'.

use std::collections::BTreeMap;

use luthier_protocol::spec::{LossOn, OnTooLong};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::super::conversation::TrainingText;
use super::super::{Example, ExampleBuilder, IGNORE_INDEX};
use super::example;
use crate::chat_template::tests::real::{conversations, fixture, read};
use crate::{ChatTemplate, Prompter, Tokenizer, TrainingRow};

#[derive(Deserialize)]
struct Mask {
    n_tokens: usize,
    ids: String,
    spans: Vec<(usize, usize)>,
}

type Masks = BTreeMap<String, BTreeMap<String, BTreeMap<String, Mask>>>;

fn prompter(kind: &str, template: &str) -> Prompter {
    let tokenizer = Tokenizer::from_dir(&fixture(&format!("tokenizers/{kind}"))).unwrap();
    let template = ChatTemplate::from_source(template, &read(&format!("{template}.jinja")), &tokenizer).unwrap();
    Prompter { tokenizer, template }
}

fn spans(example: &Example) -> Vec<(usize, usize)> {
    let seen: Vec<bool> = example.labels.iter().map(|label| *label != IGNORE_INDEX).collect();
    let mut spans = Vec::new();
    let mut start = None;
    for (index, seen) in seen.iter().copied().chain([false]).enumerate() {
        match (start, seen) {
            (None, true) => start = Some(index),
            (Some(begin), false) => {
                spans.push((begin, index));
                start = None;
            }
            _ => {}
        }
    }
    spans
}

fn ids(example: &Example) -> String {
    let ids: Vec<String> = example.input_ids.iter().map(u32::to_string).collect();
    format!("{:x}", Sha256::digest(ids.join(",")))
}

#[test]
fn masks_are_those_of_transformers() {
    let masks: Masks = serde_json::from_str(&read("masks.json")).unwrap();
    let conversations = conversations();
    let (mut n_cases, mut wrong) = (0, Vec::new());
    for (kind, templates) in &masks {
        for (template, cases) in templates {
            let prompter = prompter(kind, template);
            assert!(prompter.template.marks_generation());
            for (name, mask) in cases {
                let (text, marked) = prompter.template.render_marked(&conversations[name]).unwrap();
                let found = example(&prompter, &TrainingText::Marked { text, spans: marked }).unwrap();
                n_cases += 1;
                if (found.input_ids.len(), ids(&found), spans(&found))
                    != (mask.n_tokens, mask.ids.clone(), mask.spans.clone())
                {
                    let text = prompter.tokenizer.decode(&found.input_ids, false).unwrap();
                    wrong.push(format!(
                        "{kind} / {template} / {name}: {} tokens {:?}, expected {} {:?} in {text:?}",
                        found.input_ids.len(),
                        spans(&found),
                        mask.n_tokens,
                        mask.spans
                    ));
                }
            }
        }
    }
    assert!(n_cases > 400, "{n_cases}");
    assert!(wrong.is_empty(), "{} of {n_cases} differ\n{}", wrong.len(), wrong[..wrong.len().min(8)].join("\n"));
}

/// The template without marks, by rendering prefixes, trains what its marked variant says, but for
/// what stands behind the end of a turn (a line break, Phi's EOS at the end of everything), which
/// nothing generates.
#[test]
fn prefix_rendering_finds_the_turns_that_marks_name() {
    let conversations = conversations();
    let mut n_compared = 0;
    for kind in ["qwen", "llama", "gemma"] {
        for template in ["llama3", "qwen2_5", "gemma", "phi3", "phi3_5", "cohere2"] {
            for name in ["answered", "several turns", "unicode", "system", "tools"] {
                let trained = |source: &str| -> Option<Vec<String>> {
                    let prompter = prompter(kind, source);
                    let mut prompt = conversations[name].clone();
                    let answer = vec![prompt.pop()?];
                    let (max_seq_len, on_too_long) = (usize::MAX, OnTooLong::Error);
                    let builder = ExampleBuilder { prompter, max_seq_len, loss_on: LossOn::Assistant, on_too_long };
                    let example = builder.build_row(&TrainingRow::Turns { prompt, answer }).ok()?;
                    let decode = |(start, end): &(usize, usize)| {
                        let text = builder.prompter.tokenizer.decode(&example.input_ids[*start..*end], false).unwrap();
                        text.trim_end_matches("</s>").trim().to_string()
                    };
                    Some(spans(&example).iter().map(decode).collect())
                };
                let (plain, marked) = (trained(template), trained(&format!("{template}_training")));
                n_compared += usize::from(plain.is_some());
                assert_eq!(plain, marked, "{kind} / {template} / {name}");
            }
        }
    }
    assert!(n_compared > 60, "{n_compared}");
}
