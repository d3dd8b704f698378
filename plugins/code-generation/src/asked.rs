//! Functions that a language model is asked for. They are run before they are kept.

#[cfg(test)]
mod tests;

use luthier_plugin::json::{self, Value, json};
use luthier_plugin::{Batch, Column, Error, Int64Column, Utf8Column, recover};
use luthier_python_source as python;

use crate::deal::{Part, Row, hash_text};
use crate::skeleton::skeleton;

/// What functions are about when nobody says: one after the other.
pub(crate) const TOPICS: [&str; 5] = [
    "basics of the language",
    "working with data in lists and dictionaries",
    "parsing and formatting for web pages",
    "small pieces of machine learning in plain Python",
    "algorithms",
];
/// One row in so many is for testing.
const TEST_EVERY: u64 = 10;
/// Characters of an answer that are shown with what is wrong.
const MAX_EXCERPT: usize = 200;

/// What an answer looks like; both run, and a test runs them.
pub(crate) const EXAMPLES: [(&str, &str, &str); 2] = [
    (
        "Return the given numbers without repetitions, in the order in which they first occur.",
        "def unique(numbers):\n    seen = set()\n    kept = []\n    for number in numbers:\n        if number not in seen:\n            seen.add(number)\n            kept.append(number)\n    return kept\n",
        "assert unique([3, 1, 3, 2, 1]) == [3, 1, 2]\nassert unique([]) == []\nassert unique([5, 5, 5]) == [5]\n",
    ),
    (
        "Return how many seconds a time of day such as \"02:30\" is after midnight.",
        "def seconds_after_midnight(clock):\n    hours, minutes = clock.split(\":\")\n    return 3600 * int(hours) + 60 * int(minutes)\n",
        "assert seconds_after_midnight(\"02:30\") == 9000\nassert seconds_after_midnight(\"00:00\") == 0\nassert seconds_after_midnight(\"23:59\") == 86340\n",
    ),
];

/// One question per seed: columns `request-id`, `messages`.
pub(crate) fn requests(seeds: &Batch) -> Result<Batch, Error> {
    let (ids, topics, documents) = (seeds.utf8("request-id")?, seeds.utf8("topic")?, seeds.utf8("document")?);
    let (n_rows, avoid) = (seeds.int64("n-rows")?, seeds.utf8("avoid")?);
    let messages = (0..seeds.rows).map(|row| {
        let avoid: Vec<String> = json::from_str(avoid.text(row)).unwrap_or_default();
        let topic = match (topics.text(row), documents.text(row)) {
            ("", "") => TOPICS[(hash_text(ids.text(row)) % TOPICS.len() as u64) as usize],
            (topic, _) => topic,
        };
        let content = question(n_rows.get(row).unwrap_or(1), topic, documents.text(row), &avoid);
        json!([{ "role": "user", "content": content }]).to_string()
    });
    let messages = Column::Json(Utf8Column::from_texts(messages));
    Ok(Batch::new(seeds.rows)
        .with_texts("request-id", (0..seeds.rows).map(|row| ids.text(row)))
        .with("messages", messages))
}

fn question(n: i64, topic: &str, document: &str, avoid: &[String]) -> String {
    let mut parts = vec![format!(
        "Write {n} different programming exercises for a data set that a language model learns from. Each is one Python \
         function: what it does, its source, and tests that only a right function passes."
    )];
    if !topic.is_empty() {
        parts.push(format!("All of them are about: {topic}"));
    }
    if !document.is_empty() {
        parts.push(format!("Take what they are about from this passage:\n<passage>\n{}\n</passage>", document.trim()));
    }
    parts.push(
        "Each function keeps to these rules:\n- it uses the standard library at most: no files, no network, no input, no clock, no randomness\n- \
         it returns its result and prints nothing\n- it is complete, indented by four spaces, and runs as it stands\n- its tests are at least three \
         `assert` statements that call it by name, edge cases among them"
            .to_owned(),
    );
    let examples: Vec<Value> = EXAMPLES
        .iter()
        .map(|(description, solution, tests)| json!({ "description": description, "solution": solution, "tests": tests }))
        .collect();
    parts.push(format!("Examples of the form (write others):\n{}", Value::Array(examples)));
    if !avoid.is_empty() {
        let avoid: Vec<String> = avoid.iter().map(|text| format!("- {}", text.replace('\n', " "))).collect();
        parts.push(format!("These exist already; write others:\n{}", avoid.join("\n")));
    }
    parts.push(format!(
        "Answer with a JSON list of {n} objects and nothing else. Each has exactly three fields, all text: \"description\", \
         \"solution\" and \"tests\". Line breaks within a text are written \\n."
    ));
    parts.join("\n\n")
}

/// The functions in each output, and the batch of what could not be used.
pub(crate) fn parse(outputs: &Batch) -> Result<(Vec<Row>, Batch), Error> {
    let texts = outputs.utf8("output")?;
    let mut rows = Vec::new();
    let mut rejects: Vec<(i64, &'static str, String, String)> = Vec::new();
    for source in 0..outputs.rows {
        let text = texts.text(source);
        let found = recover::objects(text);
        let excerpt = |text: &str| text.chars().take(MAX_EXCERPT).collect::<String>();
        for object in &found.objects {
            let field = |name: &str| object.get(name).map(plain).filter(|text| !text.trim().is_empty());
            let shown = || excerpt(&Value::Object(object.clone()).to_string());
            match (field("description"), field("solution"), field("tests")) {
                (Some(description), Some(solution), Some(tests)) => match row(&description, &solution, &tests) {
                    Some(row) => rows.push(row),
                    None => rejects.push((
                        source as i64,
                        "no-function",
                        "a solution that defines no function".to_owned(),
                        shown(),
                    )),
                },
                (description, solution, _) => {
                    let missing = match (&description, &solution) {
                        (None, _) => "description",
                        (_, None) => "solution",
                        _ => "tests",
                    };
                    rejects.push((source as i64, "missing-field", format!("an object without `{missing}`"), shown()));
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

/// A field as text; a list of lines is joined.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().map(plain).collect::<Vec<_>>().join("\n"),
        other => other.to_string(),
    }
}

/// A row: the prompt is what stands before the function, its signature, and the description as docstring.
pub(crate) fn row(description: &str, solution: &str, tests: &str) -> Option<Row> {
    let solution = format!("{}\n", solution.trim());
    let name = python::asked_function(&solution)?.to_owned();
    let prompt = prompt_of(description, &solution, &name)?;
    let is_test = hash_text(&prompt).is_multiple_of(TEST_EVERY);
    let part = if is_test { Part::AskedTest } else { Part::Asked };
    let skeleton = skeleton(&solution);
    Some(Row { prompt, solution, tests: format!("{}\n", tests.trim()), skeleton, part })
}

fn prompt_of(description: &str, solution: &str, name: &str) -> Option<String> {
    let start = solution.rfind(&format!("def {name}"))?;
    // The signature ends at the first colon outside of brackets.
    let mut depth = 0i32;
    let end = solution[start..].char_indices().find_map(|(at, next)| {
        match next {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ':' if depth == 0 => return Some(start + at + 1),
            _ => {}
        }
        None
    })?;
    let text = description.trim().replace('\\', "\\\\").replace("\"\"\"", "'''");
    let text = if text.ends_with('"') { format!("{text} ") } else { text };
    Some(format!("{}\n    \"\"\"{}\"\"\"\n", &solution[..end], text.replace('\n', "\n    ")))
}
