use super::{Affinity, ReadLimits, Reference, parse_create_table, read_schema};
use crate::testing::Sqlite;

#[test]
fn a_create_table_statement_gives_names_types_and_keys() {
    let sql = "CREATE TABLE IF NOT EXISTS \"order line\" (\n  id INTEGER PRIMARY KEY, -- the key, really\n  [order] INT NOT NULL REFERENCES orders(no) ON DELETE CASCADE,\n  \
               price DECIMAL(10, 2) DEFAULT (1 + 2) CHECK (price > 0), note VARCHAR(20), /* a, b */ item INT,\n  FOREIGN KEY (item) REFERENCES items)";
    let (table, references) = parse_create_table(sql).unwrap();
    assert_eq!(table.name, "order line");
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "order", "price", "note", "item"]);
    assert_eq!(table.primary_key, Some(0));
    assert_eq!(table.columns[2].affinity, Affinity::Real);
    assert_eq!(table.columns[3].affinity, Affinity::Text);
    assert!(!table.columns[1].nullable && table.columns[3].nullable);
    assert_eq!(
        (references[0].column, references[0].parent.as_str(), references[0].parent_column.as_deref()),
        (1, "orders", Some("no"))
    );
    assert_eq!(
        (references[1].column, references[1].parent.as_str(), references[1].parent_column.as_deref()),
        (4, "items", None)
    );
}

#[test]
fn what_is_no_ordinary_table_is_left_out() {
    assert!(parse_create_table("CREATE VIEW v AS SELECT (1)").is_none());
    assert!(parse_create_table("CREATE VIRTUAL TABLE t USING fts5(body)").is_none());
    assert!(parse_create_table("").is_none());
    assert!(parse_create_table("CREATE TABLE (((").is_none());
}

#[test]
fn a_composite_key_is_not_joined_on() {
    let sql = "CREATE TABLE t (a INT, b INT, PRIMARY KEY (a, b), FOREIGN KEY (a, b) REFERENCES u(x, y))";
    let (table, references) = parse_create_table(sql).unwrap();
    assert_eq!(table.primary_key, None);
    assert!(references.is_empty());
}

#[test]
fn a_database_is_read_with_its_links_and_samples() {
    let mut source = Sqlite::script(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT, born TEXT); CREATE TABLE b (id INTEGER PRIMARY KEY, a INT REFERENCES a, size REAL);
         CREATE VIEW v AS SELECT * FROM a; INSERT INTO a VALUES (1, 'Ann', '2001-02-03'), (2, NULL, NULL), (3, 'Bo', '2002-02-03');
         INSERT INTO b VALUES (1, 1, 2.5);",
    );
    let schema = read_schema(&mut source, ReadLimits::default()).unwrap();
    assert_eq!(schema.compact(), "a(id, name, born)\nb(id, a->a, size)");
    assert_eq!(schema.tables[1].columns[1].references, Some(Reference { table: 0, column: 0 }));
    assert_eq!(schema.tables[0].columns[1].samples.len(), 2);
    assert_eq!(schema.links().len(), 1);
}

#[test]
fn an_empty_database_is_an_error() {
    assert!(read_schema(&mut Sqlite::script(""), ReadLimits::default()).is_err());
}
