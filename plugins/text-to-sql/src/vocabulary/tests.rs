use super::infer::is_iso_date;
use super::{DateForm, Glossary, GlossaryColumn, GlossaryFilter, Role, Vocabulary};
use crate::schema::{ReadLimits, read_schema};
use crate::testing::Sqlite;
use crate::{Error, Schema};

fn library() -> Schema {
    let script = "CREATE TABLE tbl_books (book_id INTEGER PRIMARY KEY, book_title TEXT, price_cents INT, genre TEXT, is_lent INT, published TEXT, added INT, year INT);
        INSERT INTO tbl_books VALUES (1, 'Dune', 900, 'novel', 1, '1965-08-01', 20200102, 1965), (2, 'Emma', 700, 'novel', 0, '1815-12-23', 20210203, 1815);";
    read_schema(&mut Sqlite::script(script), ReadLimits::default()).unwrap()
}

#[test]
fn roles_and_phrases_follow_from_names_and_values() {
    let words = Vocabulary::infer(&library());
    let roles: Vec<Role> = words.columns[0].iter().map(|column| column.role).collect();
    let expected = [
        Role::Key,
        Role::Label,
        Role::Cents,
        Role::Category,
        Role::Flag,
        Role::Date(DateForm::Iso),
        Role::Date(DateForm::Compact),
        Role::Ordinal,
    ];
    assert_eq!(roles, expected);
    let phrases: Vec<&str> = words.columns[0].iter().map(|column| column.phrases[0].as_str()).collect();
    assert_eq!(phrases, ["id", "title", "price", "genre", "lent", "published", "added", "year"]);
    assert_eq!(words.tables[0].nouns[0].plural, "books");
    assert_eq!(words.tables[0].label, Some(1));
}

#[test]
fn a_glossary_overrides_the_guess() {
    let schema = library();
    let mut words = Vocabulary::infer(&schema);
    let column = GlossaryColumn {
        table: "tbl_books".into(),
        column: "genre".into(),
        phrases: vec!["shelf".into()],
        role: Some(Role::Code),
    };
    let filter = GlossaryFilter {
        table: "TBL_BOOKS".into(),
        before: "old".into(),
        predicate: "{year} < 1900".into(),
        ..GlossaryFilter::default()
    };
    words.apply(&schema, &Glossary { columns: vec![column], filters: vec![filter], ..Glossary::default() }).unwrap();
    assert_eq!((words.columns[0][3].phrases[0].as_str(), words.columns[0][3].role), ("shelf", Role::Code));
    assert_eq!(words.filters.len(), 1);
}

#[test]
fn a_glossary_that_names_what_is_not_there_is_refused() {
    let schema = library();
    let filter = GlossaryFilter {
        table: "tbl_books".into(),
        before: "old".into(),
        predicate: "{yeer} < 1900".into(),
        ..GlossaryFilter::default()
    };
    let error = Vocabulary::infer(&schema)
        .apply(&schema, &Glossary { filters: vec![filter], ..Glossary::default() })
        .unwrap_err();
    assert!(matches!(error, Error::UnknownColumn { name, .. } if name == "yeer"));
}

#[test]
fn iso_dates_are_recognized() {
    assert!(is_iso_date("2024-01-31") && is_iso_date("2024-01-31 12:00:00"));
    assert!(!is_iso_date("2024-1-31") && !is_iso_date("20240131") && !is_iso_date("2024-01-31x"));
}
