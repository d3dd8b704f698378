use std::collections::{BTreeMap, BTreeSet};

use luthier_plugin::json::json;
use luthier_plugin::{Batch, Context, Error, Template};

use crate::TextToSql;
use crate::deal::normal;
use crate::testing::{Granted, Sqlite, open_shop};

/// Column as texts.
fn texts(batch: &Batch, name: &str) -> Vec<String> {
    let column = batch.utf8(name).unwrap();
    (0..batch.rows).map(|row| column.text(row).to_owned()).collect()
}

/// (split, part) → rows.
fn counts(batch: &Batch) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for key in texts(batch, "split").into_iter().zip(texts(batch, "part")) {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

#[test]
fn the_shop_has_all_parts_in_the_sizes_that_an_evaluation_needs() {
    let rows = open_shop(1).generate(2000).unwrap();
    assert_eq!(rows.rows, 2000);
    let counts = counts(&rows);
    let n = |split: &str, part: &str| counts.get(&(split.to_owned(), part.to_owned())).copied().unwrap_or(0);
    assert!(n("train", "seen-skeleton") >= 1200, "{counts:?}");
    assert!(n("test", "seen-skeleton") >= 250, "{counts:?}");
    assert!(n("test", "unseen-skeleton") >= 250, "{counts:?}");
    assert!(n("test", "hand-written") >= 60, "{counts:?}");
    assert_eq!(counts.len(), 4, "{counts:?}");
}

#[test]
fn no_test_question_and_no_held_out_shape_occurs_in_training() {
    let rows = open_shop(3).generate(2000).unwrap();
    let (questions, skeletons) = (texts(&rows, "question"), texts(&rows, "skeleton"));
    let (splits, parts) = (texts(&rows, "split"), texts(&rows, "part"));
    let trained: Vec<usize> = (0..rows.rows).filter(|row| splits[*row] == "train").collect();
    let train_questions: BTreeSet<String> = trained.iter().map(|row| normal(&questions[*row])).collect();
    let train_skeletons: BTreeSet<&String> = trained.iter().map(|row| &skeletons[*row]).collect();
    assert_eq!(train_questions.len(), trained.len(), "a training question occurs twice");
    for row in (0..rows.rows).filter(|row| splits[*row] == "test") {
        assert!(!train_questions.contains(&normal(&questions[row])), "{}", questions[row]);
        match parts[row].as_str() {
            "seen-skeleton" => assert!(train_skeletons.contains(&skeletons[row]), "{}", skeletons[row]),
            "unseen-skeleton" => assert!(!train_skeletons.contains(&skeletons[row]), "{}", skeletons[row]),
            _ => {}
        }
    }
}

#[test]
fn what_is_held_out_is_a_composition_of_what_is_taught() {
    let rows = open_shop(3).generate(2000).unwrap();
    let (skeletons, parts, splits) = (texts(&rows, "skeleton"), texts(&rows, "part"), texts(&rows, "split"));
    let words = |wanted: &dyn Fn(usize) -> bool| -> BTreeSet<String> {
        (0..rows.rows)
            .filter(|row| wanted(*row))
            .flat_map(|row| skeletons[row].split(' ').map(str::to_owned).collect::<Vec<_>>())
            .collect()
    };
    let taught = words(&|row| splits[row] == "train");
    let held_out = words(&|row| parts[row] == "unseen-skeleton");
    assert!(held_out.is_subset(&taught), "{:?}", held_out.difference(&taught).collect::<Vec<_>>());
}

#[test]
fn every_row_executes_and_few_return_nothing() {
    let mut shop = open_shop(5);
    let rows = shop.generate(1500).unwrap();
    assert!(shop.validate(&rows).unwrap().iter().all(|verdict| verdict.keep));
    let database = Sqlite::script(crate::shop::SCRIPT);
    let empty = texts(&rows, "sql").iter().filter(|sql| database.rows(sql).unwrap().is_empty()).count();
    assert!(empty * 20 <= rows.rows, "{empty} of {} return no row", rows.rows);
}

#[test]
fn rows_depend_on_the_seed_alone() {
    let whole = open_shop(9).generate(300).unwrap();
    assert_eq!(whole, open_shop(9).generate(300).unwrap());
    assert_ne!(whole, open_shop(10).generate(300).unwrap());
    let mut parts = open_shop(9);
    let (first, second) = (parts.generate(120).unwrap(), parts.generate(180).unwrap());
    let joined: Vec<String> = texts(&first, "question").into_iter().chain(texts(&second, "question")).collect();
    assert_eq!(joined, texts(&whole, "question"));
}

#[test]
fn a_statement_that_fails_is_rejected_with_its_reason() {
    let batch = Batch::new(2)
        .with_texts("question", ["How many?", " "])
        .with_texts("sql", ["SELECT nope FROM cst", "SELECT 1"]);
    let verdicts = open_shop(1).validate(&batch).unwrap();
    assert_eq!((verdicts[0].keep, verdicts[0].code.as_str()), (false, "sql-error"));
    assert_eq!((verdicts[1].keep, verdicts[1].code.as_str()), (false, "empty-question"));
}

#[test]
fn prompts_hold_the_schema_the_shots_and_the_question() {
    let mut shop = open_shop(1);
    let rows = Batch::new(1).with_texts("question", ["Count the bows."]);
    let shots = Batch::new(1)
        .with_texts("question", ["Count the violins."])
        .with_texts("sql", ["SELECT COUNT(*) FROM prd WHERE fam = 'VN'"]);
    let plain = shop.prompt(&rows, &Batch::new(0)).unwrap();
    assert_eq!(plain[0].len(), 1);
    assert_eq!(plain[0][0].content, format!("{}\nCount the bows.", shop.schema_text()));
    let with_shots = shop.prompt(&rows, &shots).unwrap();
    assert_eq!(
        with_shots[0].iter().map(|message| message.role.as_str()).collect::<Vec<_>>(),
        ["user", "assistant", "user"]
    );
    assert_eq!(with_shots[0][2].content, "Count the bows.");
}

#[test]
fn any_database_can_be_asked() {
    let script = "CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT, country TEXT, population INT);
        INSERT INTO city VALUES (1, 'Oslo', 'Norway', 700000), (2, 'Lima', 'Peru', 10000000), (3, 'Bergen', 'Norway', 280000);";
    let granted = Granted("mine".to_owned(), Sqlite::script(script));
    let config = json!({"database": "mine", "glossary": {"filters": [{"table": "city", "before": "big", "predicate": "{population} >= 1000000"}]}});
    let mut opened = TextToSql::open(config, Context::with_seed(1), Box::new(granted)).unwrap();
    let rows = opened.generate(120).unwrap();
    assert!(rows.rows >= 60, "{} rows", rows.rows);
    assert!(texts(&rows, "question").iter().any(|question| question.contains("big cit")));
    assert!(texts(&rows, "database").iter().all(|name| name == "mine"));
    assert!(texts(&rows, "part").iter().all(|part| part != "hand-written"));
}

#[test]
fn a_wrong_configuration_is_pointed_at() {
    let open = |config| {
        TextToSql::open(
            config,
            Context::with_seed(1),
            Box::new(Granted("shop".to_owned(), Sqlite::script(crate::shop::SCRIPT))),
        )
        .err()
    };
    let pointer = |config| match open(config) {
        Some(Error::InvalidConfig(issues)) => issues[0].pointer.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(pointer(json!({"databse": "shop"})), "/databse");
    assert_eq!(pointer(json!({"database": 7})), "/database");
    assert_eq!(pointer(json!({"database": "other"})), "/database");
    assert_eq!(
        pointer(json!({"glossary": {"columns": [{"table": "cst", "column": "nm", "role": "nonsense"}]}})),
        "/glossary/columns/0/role"
    );
    assert_eq!(
        pointer(json!({"glossary": {"filters": [{"table": "cst", "predicate": "{nm} = 'x'"}]}})),
        "/glossary/filters/0/predicate"
    );
}

#[test]
fn completions_become_statements() {
    let answers = open_shop(1).extract(&["SELECT 1;".to_owned(), String::new()]).unwrap();
    assert_eq!(answers[0], luthier_plugin::Answer::Found("SELECT 1".to_owned()));
    assert!(matches!(answers[1], luthier_plugin::Answer::Missing(_)));
}
