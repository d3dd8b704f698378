//! `%review NAME`: people accept, reject, correct and label rows.

use std::collections::BTreeMap;

use luthier_protocol::{
    Request, Response,
    spec::{ReviewSpec, RowCells},
};
use serde_json::Value;

use super::{Action, Command, Key, Kind, Names, Positional, Problem, Values, ask, optional_text, plain_json, text};
use crate::display;

/// Between the words of an assignment list: no text that people type holds it.
const SEPARATOR: char = '\u{1f}';

/// The column of a label that names none.
const LABEL: &str = "label";

/// Rows that one range may stand for.
const MAX_ROWS: u64 = 1_000_000;

/// The definition.
pub static COMMAND: Command = Command {
    name: "review",
    summary: "accept, reject, correct or label rows; shows the next ones",
    docs: "Rows are counted from 1 in the dataset as it was imported. Rejected rows are left out and corrected ones \
           replaced in what %%finetune trains on; the imported rows stay. Every edit is kept with who, when, the old \
           and the new text. With require_review = true, %%finetune refuses rows that nobody has judged. A completion \
           of chat rows is their last assistant turn.",
    example: "%review shop --accept 1-3 --reject 5",
    positionals: &[
        Positional::required("data", "NAME", Names::Datasets, "The dataset, or a file."),
        Positional {
            rest: true,
            separator: SEPARATOR,
            ..Positional::optional("cells", "COLUMN=VALUE", Names::Free, "New cells of --correct, words of --label.")
        },
    ],
    keys: &[
        Key::new("accept", Kind::Rows, "", "Rows that are right: 3, 5-7."),
        Key::new("reject", Kind::Rows, "", "Rows to leave out."),
        Key::new("correct", Kind::CellTable, "", "The row to correct; COLUMN=VALUE says how. In a cell: [correct.7]."),
        Key::new("label", Kind::CellTable, "", "The row to label; COLUMN=VALUE or a word. In a cell: [label.9]."),
        Key::new("reason", Kind::Text, "", "Why; kept with the edit."),
        Key::new("by", Kind::Text, "", "Who says so; the account's name if absent."),
        Key::new("split", Kind::Text, "", "Show next only rows of this split."),
        Key::new("limit", Kind::Count, "5", "Rows to show next."),
    ],
    has_body: true,
    lower,
    render: |response| match response {
        Response::Reviewed(reviewed) => Some(display::review::reviewed(reviewed)),
        _ => None,
    },
    json: plain_json,
};

fn lower(values: &Values) -> Result<Action, Problem> {
    let assigned = assignments(values);
    let is_word = |key: &str| values.get(key).is_some_and(|value| !value.is_object());
    if is_word("correct") && is_word("label") && !assigned.is_empty() {
        let message = "--correct and --label each need cells of their own: use two lines, or a cell with tables";
        return Err(Problem::at("/cells", message));
    }
    if !assigned.is_empty() && !is_word("correct") && !is_word("label") {
        return Err(Problem::at("/cells", "COLUMN=VALUE belongs to --correct ROW or --label ROW"));
    }
    ask(Request::Review(ReviewSpec {
        data: text(values, "data"),
        accept: rows(values, "accept")?,
        reject: rows(values, "reject")?,
        correct: cells(values, "correct", &assigned)?,
        label: cells(values, "label", &assigned)?,
        reason: optional_text(values, "reason"),
        by: optional_text(values, "by"),
        split: optional_text(values, "split"),
        limit: values.get("limit").and_then(Value::as_u64).unwrap_or(5) as usize,
    }))
}

fn assignments(values: &Values) -> Vec<String> {
    let words = text(values, "cells");
    words.split(SEPARATOR).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Row numbers of a key: numbers, and ranges as text.
fn rows(values: &Values, key: &str) -> Result<Vec<u64>, Problem> {
    let items = match values.get(key) {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items.clone(),
        Some(single) => vec![single.clone()],
    };
    let mut rows = Vec::new();
    for item in &items {
        match item {
            Value::String(text) => rows.extend(range(key, text)?),
            other => rows.extend(other.as_u64()),
        }
    }
    Ok(rows)
}

/// `3` or `5-7`.
fn range(key: &str, text: &str) -> Result<std::ops::RangeInclusive<u64>, Problem> {
    let wrong = || Problem::at(&format!("/{key}"), format!("`{key}` is rows or ranges, as 3 or 5-7; found `{text}`"));
    let number = |text: &str| text.trim().parse::<u64>().ok().filter(|row| *row > 0);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last && last - first < MAX_ROWS => Ok(first..=last),
        _ => Err(wrong()),
    }
}

/// `{ 7 = { completion = "…" } }` of a cell, or the row of a flag with the assignments behind it.
fn cells(values: &Values, key: &str, assigned: &[String]) -> Result<Vec<RowCells>, Problem> {
    let pointer = format!("/{key}");
    match values.get(key) {
        None => Ok(Vec::new()),
        Some(Value::Object(table)) => {
            let mut cells = Vec::new();
            for (rows, columns) in table {
                let columns: BTreeMap<String, String> = serde_json::from_value(columns.clone())
                    .map_err(|_| Problem::at(&pointer, format!("[{key}.{rows}] holds columns and their new text")))?;
                for row in range(key, rows)? {
                    cells.push(RowCells { row, cells: columns.clone() });
                }
            }
            Ok(cells)
        }
        Some(_) => {
            let columns = columns(key, assigned)?;
            let rows = rows(values, key)?;
            Ok(rows.into_iter().map(|row| RowCells { row, cells: columns.clone() }).collect())
        }
    }
}

fn columns(key: &str, assigned: &[String]) -> Result<BTreeMap<String, String>, Problem> {
    let pointer = format!("/{key}");
    if assigned.is_empty() {
        return Err(Problem::at(&pointer, format!("--{key} needs a cell: --{key} ROW COLUMN=VALUE")));
    }
    let mut columns = BTreeMap::new();
    for word in assigned {
        let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
        match word.split_once('=').filter(|(name, _)| is_name(name)) {
            Some((name, value)) => columns.insert(name.to_owned(), value.to_owned()),
            None if key == LABEL => columns.insert(LABEL.to_owned(), word.clone()),
            None => {
                return Err(Problem::at(&pointer, format!("--{key} takes COLUMN=VALUE, found `{word}`")));
            }
        };
    }
    Ok(columns)
}
