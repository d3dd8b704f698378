//! When two results are the same.

use std::cmp::Ordering;

use luthier_plugin::{Rows, SqlValue};

/// Numbers `a` and `b` are equal if `|a - b| <= TOLERANCE * max(1, |a|, |b|)`: sums and averages
/// taken in another order differ in their last bits. Two integers are compared exactly.
pub const TOLERANCE: f64 = 1e-9;

/// The same rows in the same order.
pub fn same_sequence(found: &Rows, expected: &Rows) -> bool {
    same_shape(found, expected) && found.rows.iter().zip(&expected.rows).all(|(a, b)| same_row(a, b))
}

/// The same rows, each as often, in any order.
pub fn same_multiset(found: &Rows, expected: &Rows) -> bool {
    if !same_shape(found, expected) {
        return false;
    }
    let key = sort_key(found, expected);
    sorted(found, &key).into_iter().zip(sorted(expected, &key)).all(|(a, b)| same_row(a, b))
}

fn same_shape(found: &Rows, expected: &Rows) -> bool {
    found.columns.len() == expected.columns.len() && found.rows.len() == expected.rows.len()
}

fn same_row(a: &[SqlValue], b: &[SqlValue]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
}

/// Equality of two values; see the module.
pub fn same_value(a: &SqlValue, b: &SqlValue) -> bool {
    match (a, b) {
        (SqlValue::Null, SqlValue::Null) => true,
        (SqlValue::Integer(a), SqlValue::Integer(b)) => a == b,
        (SqlValue::Text(a), SqlValue::Text(b)) => a == b,
        (SqlValue::Blob(a), SqlValue::Blob(b)) => a == b,
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => a == b || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0),
            _ => false,
        },
    }
}

fn number(value: &SqlValue) -> Option<f64> {
    match value {
        SqlValue::Integer(value) => Some(*value as f64),
        SqlValue::Real(value) => Some(*value),
        _ => None,
    }
}

/// Columns in the order in which rows are sorted by them: those with floats last, so that two floats
/// that differ in their last bits do not put equal rows into different places.
fn sort_key(found: &Rows, expected: &Rows) -> Vec<usize> {
    let has_floats = |column: &usize| {
        found.rows.iter().chain(&expected.rows).any(|row| matches!(row.get(*column), Some(SqlValue::Real(_))))
    };
    let (floats, mut key): (Vec<_>, Vec<_>) = (0..expected.columns.len()).partition(has_floats);
    key.extend(floats);
    key
}

fn sorted<'a>(rows: &'a Rows, key: &[usize]) -> Vec<&'a [SqlValue]> {
    let mut sorted: Vec<&[SqlValue]> = rows.rows.iter().map(Vec::as_slice).collect();
    sorted.sort_by(|a, b| {
        key.iter()
            .map(|column| match (a.get(*column), b.get(*column)) {
                (Some(a), Some(b)) => total_order(a, b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            })
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    sorted
}

fn total_order(a: &SqlValue, b: &SqlValue) -> Ordering {
    match (a, b) {
        (SqlValue::Text(a), SqlValue::Text(b)) => a.cmp(b),
        (SqlValue::Blob(a), SqlValue::Blob(b)) => a.cmp(b),
        _ => match (number(a), number(b)) {
            // Adding 0.0 makes -0.0 into 0.0.
            (Some(x), Some(y)) => (x + 0.0).total_cmp(&(y + 0.0)).then_with(|| match (a, b) {
                (SqlValue::Integer(a), SqlValue::Integer(b)) => a.cmp(b),
                _ => class(a).cmp(&class(b)),
            }),
            _ => class(a).cmp(&class(b)),
        },
    }
}

fn class(value: &SqlValue) -> u8 {
    match value {
        SqlValue::Null => 0,
        SqlValue::Integer(_) => 1,
        SqlValue::Real(_) => 2,
        SqlValue::Text(_) => 3,
        SqlValue::Blob(_) => 4,
    }
}

#[cfg(test)]
mod tests;
