use std::collections::BTreeMap;

use luthier_eval::{Aggregation, Metric, RowScore};
use serde_json::json;

use super::support::{builtin_metric, builtin_plugin, host, shop, table};
use crate::{Context, Error, builtins, golden};

#[test]
fn every_builtin_describes_itself_and_asks_for_no_more_than_sql() {
    for (id, bytes) in builtins() {
        let plugin = builtin_plugin(id);
        assert_eq!(plugin.id(), *id);
        assert!(!plugin.summary().is_empty() && plugin.config_schema().is_object());
        let names =
            ["data", "log", "sql"].into_iter().chain(matches!(*id, "pass-at-k" | "code-generation").then_some("exec"));
        let allowed: Vec<String> = names.map(|name| format!("luthier:plugin/{name}@0.1.0")).collect();
        for import in &plugin.audit().imports {
            assert!(allowed.contains(import), "{id} imports {import}");
        }
        assert!(bytes.len() < 1 << 20, "{id} has {} bytes", bytes.len());
    }
}

#[test]
fn every_builtin_keeps_its_golden_cases() {
    let mut n_cases = 0;
    for (id, bytes) in builtins() {
        let package = host().package(bytes).unwrap();
        n_cases +=
            golden::replay(&builtin_plugin(id), &package.golden).unwrap_or_else(|error| panic!("{id}: {error}")).cases;
    }
    assert!(n_cases >= 30, "{n_cases}");
}

#[test]
fn exact_match_scores_rows() {
    let mut metric = builtin_metric("exact-match", &json!({ "ignore_case": true }), &BTreeMap::new());
    let descriptor = &metric.descriptors()[0];
    assert_eq!(descriptor.aggregation, Aggregation::Proportion);
    let inputs: Vec<_> = descriptor.inputs.iter().map(|input| input.name.as_str()).collect();
    assert_eq!(inputs, ["prediction", "reference"]);
    assert!(descriptor.digest.starts_with("sha256:"));
    let rows = table(&[
        ("reference", &["Paris", "Rome", "x"]),
        ("unused", &["", "", ""]),
        ("prediction", &[" paris ", "Milan", "x"]),
    ]);
    let scores = Metric::score(&mut metric, &rows).unwrap();
    assert_eq!(scores, [[1.0, 0.0, 1.0].map(RowScore::Score).to_vec()]);
}

#[test]
fn a_wrong_option_is_refused_before_any_row() {
    for (id, config, pointer) in [
        ("exact-match", json!({ "ignore_cases": true }), "/ignore_cases"),
        ("execution-accuracy", json!({ "vm_steps": "many" }), "/vm_steps"),
    ] {
        let plugin = builtin_plugin(id);
        let error = plugin.open_metric(&config, Context::default(), &BTreeMap::new()).err().unwrap();
        let Error::InvalidConfig { issues, .. } = error else { panic!("{error}") };
        assert_eq!(issues[0].pointer, pointer);
    }
}

#[test]
fn execution_accuracy_runs_both_queries() {
    let (_directory, databases) = shop();
    let mut metric = builtin_metric("execution-accuracy", &json!({}), &databases);
    let cases = [
        ("SELECT name FROM item WHERE price > 3", "SELECT i.name FROM item AS i WHERE NOT i.price <= 3", Some(1.0)),
        ("SELECT name FROM item", "SELECT name FROM item ORDER BY price DESC", Some(0.0)),
        ("SELECT name FROM item ORDER BY price DESC;", "SELECT name FROM item ORDER BY price DESC", Some(1.0)),
        ("SELECT sum(price) FROM item", "SELECT 12.75", Some(1.0)),
        ("SELECT count(*) FROM item", "SELECT 3.0", Some(1.0)),
        ("SELECT 1 UNION ALL SELECT 1", "SELECT 1", Some(0.0)),
        ("SELECT id, x'01', NULL, 1.5, 'a' FROM item WHERE id = 1", "SELECT 1, x'01', NULL, 1.5, 'a'", Some(1.0)),
        ("DELETE FROM item", "SELECT count(*) FROM item", Some(0.0)),
        ("", "SELECT 1", Some(0.0)),
        ("SELECT 1", "SELECT nonsense", None),
    ];
    let rows = table(&[
        ("prediction", &cases.map(|(prediction, ..)| prediction)),
        ("reference", &cases.map(|(_, reference, _)| reference)),
        ("database", &cases.map(|_| "db")),
    ]);
    let expected =
        cases.map(|(.., score)| score.map_or_else(|| RowScore::Error("gold-error".to_owned()), RowScore::Score));
    assert_eq!(metric.score_rows(&rows).unwrap(), expected);
}

#[test]
fn mixed_columns_cross_the_boundary() {
    let (_directory, databases) = shop();
    let mut metric = builtin_metric("execution-accuracy", &json!({}), &databases);
    let mixed = "VALUES (1), (1.0), ('1'), (x'31'), (NULL), (1e999), (-9223372036854775808), ('\"\\ü')";
    let permuted = "VALUES ('\"\\ü'), (1.0), (x'31'), ('1'), (1e999), (-9223372036854775808), (NULL), (1)";
    let other = permuted.replace("x'31'", "x'32'");
    let rows =
        table(&[("prediction", &[permuted, &other]), ("reference", &[mixed, mixed]), ("database", &["db", "db"])]);
    assert_eq!(metric.score_rows(&rows).unwrap(), [1.0, 0.0].map(RowScore::Score));
}

#[test]
fn a_gold_query_over_budget_is_no_score_and_a_predicted_one_is_wrong() {
    let (_directory, databases) = shop();
    let mut metric = builtin_metric("execution-accuracy", &json!({ "vm_steps": 50_000 }), &databases);
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let rows = table(&[
        ("prediction", &[endless, endless, "SELECT 1"]),
        ("reference", &[endless, "SELECT 1", "SELECT 1"]),
        ("database", &["db", "db", "missing"]),
    ]);
    assert_eq!(
        metric.score_rows(&rows).unwrap(),
        [RowScore::Error("gold-budget".to_owned()), RowScore::Score(0.0), RowScore::Error("database".to_owned())]
    );
}

#[test]
fn scores_depend_neither_on_order_nor_on_batches() {
    let (_directory, databases) = shop();
    let queries: Vec<String> = (0..600).map(|i| format!("SELECT name FROM item WHERE id > {}", i % 5)).collect();
    let gold: Vec<String> = (0..600).map(|i| format!("SELECT name FROM item WHERE id > {}", i % 3)).collect();
    let texts = |texts: &[String]| texts.iter().map(String::as_str).map(str::to_owned).collect::<Vec<_>>();
    let make = |queries: Vec<String>, gold: Vec<String>| {
        let (queries, gold): (Vec<&str>, Vec<&str>) =
            (queries.iter().map(String::as_str).collect(), gold.iter().map(String::as_str).collect());
        table(&[("prediction", &queries), ("reference", &gold), ("database", &vec!["db"; queries.len()])])
    };
    let rows = make(texts(&queries), texts(&gold));
    let whole = builtin_metric("execution-accuracy", &json!({}), &databases).score_rows(&rows).unwrap();
    let mut metric = builtin_metric("execution-accuracy", &json!({}), &databases);
    let mut parts = Vec::new();
    for start in (0..600).step_by(7) {
        parts.extend(metric.score_rows(&rows.slice(start, 7.min(600 - start))).unwrap());
    }
    assert_eq!(whole, parts);
    let reversed = make(queries.iter().rev().cloned().collect(), gold.iter().rev().cloned().collect());
    let mut backward = metric.score_rows(&reversed).unwrap();
    backward.reverse();
    assert_eq!(whole, backward);
}

#[test]
fn a_metric_is_no_template() {
    let plugin = builtin_plugin("exact-match");
    let error = plugin.open_template(&json!({}), Context::default(), &BTreeMap::new()).err().unwrap();
    assert_eq!(error.to_string(), "plugin `exact-match` is a metric, expected a template");
}

#[test]
fn a_missing_column_is_named() {
    let mut metric = builtin_metric("exact-match", &json!({}), &BTreeMap::new());
    let error = metric.score_rows(&table(&[("prediction", &["a"])])).unwrap_err();
    assert_eq!(error.to_string(), "plugin `exact-match` reads the column `reference`; there are prediction");
}

#[test]
fn the_same_calls_take_the_same_fuel() {
    let (_directory, databases) = shop();
    let rows = table(&[
        ("prediction", &["SELECT name FROM item", "SELECT price FROM item WHERE id = 2"]),
        ("reference", &["SELECT name FROM item", "SELECT 7.25"]),
        ("database", &["db", "db"]),
    ]);
    let fuel = || {
        let mut metric = builtin_metric("execution-accuracy", &json!({}), &databases);
        metric.score_rows(&rows).unwrap();
        metric.fuel_used()
    };
    let first = fuel();
    assert!(first > 1_000);
    assert_eq!(fuel(), first);
}
