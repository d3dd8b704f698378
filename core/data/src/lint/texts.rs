//! Rules that look at the rows' texts.

use std::collections::BTreeMap;

use luthier_protocol::response::Finding;

use super::Look;
use crate::preference::PreferenceRow;
use crate::{Message, Prompter, TrainingRow};

pub(super) fn of_texts(look: &Look<'_>, prompter: &Prompter) -> Vec<Finding> {
    let rows = |fails: &dyn Fn(&TrainingRow) -> bool| -> Vec<usize> {
        (0..look.rows.len()).filter(|row| fails(&look.rows[*row])).collect()
    };
    let special = prompter.tokenizer.special_texts();
    [
        look.finding(
            "identical-pairs",
            &rows(&repeats_its_prompt),
            "the answer repeats the prompt: only copying is learned",
            "check which columns are the prompt and the completion ([roles])",
        ),
        look.finding(
            "duplicate-rows",
            &repeated(look.rows),
            "the same prompt and answer stand in an earlier row: they count twice",
            "take the duplicates out, unless the repetition is meant",
        ),
        look.finding(
            "special-token-in-text",
            &rows(&|row| spells_special(row, special)),
            "a text spells out a special token: the model sees the token, not the letters",
            "take it out of the text; it is often left over from another template",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Pairs whose better and worse answer are one: there is nothing to prefer.
pub fn identical_answers(rows: &[PreferenceRow]) -> Option<Finding> {
    let same: Vec<usize> = (0..rows.len()).filter(|row| rows[*row].chosen == rows[*row].rejected).collect();
    let texts: Vec<TrainingRow> =
        rows.iter().map(|row| TrainingRow::Turns { prompt: row.prompt.clone(), answer: row.chosen.clone() }).collect();
    Look { rows: &texts }.finding(
        "identical-pairs",
        &same,
        "chosen and rejected are the same: there is nothing to prefer",
        "take these rows out, or correct one of the answers",
    )
}

fn repeats_its_prompt(row: &TrainingRow) -> bool {
    let TrainingRow::Turns { prompt, answer } = row else { return false };
    let asked = prompt.iter().rfind(|turn| turn.role == "user").map_or("", |turn| turn.content.trim());
    let answered = row.answer_text();
    answer.len() == 1 && !asked.is_empty() && asked == answered.trim()
}

/// Rows that are equal to an earlier one.
fn repeated(rows: &[TrainingRow]) -> Vec<usize> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let is_new = |row: &usize| {
        let key = key(&rows[*row]);
        *seen.entry(key).and_modify(|n| *n += 1).or_insert(1) == 1
    };
    let mut is_new = is_new;
    (0..rows.len()).filter(|row| !is_new(row)).collect()
}

/// A row as one text.
pub(super) fn key(row: &TrainingRow) -> String {
    let turn = |turn: &Message| {
        let extra =
            if turn.extra.is_empty() { String::new() } else { serde_json::Value::from(turn.extra.clone()).to_string() };
        format!("{}\u{1f}{}\u{1f}{extra}\u{1e}", turn.role, turn.content)
    };
    match row {
        TrainingRow::Text(text) => text.clone(),
        TrainingRow::Turns { prompt, answer } => prompt.iter().chain(answer).map(turn).collect(),
    }
}

/// What a row asks, as one text.
pub(super) fn prompt_key(row: &TrainingRow) -> String {
    match row {
        TrainingRow::Text(_) => key(row),
        TrainingRow::Turns { prompt, .. } => key(&TrainingRow::Turns { prompt: prompt.clone(), answer: Vec::new() }),
    }
}

fn spells_special(row: &TrainingRow, special: &[String]) -> bool {
    let spells = |text: &str| special.iter().any(|token| text.contains(token.as_str()));
    match row {
        TrainingRow::Text(text) => spells(text),
        TrainingRow::Turns { prompt, answer } => prompt.iter().chain(answer).any(|turn| spells(&turn.content)),
    }
}
