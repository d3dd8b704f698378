use std::collections::BTreeSet;

use super::{RESERVED, SCRIPT, TABLES, glossary, handwritten};
use crate::schema::{ReadLimits, read_schema};
use crate::testing::Sqlite;
use crate::{Value, Vocabulary};

#[test]
fn every_hand_written_statement_returns_something() {
    let database = Sqlite::script(SCRIPT);
    let rows = handwritten().unwrap();
    assert!(rows.len() >= 70, "{} rows", rows.len());
    for row in &rows {
        let result = database.rows(&row.sql).unwrap_or_else(|error| panic!("{}\n{}\n{error}", row.question, row.sql));
        assert!(result.iter().flatten().any(|value| !matches!(value, Value::Null)), "{} returns nothing", row.sql);
    }
    let questions: BTreeSet<String> = rows.iter().map(|row| crate::deal::normal(&row.question)).collect();
    assert_eq!(questions.len(), rows.len(), "a question occurs twice");
}

#[test]
fn voided_rows_are_never_counted() {
    for row in handwritten().unwrap() {
        let words: Vec<&str> = row.sql.split(|next: char| !next.is_alphanumeric() && next != '_').collect();
        if words.contains(&"sal") || words.contains(&"rep") {
            assert!(words.contains(&"void"), "{}", row.sql);
        }
    }
}

#[test]
fn the_glossary_fits_the_schema() {
    let schema = read_schema(&mut Sqlite::script(SCRIPT), ReadLimits::default()).unwrap();
    let names: Vec<&str> = schema.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, TABLES);
    Vocabulary::infer(&schema).apply(&schema, &glossary()).unwrap();
    for table in &schema.tables {
        assert!(RESERVED.contains(&table.name.as_str()));
    }
}
