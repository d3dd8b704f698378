//! Rows: of the configuration, and out of what a language model wrote.

use luthier_plugin::json::Value;
use luthier_plugin::{Batch, Column, Error, Int64Column, Parsed, recover};

use crate::config::{Config, Row};

/// Characters of an answer that are shown with what is wrong.
const MAX_EXCERPT: usize = 200;

pub(crate) fn batch(rows: &[Row]) -> Batch {
    Batch::new(rows.len())
        .with_texts("input", rows.iter().map(|row| &row.input))
        .with_texts("output", rows.iter().map(|row| &row.output))
        .with_texts("topic", rows.iter().map(|row| &row.topic))
}

/// Something that is no row.
struct Reject {
    source_row: usize,
    code: &'static str,
    message: String,
    excerpt: String,
}

/// The rows in each output, and what could not be used.
pub(crate) fn parse(config: &Config, outputs: &Batch) -> Result<Parsed, Error> {
    let texts = outputs.utf8("output")?;
    let (mut rows, mut rejects) = (Vec::new(), Vec::new());
    for source_row in 0..outputs.rows {
        let text = texts.text(source_row);
        let mut reject = |code, message: String, excerpt: &str| {
            rejects.push(Reject { source_row, code, message, excerpt: excerpt.chars().take(MAX_EXCERPT).collect() });
        };
        let found = recover::objects(text);
        for object in &found.objects {
            let field = |name: &str| object.get(name).map(plain);
            match (field(&config.input_name), field(&config.output_name)) {
                (Some(input), Some(output)) => rows.push(Row { input, output, topic: String::new() }),
                (input, _) => {
                    let missing = if input.is_none() { &config.input_name } else { &config.output_name };
                    let excerpt = Value::Object(object.clone()).to_string();
                    reject("missing-field", format!("an object without `{missing}`"), &excerpt);
                }
            }
        }
        for _ in 0..found.n_others {
            reject("not-an-object", "an item of the list that is no object".to_owned(), text);
        }
        if found.is_cut {
            reject("cut", "the answer ends within an object".to_owned(), text);
        } else if found.objects.is_empty() && found.n_others == 0 {
            reject("no-json", "an answer without a JSON object".to_owned(), text);
        }
    }
    Ok(Parsed { rows: batch(&rows), rejects: rejects_batch(&rejects) })
}

/// A field as text: numbers and lists as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn rejects_batch(rejects: &[Reject]) -> Batch {
    let sources: Int64Column = rejects.iter().map(|reject| Some(reject.source_row as i64)).collect();
    Batch::new(rejects.len())
        .with("source-row", Column::Int64(sources))
        .with_texts("code", rejects.iter().map(|reject| reject.code))
        .with_texts("message", rejects.iter().map(|reject| &reject.message))
        .with_texts("raw-excerpt", rejects.iter().map(|reject| &reject.excerpt))
}
