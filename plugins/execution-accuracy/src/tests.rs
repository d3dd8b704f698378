use super::*;
use luthier_plugin::{NoDatabases, SqlValue};

/// A "database" that knows a few queries.
fn query(sql: &str, budget: Budget) -> Result<Rows, SqlError> {
    let numbers = |numbers: &[i64]| Rows {
        columns: vec!["n".to_owned()],
        rows: numbers.iter().map(|n| vec![SqlValue::Integer(*n)]).collect(),
    };
    assert!(budget.vm_steps > 0);
    match sql {
        "up" | "up ORDER BY 1" => Ok(numbers(&[1, 2, 3])),
        "down" => Ok(numbers(&[3, 2, 1])),
        "slow" => Err(SqlError::Budget("10 steps".to_owned())),
        _ => Err(SqlError::Syntax(format!("near `{sql}`"))),
    }
}

fn score(prediction: &str, reference: &str, database: &str) -> RowScore {
    let databases = |name: &str| -> Result<Box<dyn SqlDatabase>, SqlError> {
        if name == "db" { Ok(Box::new(query)) } else { NoDatabases.open(name) }
    };
    let mut metric = ExecutionAccuracy::open(json!({}), Context::with_seed(0), Box::new(databases)).unwrap();
    metric.score_row(prediction, reference, database)
}

#[test]
fn the_references_order_by_decides_whether_order_counts() {
    assert_eq!(score("down", "up", "db"), RowScore::Score(1.0));
    assert_eq!(score("down", "up ORDER BY 1", "db"), RowScore::Score(0.0));
    assert_eq!(score("up", "up ORDER BY 1", "db"), RowScore::Score(1.0));
}

#[test]
fn a_prediction_that_fails_is_wrong() {
    for prediction in ["", " \n", "nonsense", "slow"] {
        assert_eq!(score(prediction, "up", "db"), RowScore::Score(0.0), "{prediction:?}");
    }
}

#[test]
fn a_reference_that_fails_is_no_score() {
    let codes: Vec<_> = [("nonsense", "nonsense", "db"), ("slow", "slow", "db"), ("up", "up", "other")]
        .map(|(prediction, reference, database)| match score(prediction, reference, database) {
            RowScore::Error(code) => code.split(':').next().unwrap_or_default().to_owned(),
            score @ RowScore::Score(_) => format!("{score:?}"),
        })
        .into();
    assert_eq!(codes, ["gold-error", "gold-budget", "database"]);
}

#[test]
fn a_batch_keeps_its_rows() {
    let mut metric = ExecutionAccuracy::open(
        Value::Null,
        Context::with_seed(0),
        Box::new(|_: &str| -> Result<Box<dyn SqlDatabase>, SqlError> { Ok(Box::new(query)) }),
    )
    .unwrap();
    let rows = Batch::new(2)
        .with_texts("prediction", ["up", "up"])
        .with_texts("reference", ["down", "bad"])
        .with_texts("database", ["db", "db"]);
    let scores = metric.score(&rows).unwrap();
    assert_eq!(scores.float64("score").unwrap().get(0), Some(1.0));
    assert_eq!(scores.float64("score").unwrap().get(1), None);
    assert!(scores.utf8("error").unwrap().text(1).starts_with("gold-error: "));
}

#[test]
fn wrong_options_are_refused() {
    assert!(vm_steps(&json!({ "vm_steps": 0 })).is_err());
    assert!(vm_steps(&json!({ "steps": 5 })).is_err());
    assert_eq!(vm_steps(&json!({ "vm_steps": 5 })), Ok(5));
}
