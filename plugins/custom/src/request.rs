//! What a language model is asked in order to make rows.

use luthier_plugin::json::{self, Value, json};
use luthier_plugin::{Batch, Column, Error, Utf8Column};

use crate::config::{Config, Row};

/// One question per seed: columns `request-id`, `messages`.
pub(crate) fn requests(config: &Config, seeds: &Batch) -> Result<Batch, Error> {
    let (ids, topics, documents) = (seeds.utf8("request-id")?, seeds.utf8("topic")?, seeds.utf8("document")?);
    let (n_rows, avoid) = (seeds.int64("n-rows")?, seeds.utf8("avoid")?);
    let messages = (0..seeds.rows).map(|row| {
        let avoid: Vec<String> = json::from_str(avoid.text(row)).unwrap_or_default();
        let n = n_rows.get(row).unwrap_or(1);
        let question = question(config, n, topics.text(row), documents.text(row), &avoid);
        Value::Array(vec![json!({ "role": "user", "content": question })]).to_string()
    });
    let messages = Column::Json(Utf8Column::from_texts(messages));
    Ok(Batch::new(seeds.rows)
        .with_texts("request-id", (0..seeds.rows).map(|row| ids.text(row)))
        .with("messages", messages))
}

/// The whole question; every part that has nothing to say is left out.
fn question(config: &Config, n: i64, topic: &str, document: &str, avoid: &[String]) -> String {
    let (input, output) = (&config.input_name, &config.output_name);
    let mut parts = Vec::new();
    let plural = if n == 1 { "one example" } else { "different examples" };
    let count = if n == 1 { String::new() } else { format!("{n} ") };
    parts.push(format!(
        "Write {count}{plural} of the following task, for a data set that a language model learns from."
    ));
    if !config.instruction.is_empty() {
        parts.push(format!("The task: {}", config.instruction));
    }
    if !config.description.is_empty() {
        parts.push(config.description.clone());
    }
    if !topic.is_empty() {
        parts.push(format!("All of them are about: {topic}"));
    }
    if !document.is_empty() {
        parts.push(format!(
            "Take everything from this passage, and nothing that it does not say:\n<passage>\n{}\n</passage>",
            document.trim()
        ));
    }
    if !config.rules.is_empty() {
        let rules: Vec<String> = config.rules.iter().map(|rule| format!("- {rule}")).collect();
        parts.push(format!("Every example keeps to these rules:\n{}", rules.join("\n")));
    }
    if !config.examples.is_empty() {
        parts.push(format!("Examples of the form (write others):\n{}", listed(config, &config.examples)));
    }
    if !avoid.is_empty() {
        let avoid: Vec<String> = avoid.iter().map(|text| format!("- {}", text.replace('\n', " "))).collect();
        parts.push(format!("These exist already; do not repeat or rephrase them:\n{}", avoid.join("\n")));
    }
    parts.push(format!(
        "Answer with a JSON list of {} and nothing else. Each object has exactly two fields, both text: \"{input}\" \
         and \"{output}\". Line breaks within a text are written \\n.",
        if n == 1 { "one object".to_owned() } else { format!("{n} objects") }
    ));
    parts.join("\n\n")
}

fn listed(config: &Config, rows: &[Row]) -> String {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| json!({ config.input_name.as_str(): row.input, config.output_name.as_str(): row.output }))
        .collect();
    Value::Array(rows).to_string()
}
