//! Hostile inputs for an author's plugin: what users' data and models will do to it sooner or later.
//!
//! A plugin may refuse any of these with an error of its own, or with an error for a row. It may not
//! trap, run out of its limits, or return what the host has to refuse.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{Field, Schema};
use luthier_synth::TaskTemplate;
use serde_json::{Value, json};

use crate::bindings::data::LogicalType;
use crate::columns::Expected;
use crate::{Context, Error, Plugin};

/// One hostile input and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was done.
    pub name: String,
    /// The plugin bore it.
    pub passed: bool,
    /// How it answered, or what it broke.
    pub detail: String,
}

/// Texts that break careless code.
fn texts() -> Vec<(&'static str, String)> {
    vec![
        ("empty texts", String::new()),
        ("white space", " \t\n\u{a0}\u{2003} ".to_owned()),
        ("a long text", "word ".repeat(50_000)),
        ("one long word", "x".repeat(200_000)),
        ("zero bytes", "a\0b\0".to_owned()),
        ("characters of four bytes", "𝒳👩‍👩‍👧‍👦🏳️‍🌈".to_owned()),
        ("combining characters", "e\u{301}\u{301}\u{301}".repeat(100)),
        ("right-to-left text", "\u{202e}שלום عليكم".to_owned()),
        ("escape sequences", "\u{1b}[2J\u{1b}]0;title\u{7}".to_owned()),
        ("markup", "<script>alert(1)</script>".to_owned()),
        ("deep brackets", "[".repeat(10_000)),
        ("huge numbers", "1e999999 -0 00000000000000000000000000000001 9223372036854775808".to_owned()),
        ("numbers in words", "NaN inf -inf null None true".to_owned()),
        ("SQL", "'; DROP TABLE x; --".to_owned()),
        ("a catastrophic pattern", format!("{}!", "a".repeat(5_000))),
        ("unbalanced quotes", "\"'`\\".repeat(50)),
        ("a fence that never closes", "```python\nprint(1)".to_owned()),
    ]
}

/// Throws everything at the plugin; each input meets a fresh instance.
pub fn adversarial(plugin: &Plugin, config: &Value) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        configurations().into_iter().map(|(name, bad)| configuration(plugin, name, &bad)).collect();
    for (name, text) in texts() {
        findings.push(match plugin.metric_descriptors() {
            Some(_) => rows(plugin, config, name, &text, 3),
            None => completions(plugin, config, name, &text),
        });
    }
    if plugin.metric_descriptors().is_some() {
        findings.push(rows(plugin, config, "no rows", "", 0));
        findings.push(rows(plugin, config, "many rows", "the same again", 5_000));
    }
    findings
}

fn configurations() -> Vec<(&'static str, Value)> {
    vec![
        ("an unknown option", json!({ "__no_such_option__": 1 })),
        ("a configuration that is a list", json!([1, 2])),
        ("a configuration that is null", Value::Null),
        ("a deep configuration", (0..40).fold(json!(1), |inner, _| json!({ "a": inner }))),
    ]
}

/// Taken or refused in the plugin's own words.
fn configuration(plugin: &Plugin, name: &str, config: &Value) -> Finding {
    let opened = match plugin.metric_descriptors() {
        Some(_) => plugin.open_metric(config, Context::default(), &Default::default()).map(|_| ()),
        None => plugin.open_template(config, Context::default(), &Default::default()).map(|_| ()),
    };
    judged(name, opened.map(|()| "taken".to_owned()))
}

fn rows(plugin: &Plugin, config: &Value, name: &str, text: &str, n: usize) -> Finding {
    let outcome = plugin.open_metric(config, Context::default(), &Default::default()).and_then(|mut metric| {
        let rows = hostile_rows(metric.inputs_expected(), text, n)?;
        let table = metric.score_table(&rows)?;
        let scored = table.iter().filter(|row| row.is_ok()).count();
        Ok(format!("{scored} of {n} rows scored, {} fuel", metric.receipt().fuel))
    });
    judged(name, outcome)
}

fn completions(plugin: &Plugin, config: &Value, name: &str, text: &str) -> Finding {
    let outcome = plugin.open_template(config, Context::default(), &Default::default()).and_then(|mut template| {
        let answers = template.answers(&[text.to_owned(), String::new()])?;
        let rows = hostile_rows(template.row_columns(), text, 2)?;
        template.prompts(&rows, &rows.slice(0, 0))?;
        if template.descriptor().validates {
            template.verdicts(&rows)?;
        }
        Ok(format!("{} answers, {} fuel", answers.len(), template.receipt().fuel))
    });
    judged(name, outcome)
}

/// Refusing is a plugin's right; trapping, limits and invalid results are not.
fn judged(name: &str, outcome: Result<String, Error>) -> Finding {
    let (passed, detail) = match outcome {
        Ok(detail) => (true, detail),
        Err(error @ (Error::Refused { .. } | Error::InvalidConfig { .. })) => (true, error.to_string()),
        Err(error) => (false, error.to_string()),
    };
    Finding { name: name.to_owned(), passed, detail }
}

fn hostile_rows(declared: &[Expected], text: &str, n: usize) -> Result<RecordBatch, Error> {
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    let extreme = [f64::MAX, -0.0, f64::MIN_POSITIVE, f64::NAN, f64::INFINITY];
    let whole = [i64::MIN, -1, 0, i64::MAX];
    for column in declared {
        let array: ArrayRef = match column.ty {
            LogicalType::Utf8 => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, n))),
            LogicalType::Json => {
                let document = Value::from(text).to_string();
                Arc::new(StringArray::from_iter_values(std::iter::repeat_n(document, n)))
            }
            LogicalType::Float64 => Arc::new(Float64Array::from_iter_values(extreme.iter().copied().cycle().take(n))),
            LogicalType::Int64 => Arc::new(Int64Array::from_iter_values(whole.iter().copied().cycle().take(n))),
            LogicalType::Boolean => Arc::new(BooleanArray::from_iter((0..n).map(|row| Some(row % 2 == 0)))),
            // What an Arrow library makes of hostile streams is its own business.
            LogicalType::Ipc => continue,
        };
        fields.push(Field::new(&column.name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(n));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| Error::Runtime { detail: error.to_string() })
}
