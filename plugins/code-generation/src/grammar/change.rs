//! What becomes of each item that counts.

use luthier_plugin::Rng;

use super::Reduce;
use super::source::{Field, Kind, Source};
use crate::Value;
use crate::value::quoted;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// As it is.
    Itself,
    /// `x * x`
    Square,
    /// `2 * x`
    Double,
    /// `abs(x)`
    Absolute,
    /// `x + n`
    Plus(i64),
    /// `x - n`
    Minus(i64),
    /// `w.upper()`
    Upper,
    /// `len(w)`
    Length,
    /// `w[0]`
    Initial,
    /// `w[::-1]`
    Reversed,
    /// `r["price"]`
    Field(&'static Field),
    /// `r["price"] * r["count"]`
    Product(&'static Field, &'static Field),
}

impl Change {
    /// A change of such items that `reduce` can use.
    pub fn draw(rng: &mut Rng, source: &Source, reduce: &Reduce) -> Change {
        if !reduce.changes() {
            return Change::Itself;
        }
        match source.kind {
            Kind::Numbers => match rng.below(9) {
                0 => Change::Square,
                1 => Change::Double,
                2 => Change::Absolute,
                3 => Change::Plus(2 + rng.below(9) as i64),
                4 => Change::Minus(2 + rng.below(9) as i64),
                _ => Change::Itself,
            },
            Kind::Words => match rng.below(7) {
                0 => Change::Upper,
                1 | 2 => Change::Length,
                3 => Change::Initial,
                4 => Change::Reversed,
                _ => Change::Itself,
            },
            Kind::Records(fields) => {
                let numbers = source.fields(false);
                match numbers.as_slice() {
                    [one, other, ..] if rng.chance(0.2) => Change::Product(one, other),
                    _ => Change::Field(&fields[rng.below(fields.len())]),
                }
            }
        }
    }

    /// Whether what comes out is a number.
    pub fn gives_numbers(&self, source: &Source) -> bool {
        match self {
            Change::Itself => source.kind == Kind::Numbers,
            Change::Upper | Change::Initial | Change::Reversed => false,
            Change::Field(field) => !field.is_text(),
            _ => true,
        }
    }

    /// Numbers in it.
    pub fn literals(&self) -> Vec<Value> {
        match self {
            Change::Plus(n) | Change::Minus(n) => vec![Value::Int(*n)],
            _ => Vec::new(),
        }
    }

    /// Changes that a careless reader may take it for.
    pub fn mistaken(&self, source: &Source) -> Vec<Change> {
        match self {
            Change::Itself if source.kind == Kind::Numbers => vec![Change::Absolute, Change::Double],
            Change::Itself => Vec::new(),
            Change::Square => vec![Change::Double, Change::Itself],
            Change::Double => vec![Change::Square, Change::Itself],
            Change::Plus(n) => vec![Change::Minus(*n), Change::Plus(n + 1)],
            Change::Minus(n) => vec![Change::Plus(*n), Change::Minus(n + 1)],
            Change::Absolute | Change::Upper | Change::Reversed | Change::Initial => vec![Change::Itself],
            Change::Length => Vec::new(),
            Change::Field(field) => {
                source.fields(field.is_text()).into_iter().filter(|other| other != field).map(Change::Field).collect()
            }
            Change::Product(one, other) => vec![Change::Field(one), Change::Field(other)],
        }
    }

    /// `the squares of the ages`
    pub fn words(&self, source: &Source) -> String {
        let plural = source.plural;
        match self {
            Change::Itself => format!("the {plural}"),
            Change::Square => format!("the squares of the {plural}"),
            Change::Double => format!("the doubles of the {plural}"),
            Change::Absolute => format!("the absolute values of the {plural}"),
            Change::Plus(n) => format!("{n} more than each of the {plural}"),
            Change::Minus(n) => format!("{n} less than each of the {plural}"),
            Change::Upper => format!("the upper case forms of the {plural}"),
            Change::Length => format!("the lengths of the {plural}"),
            Change::Initial => format!("the first letters of the {plural}"),
            Change::Reversed => format!("the reversed forms of the {plural}"),
            Change::Field(field) => format!("the {} of the {plural}", field.name),
            Change::Product(one, other) => format!("{} times {} of the {plural}", one.name, other.name),
        }
    }

    /// The expression.
    pub fn python(&self, source: &Source) -> String {
        let x = source.variable();
        match self {
            Change::Itself => x.to_owned(),
            Change::Square => format!("{x} * {x}"),
            Change::Double => format!("2 * {x}"),
            Change::Absolute => format!("abs({x})"),
            Change::Plus(n) => format!("{x} + {n}"),
            Change::Minus(n) => format!("{x} - {n}"),
            Change::Upper => format!("{x}.upper()"),
            Change::Length => format!("len({x})"),
            Change::Initial => format!("{x}[0]"),
            Change::Reversed => format!("{x}[::-1]"),
            Change::Field(field) => format!("{x}[{}]", quoted(field.name)),
            Change::Product(one, other) => {
                format!("{x}[{}] * {x}[{}]", quoted(one.name), quoted(other.name))
            }
        }
    }

    /// What it makes of an item.
    pub fn apply(&self, item: &Value) -> Value {
        match (self, item) {
            (Change::Square, Value::Int(x)) => Value::Int(x * x),
            (Change::Double, Value::Int(x)) => Value::Int(2 * x),
            (Change::Absolute, Value::Int(x)) => Value::Int(x.abs()),
            (Change::Plus(n), Value::Int(x)) => Value::Int(x + n),
            (Change::Minus(n), Value::Int(x)) => Value::Int(x - n),
            (Change::Upper, Value::Text(word)) => Value::Text(word.to_uppercase()),
            (Change::Length, Value::Text(word)) => Value::Int(word.chars().count() as i64),
            (Change::Initial, Value::Text(word)) => Value::Text(word.chars().take(1).collect()),
            (Change::Reversed, Value::Text(word)) => Value::Text(word.chars().rev().collect()),
            (Change::Field(field), record) => field_of(record, field),
            (Change::Product(one, other), record) => match (field_of(record, one), field_of(record, other)) {
                (Value::Int(one), Value::Int(other)) => Value::Int(one * other),
                _ => Value::None,
            },
            (_, item) => item.clone(),
        }
    }
}

/// A field of a record.
pub(super) fn field_of(record: &Value, field: &Field) -> Value {
    match record {
        Value::Dict(entries) => {
            entries.iter().find(|(key, _)| key == field.name).map_or(Value::None, |(_, value)| value.clone())
        }
        _ => Value::None,
    }
}
