use super::SqlValue::{Blob, Integer, Null, Real, Text};
use super::*;

fn rows(rows: &[&[SqlValue]]) -> Rows {
    let width = rows.first().map_or(1, |row| row.len());
    Rows { columns: vec![String::new(); width], rows: rows.iter().map(|row| row.to_vec()).collect() }
}

fn text(text: &str) -> SqlValue {
    Text(text.to_owned())
}

#[test]
fn values_compare_by_type() {
    assert!(same_value(&Null, &Null));
    assert!(!same_value(&Null, &Integer(0)));
    assert!(same_value(&Integer(2), &Real(2.0)));
    assert!(same_value(&Real(0.1 + 0.2), &Real(0.3)));
    assert!(same_value(&Real(0.0), &Real(1e-17)));
    assert!(!same_value(&Real(1.0), &Real(1.000_001)));
    assert!(!same_value(&Integer(9_007_199_254_740_993), &Integer(9_007_199_254_740_992)));
    assert!(!same_value(&text("1"), &Integer(1)));
    assert!(!same_value(&text("a"), &text("A")));
    assert!(!same_value(&text("a"), &Blob(b"a".to_vec())));
    assert!(same_value(&Real(f64::INFINITY), &Real(f64::INFINITY)));
}

#[test]
fn duplicates_count_and_order_does_not() {
    let (a, b) = ([Integer(1), text("a")], [Integer(2), text("b")]);
    assert!(same_multiset(&rows(&[&a, &b, &a]), &rows(&[&b, &a, &a])));
    assert!(!same_multiset(&rows(&[&a, &b, &a]), &rows(&[&b, &b, &a])));
    assert!(!same_multiset(&rows(&[&a, &b]), &rows(&[&a, &b, &b])));
    assert!(!same_sequence(&rows(&[&a, &b]), &rows(&[&b, &a])));
    assert!(same_sequence(&rows(&[&a, &b]), &rows(&[&a, &b])));
}

#[test]
fn an_empty_result_has_a_width() {
    let one = Rows { columns: vec!["a".to_owned()], rows: Vec::new() };
    let two = Rows { columns: vec!["a".to_owned(), "b".to_owned()], rows: Vec::new() };
    assert!(same_multiset(&one, &one));
    assert!(!same_multiset(&one, &two));
}

#[test]
fn last_bits_of_floats_do_not_move_rows() {
    let sum = 0.1 + 0.2;
    let left = rows(&[&[Real(sum), text("a")], &[Real(0.3), text("b")]]);
    let right = rows(&[&[Real(0.3), text("a")], &[Real(sum), text("b")]]);
    assert!(same_multiset(&left, &right));
}

#[test]
fn sorting_mixed_types_is_total() {
    let mixed = [
        Null,
        Integer(i64::MAX),
        Integer(i64::MAX - 1),
        Real(i64::MAX as f64),
        Real(-0.0),
        Integer(0),
        Real(0.0),
        text(""),
        text("z"),
        Blob(vec![]),
        Real(f64::NEG_INFINITY),
    ];
    let forward: Vec<_> = mixed.iter().map(std::slice::from_ref).collect();
    let backward: Vec<_> = forward.iter().rev().copied().collect();
    assert!(same_multiset(&rows(&forward), &rows(&backward)));
}
