//! Rows to splits by the hash of a key, so that a row's split depends on nothing but the row.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use sha2::{Digest, Sha256};

use super::{SPLIT, cells, fingerprint};
use crate::format::parse;
use crate::{Error, Result, Roles};

/// Where rows go that no share claims, if `train` has a share of its own.
const UNUSED: &str = "unused";

/// Adds the `split` column (or checks the one there is) and says what is odd about it.
pub(super) fn assign(
    what: &str,
    batch: RecordBatch,
    roles: &Roles,
    shares: &BTreeMap<String, f64>,
) -> Result<(RecordBatch, Vec<String>)> {
    let bounds = bounds(shares)?;
    if let Some(existing) = batch.column_by_name(SPLIT) {
        check_existing(what, existing)?;
        let warning = "the `split` column of the rows was kept; the shares given were not used";
        let warnings = if shares.is_empty() { Vec::new() } else { vec![warning.to_string()] };
        return Ok((batch, warnings));
    }
    let keys = keys(what, &batch, roles)?;
    let splits: Vec<&str> = keys.iter().map(|key| split_of(key, &bounds)).collect();
    let mut warnings: Vec<String> = bounds
        .iter()
        .filter(|(name, share)| *share > 0.0 && !splits.contains(&name.as_str()))
        .map(|(name, share)| format!("split `{name}` is empty: {} rows, a share of {share}", splits.len()))
        .collect();
    let n_unused = splits.iter().filter(|split| **split == UNUSED).count();
    if n_unused > 0 {
        warnings.push(format!("{n_unused} rows are in no split: the shares add up to less than 1"));
    }
    let column: ArrayRef = Arc::new(StringArray::from(splits));
    let mut fields: Vec<Field> = batch.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new(SPLIT, DataType::Utf8, true));
    let mut arrays = batch.columns().to_vec();
    arrays.push(column);
    Ok((RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?, warnings))
}

/// Shares in the order in which they claim the unit interval. What they leave is `train`'s, or
/// `unused` if `train` has a share.
fn bounds(shares: &BTreeMap<String, f64>) -> Result<Vec<(String, f64)>> {
    if shares.is_empty() {
        return Ok(vec![("test".into(), 0.1), ("train".into(), 0.9)]);
    }
    let wrong = |expected, found: String| Error::Splits { expected, found };
    if let Some((name, share)) = shares.iter().find(|(_, share)| !(0.0..=1.0).contains(*share)) {
        return Err(wrong("shares between 0 and 1", format!("{name} = {share}")));
    }
    if shares.keys().any(|name| name.trim().is_empty()) {
        return Err(wrong("a name for every split", "an empty one".into()));
    }
    let sum: f64 = shares.values().sum();
    // Ten shares of 0.1 add up to a little less or more than 1.
    const SLACK: f64 = 1e-9;
    if sum > 1.0 + SLACK {
        return Err(wrong("shares that add up to at most 1", format!("{sum}")));
    }
    let mut bounds: Vec<(String, f64)> = shares.iter().map(|(name, share)| (name.clone(), *share)).collect();
    let rest = 1.0 - sum;
    if rest > SLACK {
        let taker = if shares.contains_key("train") { UNUSED } else { "train" };
        bounds.push((taker.to_string(), rest));
    }
    Ok(bounds)
}

fn check_existing(what: &str, array: &ArrayRef) -> Result<()> {
    if array.data_type() != &DataType::Utf8 {
        return Err(Error::ColumnType {
            what: what.to_string(),
            column: SPLIT.into(),
            expected: "text (the name of a split)".into(),
            found: array.data_type().to_string(),
        });
    }
    match (0..array.len()).find(|row| cells::text(array, *row).trim().is_empty()) {
        None => Ok(()),
        Some(row) => Err(Error::Cell {
            what: what.to_string(),
            row: row as u64 + 1,
            column: SPLIT.into(),
            expected: "the name of a split".into(),
            found: "nothing".into(),
        }),
    }
}

/// The key whose hash decides: the group, else the prompt, else (a template's rows without roles)
/// the row.
fn keys(what: &str, batch: &RecordBatch, roles: &Roles) -> Result<Vec<Vec<u8>>> {
    if let Some(column) = &roles.group {
        return Ok(cells::text_column(what, batch, column)?.into_iter().map(String::into_bytes).collect());
    }
    if let Some(prompts) = prompt_keys(what, batch, roles)? {
        return Ok(prompts.into_iter().map(String::into_bytes).collect());
    }
    let columns: Vec<&dyn Array> = batch.columns().iter().map(AsRef::as_ref).collect();
    Ok((0..batch.num_rows()).map(|row| fingerprint::of_row(&columns, row).to_vec()).collect())
}

/// What each row asks: prompt and further input, or everything before a chat's last answer. None
/// without such roles.
pub(super) fn prompt_keys(what: &str, batch: &RecordBatch, roles: &Roles) -> Result<Option<Vec<String>>> {
    if let Some(column) = &roles.messages {
        let texts = cells::text_column(what, batch, column)?;
        return Ok(Some(texts.iter().map(|text| first_question(text)).collect()));
    }
    if let Some(column) = &roles.text {
        return Ok(Some(cells::text_column(what, batch, column)?));
    }
    let Some(prompt) = &roles.prompt else {
        // Two whole conversations: both begin with the same question.
        let Some(chosen) = &roles.chosen else { return Ok(None) };
        let texts = cells::text_column(what, batch, chosen)?;
        return Ok(Some(texts.iter().map(|text| first_question(text)).collect()));
    };
    let prompts = cells::text_column(what, batch, prompt)?;
    let Some(input) = &roles.input else { return Ok(Some(prompts)) };
    let inputs = cells::text_column(what, batch, input)?;
    // The unit separator occurs in no text that people write.
    Ok(Some(prompts.iter().zip(inputs).map(|(prompt, input)| format!("{prompt}\u{1f}{input}")).collect()))
}

/// A chat's first user turn: two conversations that begin with one question are one group.
fn first_question(text: &str) -> String {
    let context = parse(text).map(|conversation| conversation.context).unwrap_or_default();
    context
        .into_iter()
        .find(|message| message.role == "user")
        .map_or_else(|| text.to_string(), |message| message.content)
}

fn split_of<'a>(key: &[u8], bounds: &'a [(String, f64)]) -> &'a str {
    let digest = Sha256::new().chain_update(b"luthier-split-1\0").chain_update(key).finalize();
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    // 53 bits: every value is exact in f64 and below 1.
    let point = (u64::from_be_bytes(head) >> 11) as f64 / (1u64 << 53) as f64;
    let mut upper = 0.0;
    for (name, share) in bounds {
        upper += share;
        if point < upper {
            return name;
        }
    }
    // Rounding may leave the last bound a little below 1.
    bounds.last().map_or(UNUSED, |(name, _)| name)
}
