//! Guesses words and roles from names, types, keys and sampled values.

use super::{ColumnWords, DateForm, Noun, Role, TableWords, Vocabulary};
use crate::schema::{Affinity, Column, Table};
use crate::words::{identifier_words, plural, singular};
use crate::{Schema, Value};

/// More distinct values than this, and a text column is not a category.
const MAX_CATEGORY_VALUES: usize = 20;

pub(super) fn infer(schema: &Schema) -> Vocabulary {
    let mut tables = Vec::new();
    let mut columns = Vec::new();
    for table in &schema.tables {
        let words: Vec<ColumnWords> = (0..table.columns.len()).map(|index| column_words(table, index)).collect();
        tables.push(TableWords { nouns: vec![table_noun(table)], label: label(table, &words), scope: None });
        columns.push(words);
    }
    Vocabulary { tables, columns, filters: Vec::new(), measures: Vec::new() }
}

fn table_noun(table: &Table) -> Noun {
    let singular = singular(&identifier_words(&table.name).join(" "));
    Noun { plural: plural(&singular), singular }
}

fn column_words(table: &Table, index: usize) -> ColumnWords {
    let column = &table.columns[index];
    let role = role(table, index);
    let mut words = identifier_words(&column.name);
    let noun = table_noun(table).singular;
    // `film_title` of `films` is "title", `store_name` of `stores` is "name".
    if words.len() > 1 && words[0] == noun {
        words.remove(0);
    }
    let marker = match role {
        Role::Cents => words.iter().position(|word| word == "cents" || word == "ct"),
        Role::Flag => words.iter().position(|word| word == "is" || word == "has"),
        _ => None,
    };
    if let Some(at) = marker.filter(|_| words.len() > 1) {
        words.remove(at);
    }
    ColumnWords { phrases: vec![words.join(" ")], role }
}

fn role(table: &Table, index: usize) -> Role {
    let column = &table.columns[index];
    let words = identifier_words(&column.name);
    let last = words.last().map_or("", String::as_str);
    let is_key =
        table.primary_key == Some(index) || column.references.is_some() || matches!(last, "id" | "uuid" | "guid");
    match column.affinity {
        _ if is_key => Role::Key,
        Affinity::Text => text_role(column, last),
        Affinity::Integer if is_flag(column, &words) => Role::Flag,
        Affinity::Integer if is_compact_date(column) => Role::Date(DateForm::Compact),
        Affinity::Integer if matches!(last, "cents" | "ct") => Role::Cents,
        Affinity::Integer if matches!(last, "year" | "rank" | "code" | "zip") => Role::Ordinal,
        Affinity::Integer | Affinity::Real => Role::Number,
    }
}

fn text_role(column: &Column, last_word: &str) -> Role {
    let texts = super::sampled_text(&column.samples);
    if !texts.is_empty() && texts.iter().all(|text| is_iso_date(text)) {
        return Role::Date(DateForm::Iso);
    }
    if matches!(last_word, "name" | "title" | "label") {
        return Role::Label;
    }
    let codes = !texts.is_empty() && texts.iter().all(|text| text.len() <= 2 && text.chars().all(char::is_uppercase));
    match texts.len() {
        0 => Role::Other,
        _ if codes => Role::Code,
        n if column.more_values || n > MAX_CATEGORY_VALUES => Role::Label,
        _ => Role::Category,
    }
}

fn is_flag(column: &Column, words: &[String]) -> bool {
    let binary =
        !column.samples.is_empty() && column.samples.iter().all(|value| matches!(value, Value::Integer(0 | 1)));
    binary
        && !column.more_values
        && (words.first().is_some_and(|word| word == "is" || word == "has") || column.samples.len() == 2)
}

fn is_compact_date(column: &Column) -> bool {
    let date = |value: &Value| {
        matches!(value, Value::Integer(date) if (19_000_101..=21_001_231).contains(date)
            && (1..=12).contains(&(date / 100 % 100)) && (1..=31).contains(&(date % 100)))
    };
    !column.samples.is_empty() && column.samples.iter().all(date)
}

/// `YYYY-MM-DD`, possibly followed by a time.
pub(super) fn is_iso_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10
        && bytes[..10]
            .iter()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { *byte == b'-' } else { byte.is_ascii_digit() })
        && bytes.get(10).is_none_or(|next| matches!(next, b'T' | b' '))
}

/// The first label column; else the first text that is not a category.
fn label(table: &Table, words: &[ColumnWords]) -> Option<usize> {
    let named = (0..table.columns.len())
        .find(|index| words[*index].role == Role::Label && words[*index].phrases[0].ends_with("name"));
    named.or_else(|| words.iter().position(|column| column.role == Role::Label))
}
