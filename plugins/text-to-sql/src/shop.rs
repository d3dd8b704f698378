//! The curated task `shop`: a violin maker's shop whose database was laid out long ago, with cryptic
//! names, code letters, money in cents, dates as integers and rows that are voided instead of
//! deleted. None of its business words can be derived from the schema text, so a model has to be
//! taught the house. All data is invented.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use luthier_plugin::Error;
use luthier_plugin::json::{Value, from_str};

use crate::deal::Row;
use crate::vocabulary::{
    DateForm, Glossary, GlossaryColumn, GlossaryFilter, GlossaryMeasure, GlossaryTable, Noun, Role,
};

/// Name under which the database is granted.
pub const NAME: &str = "shop";
/// Schema and rows.
pub const SCRIPT: &str = include_str!("shop/shop.sql");
/// Questions written by hand, with SQL checked by hand, one JSON object per line.
const HANDWRITTEN: &str = include_str!("shop/shop-handwritten.jsonl");
/// Its tables: makers, products, customers, sales, repairs.
pub const TABLES: &[&str] = &["mkr", "prd", "cst", "sal", "rep"];

/// Words of this house that no text for pre-training may contain: its names and what they mean.
pub const RESERVED: &[&str] = &[
    "mkr",
    "prd",
    "cst",
    "sal",
    "rep",
    "nm",
    "ctry",
    "yr",
    "lbl",
    "fam",
    "px_ct",
    "stk",
    "town",
    "tier",
    "pts",
    "dt",
    "qty",
    "fee_ct",
    "void",
    "maker",
    "makers",
    "product",
    "products",
    "article",
    "articles",
    "customer",
    "customers",
    "client",
    "clients",
    "order",
    "orders",
    "sale",
    "sales",
    "repair",
    "repairs",
    "price",
    "stock",
    "revenue",
    "violin",
    "violins",
    "viola",
    "violas",
    "cello",
    "cellos",
    "bow",
    "bows",
    "trade",
    "voided",
    "loyalty",
    "units",
];

fn noun(singular: &str) -> Noun {
    Noun { singular: singular.to_owned(), plural: crate::words::plural(singular) }
}

/// The words of the house.
#[must_use]
pub fn glossary() -> Glossary {
    Glossary { tables: tables(), columns: columns(), filters: filters(), measures: measures() }
}

fn tables() -> Vec<GlossaryTable> {
    let entry = |table: &str, nouns: &[&str], label: Option<&str>, scope: Option<&str>| GlossaryTable {
        table: table.to_owned(),
        nouns: nouns.iter().map(|singular| noun(singular)).collect(),
        label: label.map(str::to_owned),
        scope: scope.map(str::to_owned),
    };
    vec![
        entry("mkr", &["maker"], Some("nm"), None),
        entry("prd", &["product", "article"], Some("lbl"), None),
        entry("cst", &["customer", "client"], Some("nm"), None),
        entry("sal", &["order", "sale"], None, Some("{void} = 0")),
        entry("rep", &["repair"], None, Some("{void} = 0")),
    ]
}

fn columns() -> Vec<GlossaryColumn> {
    let entry = |table: &str, column: &str, phrase: &str, role| GlossaryColumn {
        table: table.to_owned(),
        column: column.to_owned(),
        phrases: vec![phrase.to_owned()],
        role: Some(role),
    };
    vec![
        entry("mkr", "nm", "name", Role::Label),
        entry("mkr", "ctry", "country", Role::Category),
        entry("mkr", "yr", "founding year", Role::Ordinal),
        entry("prd", "lbl", "name", Role::Label),
        entry("prd", "fam", "family", Role::Code),
        entry("prd", "px_ct", "price", Role::Cents),
        entry("prd", "stk", "stock level", Role::Number),
        entry("cst", "nm", "name", Role::Label),
        entry("cst", "town", "town", Role::Category),
        entry("cst", "tier", "kind", Role::Code),
        entry("cst", "pts", "loyalty balance", Role::Number),
        entry("sal", "dt", "date", Role::Date(DateForm::Compact)),
        entry("sal", "qty", "quantity", Role::Number),
        entry("sal", "px_ct", "unit price", Role::Cents),
        entry("sal", "st", "status", Role::Code),
        entry("sal", "void", "voided", Role::Other),
        entry("rep", "dt", "date", Role::Date(DateForm::Compact)),
        entry("rep", "fee_ct", "charge", Role::Cents),
        entry("rep", "st", "status", Role::Code),
        entry("rep", "void", "voided", Role::Other),
    ]
}

fn filters() -> Vec<GlossaryFilter> {
    let entry = |table: &str, before: &str, after: &str, name: Option<&str>, predicate: &str| GlossaryFilter {
        table: table.to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
        noun: name.map(noun),
        predicate: predicate.to_owned(),
    };
    vec![
        entry("prd", "", "", Some("violin"), "{fam} = 'VN'"),
        entry("prd", "", "", Some("viola"), "{fam} = 'VA'"),
        entry("prd", "", "", Some("cello"), "{fam} = 'VC'"),
        entry("prd", "", "", Some("bow"), "{fam} = 'BW'"),
        entry("prd", "", "that are out of stock", None, "{stk} = 0"),
        entry("cst", "private", "", None, "{tier} = 'P'"),
        entry("cst", "trade", "", None, "{tier} = 'T'"),
        entry("cst", "school", "", None, "{tier} = 'S'"),
        entry("sal", "open", "", None, "{st} = 'O'"),
        entry("sal", "paid", "", None, "{st} = 'P'"),
        entry("sal", "returned", "", None, "{st} = 'R'"),
        entry("sal", "bulk", "", None, "{qty} >= 5"),
        entry("rep", "waiting", "", None, "{st} = 'W'"),
        entry("rep", "finished", "", None, "{st} = 'F'"),
    ]
}

fn measures() -> Vec<GlossaryMeasure> {
    let entry = |table: &str, phrase: &str, expression: &str| GlossaryMeasure {
        table: table.to_owned(),
        phrase: phrase.to_owned(),
        expression: expression.to_owned(),
    };
    vec![
        entry("sal", "revenue", "SUM({qty} * {px_ct}) / 100.0"),
        entry("sal", "number of units sold", "SUM({qty})"),
        entry("prd", "stock value", "SUM({stk} * {px_ct}) / 100.0"),
        entry("rep", "workshop income", "SUM({fee_ct}) / 100.0"),
    ]
}

/// The committed hand-written rows.
pub(crate) fn handwritten() -> Result<VecDeque<Row>, Error> {
    HANDWRITTEN.lines().filter(|line| !line.trim().is_empty()).map(parse_line).collect()
}

fn parse_line(line: &str) -> Result<Row, Error> {
    let row: Value = from_str(line).map_err(|error| Error::Internal(format!("shop-handwritten.jsonl: {error}")))?;
    match (row.get("question").and_then(Value::as_str), row.get("sql").and_then(Value::as_str)) {
        (Some(question), Some(sql)) => Ok(crate::template::hand_written(question, sql)),
        _ => Err(Error::Internal(format!("shop-handwritten.jsonl: a row needs question and sql: {line}"))),
    }
}
