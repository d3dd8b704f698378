//! Pairs that a language model is asked for. Like all others they are executed before they are kept.

#[cfg(test)]
mod tests;

use luthier_plugin::json::{self, Value, json};
use luthier_plugin::{Batch, Column, Error, Int64Column, Utf8Column, recover};

use crate::deal::{Part, Row};
use crate::{hash_text, sql};

/// One pair in so many is for testing, whatever else is asked.
const TEST_EVERY: u64 = 10;
/// Characters of an answer that are shown with what is wrong.
const MAX_EXCERPT: usize = 200;

/// One question per seed: columns `request-id`, `messages`.
pub(crate) fn requests(schema: &str, seeds: &Batch) -> Result<Batch, Error> {
    let (ids, topics, documents) = (seeds.utf8("request-id")?, seeds.utf8("topic")?, seeds.utf8("document")?);
    let (n_rows, avoid) = (seeds.int64("n-rows")?, seeds.utf8("avoid")?);
    let messages = (0..seeds.rows).map(|row| {
        let avoid: Vec<String> = json::from_str(avoid.text(row)).unwrap_or_default();
        let n = n_rows.get(row).unwrap_or(1);
        let content = question(schema, n, topics.text(row), documents.text(row), &avoid);
        json!([{ "role": "user", "content": content }]).to_string()
    });
    let messages = Column::Json(Utf8Column::from_texts(messages));
    Ok(Batch::new(seeds.rows)
        .with_texts("request-id", (0..seeds.rows).map(|row| ids.text(row)))
        .with("messages", messages))
}

fn question(schema: &str, n: i64, topic: &str, document: &str, avoid: &[String]) -> String {
    let mut parts = vec![
        format!(
            "Write {n} different questions that somebody could ask about the SQLite database below, each with the one SELECT statement that answers it."
        ),
        format!("The tables and their columns:\n{schema}"),
        "Use these tables and columns and no others. Each statement must run in SQLite as it stands and return at \
         least one row; it changes nothing. The question is plain English, without names of tables or columns \
         where everyday words do."
            .to_owned(),
    ];
    if !topic.is_empty() {
        parts.push(format!("Practice this kind of query: {topic}"));
    }
    if !document.is_empty() {
        parts.push(format!("Ask what a reader of this passage would ask:\n<passage>\n{}\n</passage>", document.trim()));
    }
    if !avoid.is_empty() {
        let avoid: Vec<String> = avoid.iter().map(|text| format!("- {text}")).collect();
        parts.push(format!("These questions exist already; ask others:\n{}", avoid.join("\n")));
    }
    parts.push(format!(
        "Answer with a JSON list of {n} objects and nothing else. Each has exactly two fields, both text: \"question\" and \"sql\"."
    ));
    parts.join("\n\n")
}

/// The pairs in each output, and the batch of what could not be used.
pub(crate) fn parse(outputs: &Batch) -> Result<(Vec<Row>, Batch), Error> {
    let texts = outputs.utf8("output")?;
    let mut rows = Vec::new();
    let mut rejects: Vec<(i64, &'static str, String, String)> = Vec::new();
    for source in 0..outputs.rows {
        let text = texts.text(source);
        let found = recover::objects(text);
        let excerpt = |text: &str| text.chars().take(MAX_EXCERPT).collect::<String>();
        for object in &found.objects {
            let field = |name: &str| object.get(name).and_then(Value::as_str).map(str::trim);
            match (field("question"), field("sql")) {
                (Some(question), Some(statement)) => rows.push(row(question, statement)),
                (question, _) => {
                    let missing = if question.is_none() { "question" } else { "sql" };
                    let shown = excerpt(&Value::Object(object.clone()).to_string());
                    rejects.push((source as i64, "missing-field", format!("an object without `{missing}`"), shown));
                }
            }
        }
        let mut reject = |code, message: &str| rejects.push((source as i64, code, message.to_owned(), excerpt(text)));
        (0..found.n_others).for_each(|_| reject("not-an-object", "an item of the list that is no object"));
        if found.is_cut {
            reject("cut", "the answer ends within an object");
        } else if found.objects.is_empty() && found.n_others == 0 {
            reject("no-json", "an answer without a JSON object");
        }
    }
    let sources: Int64Column = rejects.iter().map(|reject| Some(reject.0)).collect();
    let batch = Batch::new(rejects.len())
        .with("source-row", Column::Int64(sources))
        .with_texts("code", rejects.iter().map(|reject| reject.1))
        .with_texts("message", rejects.iter().map(|reject| &reject.2))
        .with_texts("raw-excerpt", rejects.iter().map(|reject| &reject.3));
    Ok((rows, batch))
}

fn row(question: &str, statement: &str) -> Row {
    let statement = statement.trim().trim_end_matches(';').trim_end();
    let is_test = hash_text(question).is_multiple_of(TEST_EVERY);
    Row {
        question: question.to_owned(),
        sql: statement.to_owned(),
        skeleton: sql::skeleton(statement),
        part: if is_test { Part::AskedTest } else { Part::Asked },
    }
}
