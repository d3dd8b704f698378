use luthier_plugin::{Budget, Databases, SqlError, SqlValue};
use tempfile::TempDir;

use super::build::build_within;
use super::*;
use crate::limits::SqlLimits;

const SHOP: &str = "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL);
    INSERT INTO item VALUES (1, 'pen', 1.5), (2, 'ink', NULL), (3, 'pad', 4.0);";

fn database(script: &str) -> (TempDir, ReadOnly) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a b?c%.sqlite");
    build_database(script, &path).unwrap();
    let database = ReadOnly::open(&path, &SqlLimits::default()).unwrap();
    (directory, database)
}

fn query(sql: &str) -> Result<Vec<Vec<SqlValue>>, SqlError> {
    let (_directory, mut database) = database(SHOP);
    database.query(sql, Budget::default()).rows.map(|rows| rows.rows)
}

#[test]
fn values_come_back_with_their_types() {
    use SqlValue::{Blob, Integer, Null, Real, Text};
    assert_eq!(
        query("SELECT id, name, price, x'00ff' FROM item WHERE id < 3 ORDER BY id").unwrap(),
        [
            [Integer(1), Text("pen".to_owned()), Real(1.5), Blob(vec![0, 255])],
            [Integer(2), Text("ink".to_owned()), Null, Blob(vec![0, 255])],
        ]
    );
}

#[test]
fn reads_of_every_form_are_allowed() {
    for sql in [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n;",
        "VALUES (1), (2)",
        "SELECT name, sql FROM sqlite_schema",
        "SELECT name FROM pragma_table_info('item')",
        "SELECT * FROM pragma_foreign_key_list('item')",
        "SELECT upper(name), round(price, 1), count(*) OVER () FROM item",
        "SELECT value FROM json_each('[1,2]')",
        "SELECT strftime('%Y', '2024-01-01')",
    ] {
        query(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

#[test]
fn everything_else_is_denied_by_name() {
    for (sql, reason) in [
        ("INSERT INTO item VALUES (9, 'x', 1)", "only SELECT is allowed"),
        ("DELETE FROM item", "only SELECT is allowed"),
        ("UPDATE item SET price = 0", "only SELECT is allowed"),
        ("CREATE TABLE t (a)", "only SELECT is allowed"),
        ("CREATE TEMP TABLE t AS SELECT 1", "only SELECT is allowed"),
        ("DROP TABLE item", "only SELECT is allowed"),
        ("BEGIN", "only SELECT is allowed"),
        ("ATTACH '/tmp/other.sqlite' AS other", "other databases cannot be attached"),
        ("VACUUM INTO '/tmp/copy.sqlite'", "only SELECT is allowed"),
        ("PRAGMA writable_schema = 1", "PRAGMA writable_schema is not allowed"),
        ("PRAGMA hard_heap_limit = 1", "PRAGMA hard_heap_limit is not allowed"),
        ("SELECT random()", "the function random is not allowed"),
        ("SELECT load_extension('x')", "the function load_extension is not allowed"),
        ("SELECT current_timestamp", "the function current_timestamp is not allowed"),
    ] {
        let error = query(sql).expect_err(sql);
        assert_eq!(error, SqlError::Denied(reason.to_owned()), "{sql}");
    }
}

#[test]
fn errors_say_what_they_are() {
    assert!(matches!(query("SELEC 1"), Err(SqlError::Syntax(message)) if message.contains("SELEC")));
    assert!(matches!(query("SELECT nope FROM item"), Err(SqlError::Syntax(message)) if message.contains("nope")));
    assert!(matches!(query("SELECT 1; SELECT 2"), Err(SqlError::Syntax(_))));
    assert!(matches!(query(""), Err(SqlError::Syntax(_))));
    assert!(matches!(query("SELECT abs(-9223372036854775807 - 1)"), Err(SqlError::Runtime(_))));
}

#[test]
fn steps_rows_bytes_and_memory_are_limited() {
    let (_directory, mut database) = database(SHOP);
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let small = Budget { vm_steps: 10_000, max_rows: 2, max_bytes: 100 };
    let outcome = database.query(endless, small);
    assert_eq!(outcome.rows, Err(SqlError::Budget("more than 10000 steps".to_owned())));
    assert!(outcome.vm_steps <= 10_010, "{}", outcome.vm_steps);
    assert_eq!(
        database.query("SELECT * FROM item", small).rows,
        Err(SqlError::TooLarge("more than 2 rows".to_owned()))
    );
    assert_eq!(
        database.query("SELECT printf('%200d', 1)", small).rows,
        Err(SqlError::TooLarge("more than 100 bytes".to_owned()))
    );
    let one_value = "SELECT length(printf('%1000000000d', 1))";
    assert!(database.query(one_value, Budget::default()).rows.is_err());
    let sorted = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000)
        SELECT length(a) FROM (SELECT printf('%1000000d', i) AS a FROM n ORDER BY a)";
    assert!(matches!(database.query(sorted, Budget::default()).rows, Err(SqlError::Budget(_))));
    assert_eq!(database.query("SELECT 1", small).rows.unwrap().rows, [[SqlValue::Integer(1)]]);
}

#[test]
fn the_same_query_takes_the_same_steps() {
    let (_directory, mut database) = database(SHOP);
    let sql = "SELECT name FROM item ORDER BY price";
    let first = database.query(sql, Budget { vm_steps: 900, ..Budget::default() }).vm_steps;
    assert!(first > 10);
    assert_eq!(database.query(sql, Budget { vm_steps: 900, ..Budget::default() }).vm_steps, first);
}

#[test]
fn a_script_stays_in_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.sqlite");
    for (script, finding) in [
        ("CREATE TABLE t (a); ATTACH '/tmp/o.sqlite' AS o;", "a script cannot attach databases"),
        ("VACUUM INTO '/tmp/o.sqlite'", "a script cannot attach databases"),
        ("PRAGMA journal_mode = wal", "PRAGMA journal_mode is not allowed"),
        ("CREATE VIRTUAL TABLE t USING fts5(a)", "virtual tables (`fts5`) are not allowed"),
        ("CREATE TABLE t (a DEFAULT (random()))", "the function random is not allowed"),
        ("CREATE TABLE t (", "incomplete input"),
        ("BEGIN; CREATE TABLE t (a);", "it leaves a transaction open"),
    ] {
        let error = build_database(script, &path).expect_err(script).to_string();
        assert!(error.contains(finding) && error.contains("x.sqlite"), "{script}: {error}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{script} left a file behind");
    }
}

#[test]
fn a_script_is_limited_in_steps_and_size() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.sqlite");
    let limits = SqlLimits { script_vm_steps: 200_000, database_bytes: 64 << 10, ..SqlLimits::default() };
    let rows = |n: u32| {
        format!(
            "CREATE TABLE t (a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {n})
             INSERT INTO t SELECT printf('%100d', i) FROM n;"
        )
    };
    let slow = build_within(&rows(10_000_000), &path, &SqlLimits { database_bytes: 1 << 30, ..limits });
    assert!(slow.unwrap_err().to_string().contains("more than 200000 steps"));
    let large = build_within(&rows(5_000), &path, &limits);
    assert!(large.unwrap_err().to_string().contains("more than 65536 bytes"));
    build_within(&rows(100), &path, &limits).unwrap();
}

#[test]
fn a_file_that_is_no_database_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    std::io::Write::write_all(&mut tempfile::NamedTempFile::new_in(&directory).unwrap(), b"").unwrap();
    let mut file = tempfile::NamedTempFile::new_in(&directory).unwrap();
    std::io::Write::write_all(&mut file, &[b'x'; 5_000]).unwrap();
    file.persist(&path).unwrap();
    let error = ReadOnly::open(&path, &SqlLimits::default()).err().unwrap().to_string();
    assert!(error.contains("not a database") && error.contains("notes.txt"), "{error}");
    assert!(ReadOnly::open(&directory.path().join("none.sqlite"), &SqlLimits::default()).is_err());
}

#[test]
fn native_code_reads_granted_databases_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.sqlite");
    build_database(SHOP, &path).unwrap();
    let databases = NativeDatabases::new([("shop".to_owned(), path)].into());
    let rows = databases.open("shop").unwrap().query("SELECT count(*) FROM item", Budget::default()).unwrap();
    assert_eq!(rows.rows, [[SqlValue::Integer(3)]]);
    assert!(matches!(databases.open("other"), Err(SqlError::Denied(_))));
}
