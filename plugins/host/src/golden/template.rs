//! Golden cases of templates: one call each.

use arrow_array::RecordBatch;
use luthier_data::{Answer, Message};
use luthier_synth::TaskTemplate;
use serde_json::{Value, json};

use super::Case;
use crate::{Context, Error, Plugin, Receipt, TemplatePlugin};

pub(super) fn replay(plugin: &Plugin, case: &Case<'_>) -> Result<Receipt, Error> {
    let mut template = open(plugin, case)?;
    let found = call(&mut template, case)?;
    let expected = case.list("expect")?;
    if found.len() != expected.len() {
        return Err(case.failed(format!("{} results, expected {}", found.len(), expected.len())));
    }
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        if !fits(found, expected) {
            return Err(case.failed(format!("row {row} is {found}, expected {expected}")));
        }
    }
    let mut again = open(plugin, case)?;
    if call(&mut again, case)? != found {
        return Err(case.failed("a second run gives other results".to_owned()));
    }
    if again.receipt() != template.receipt() {
        let (first, second) = (template.receipt().fuel, again.receipt().fuel);
        return Err(case.failed(format!("a second run takes {second} fuel instead of {first}")));
    }
    Ok(template.receipt())
}

fn open(plugin: &Plugin, case: &Case<'_>) -> Result<TemplatePlugin, Error> {
    let seed = case.value.get("seed").and_then(Value::as_u64).unwrap_or(0);
    plugin.open_template(&case.config, Context { seed, ..Context::default() }, &case.databases)
}

/// Objects fit if the expected keys do: a case need not say everything.
fn fits(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(key, value)| found.get(key).is_some_and(|found| fits(found, value)))
        }
        _ => found == expected,
    }
}

fn call(template: &mut TemplatePlugin, case: &Case<'_>) -> Result<Vec<Value>, Error> {
    let refused = |error: luthier_synth::Error| case.failed(error.to_string());
    let rows = |template: &TemplatePlugin, key: &str| {
        let rows = if case.value.get(key).is_some() { case.list(key)? } else { &[] };
        super::batch(rows, template.row_columns(), false).map_err(|finding| case.broken(&finding))
    };
    match case.value.get("call").and_then(Value::as_str) {
        Some("prompt") => {
            let (rows, shots) = (rows(template, "rows")?, rows(template, "shots")?);
            let conversations = template.prompts(&rows, &shots)?;
            Ok(conversations.iter().map(|turns| turns.iter().map(turn).collect()).collect())
        }
        Some("extract") => {
            let completions = case.list("completions")?.iter().filter_map(Value::as_str).map(str::to_owned);
            let answers = template.answers(&completions.collect::<Vec<_>>())?;
            Ok(answers.iter().map(answer).collect())
        }
        Some("validate") => {
            let rows = rows(template, "rows")?;
            let verdicts = template.validate(&rows).map_err(refused)?;
            Ok(verdicts.iter().map(|v| json!({ "keep": v.keep, "code": v.code, "message": v.message })).collect())
        }
        Some("generate") => {
            let n = case.value.get("n").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
            let rows = template.generate(n).map_err(refused)?;
            Ok(objects(&rows))
        }
        other => Err(case.broken(&format!("`call` is {other:?}, expected prompt, extract, validate or generate"))),
    }
}

fn turn(message: &Message) -> Value {
    json!({ "role": message.role, "content": message.content })
}

fn answer(answer: &Answer) -> Value {
    match answer {
        Answer::Found(text) => json!({ "found": text }),
        Answer::Missing(reason) => json!({ "missing": reason }),
    }
}

/// Rows as JSON objects of text.
fn objects(rows: &RecordBatch) -> Vec<Value> {
    let schema = rows.schema();
    (0..rows.num_rows())
        .map(|row| {
            let cells = schema.fields().iter().zip(rows.columns());
            Value::Object(
                cells
                    .map(|(field, column)| (field.name().clone(), json!(luthier_data::cell_text(column, row))))
                    .collect(),
            )
        })
        .collect()
}
