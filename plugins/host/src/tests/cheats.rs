//! Cheats and faults that pass the field's scorers of SQL, one test each; those of programs are in `exec/tests.rs`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use luthier_eval::RowScore;
use serde_json::json;

use super::support::{builtin_metric, shop, table};

/// Scores of predictions, each with its reference.
fn scores(databases: &BTreeMap<String, PathBuf>, pairs: &[(&str, &str)]) -> Vec<RowScore> {
    let rows = table(&[
        ("prediction", &pairs.iter().map(|pair| pair.0).collect::<Vec<_>>()),
        ("reference", &pairs.iter().map(|pair| pair.1).collect::<Vec<_>>()),
        ("database", &vec!["db"; pairs.len()]),
    ]);
    builtin_metric("execution-accuracy", &json!({}), databases).score_rows(&rows).unwrap()
}

const WRONG: RowScore = RowScore::Score(0.0);
const RIGHT: RowScore = RowScore::Score(1.0);

/// Other scorers open the database for writing: the first prediction that drops a table makes all others wrong.
#[test]
fn a_prediction_that_writes_is_wrong_and_changes_nothing() {
    let (_directory, databases) = shop();
    let path = databases.values().next().unwrap();
    let before = std::fs::read(path).unwrap();
    let all = "SELECT * FROM item";
    for writing in [
        "DROP TABLE item",
        "DELETE FROM item",
        "SELECT 1; DROP TABLE item",
        "UPDATE item SET price = 0",
        "ATTACH DATABASE 'x' AS y",
        "PRAGMA writable_schema = 1",
        "WITH x AS (SELECT 1) DELETE FROM item",
    ] {
        assert_eq!(scores(&databases, &[(writing, all), (all, all)]), [WRONG, RIGHT], "{writing}");
    }
    assert_eq!(std::fs::read(path).unwrap(), before, "the file is what it was");
}

/// Elsewhere a timeout without effect returns after seconds as a result, or a timeout on both sides counts as equal.
#[test]
fn a_query_without_end_ends_and_is_never_right() {
    let (_directory, databases) = shop();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    assert_eq!(
        scores(&databases, &[(endless, "SELECT 1"), (endless, endless), ("SELECT 1", "SELECT 1")]),
        [WRONG, RowScore::Error("gold-budget".to_owned()), RIGHT]
    );
}

/// Comparing sets of rows loses order and duplicates.
#[test]
fn order_and_duplicates_count() {
    let (_directory, databases) = shop();
    let ordered = "SELECT name FROM item ORDER BY price";
    let doubled = "SELECT 1 UNION ALL SELECT 1 UNION ALL SELECT 2";
    assert_eq!(
        scores(
            &databases,
            &[
                ("SELECT name FROM item ORDER BY price DESC", ordered),
                ("SELECT name FROM item ORDER BY price DESC", "SELECT name FROM item"),
                ("SELECT 1 UNION ALL SELECT 2", doubled),
                ("SELECT 2 UNION ALL SELECT 1 UNION ALL SELECT 1", doubled),
                ("SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 2", doubled),
            ]
        ),
        [WRONG, RIGHT, WRONG, RIGHT, WRONG]
    );
}

/// Where an error leaves an empty list, it equals the result of a reference that returns nothing.
#[test]
fn an_error_is_not_an_empty_result() {
    let (_directory, databases) = shop();
    let nothing = "SELECT name FROM item WHERE id = 99";
    assert_eq!(
        scores(
            &databases,
            &[("SELECT nonsense FROM item", nothing), ("", nothing), ("SELECT name FROM item WHERE id > 99", nothing)]
        ),
        [WRONG, WRONG, RIGHT]
    );
}

/// A reference that does not run says nothing about any prediction.
#[test]
fn a_wrong_reference_is_no_score() {
    let (_directory, databases) = shop();
    let invalid = RowScore::Error("gold-error".to_owned());
    assert_eq!(
        scores(
            &databases,
            &[("SELECT 1", "SELECT wrong FROM item"), ("SELECT wrong FROM item", "SELECT wrong FROM item")]
        ),
        [invalid.clone(), invalid]
    );
}

/// On empty tables most wrong queries look right. Numbers that come of nothing are still told apart.
#[test]
fn an_empty_table_does_not_make_every_aggregate_equal() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("empty.sqlite");
    crate::build_database("CREATE TABLE item (id INTEGER, price REAL)", &path).unwrap();
    let databases = [("db".to_owned(), path)].into();
    assert_eq!(
        scores(
            &databases,
            &[
                ("SELECT count(*) FROM item", "SELECT sum(price) FROM item"),
                ("SELECT total(price) FROM item", "SELECT sum(price) FROM item")
            ]
        ),
        [WRONG, WRONG]
    );
}
