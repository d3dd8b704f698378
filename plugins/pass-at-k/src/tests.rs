use luthier_plugin::NoDatabases;
use luthier_plugin::exec::ExecOutcome;

use super::*;

/// Vectors of human-eval's estimator: tests/oracles/metrics.py.
const VECTORS: &str = include_str!("../../../tests/fixtures/metrics/pass-at-k.json");

/// Programs that are `good` pass; `loop` takes all fuel.
fn with_interpreter() {
    exec::set_runner(|_, program, _, budget| {
        let status = match program.trim_end() {
            "good" => ExecStatus::Passed,
            "loop" => ExecStatus::OutOfFuel,
            _ => ExecStatus::Failed,
        };
        Ok(ExecOutcome { status, stdout: String::new(), detail: String::new(), fuel_used: budget.fuel })
    });
}

fn score(config: Value, samples: &[(&str, &str, &str, &str)]) -> Batch {
    let mut metric = PassAtK::open(config, Context::with_seed(0), Box::new(NoDatabases)).unwrap();
    let rows = Batch::new(samples.len())
        .with_texts("prompt", samples.iter().map(|row| row.0))
        .with_texts("prediction", samples.iter().map(|row| row.1))
        .with_texts("reference", samples.iter().map(|row| row.2))
        .with_texts("tests", samples.iter().map(|row| row.3));
    metric.score(&rows).unwrap()
}

#[test]
fn estimates_are_those_of_human_eval() {
    let cases: Vec<[f64; 4]> = luthier_plugin::json::from_str(VECTORS).unwrap();
    assert!(cases.len() >= 40);
    for [n, n_passed, k, expected] in cases {
        let found = estimator::pass_at_k(n as u64, n_passed as u64, k as u64);
        assert!((found - expected).abs() < 1e-12, "n {n}, c {n_passed}, k {k}: {found}, expected {expected}");
    }
}

#[test]
fn the_samples_of_a_prompt_are_judged_together() {
    with_interpreter();
    let rows = [
        ("a", "good", "good", "t"),
        ("a", "bad", "good", "t"),
        ("b", "loop", "good", "t"),
        ("a", "bad", "good", "t"),
        ("b", "", "good", "t"),
        ("b", "good", "good", "t"),
    ];
    let batch = score(json!({ "k": 2 }), &rows);
    let column = batch.float64(OUTPUT).unwrap();
    let expected = 1.0 - (1.0 - 2.0 / 3.0);
    assert!((0..6).all(|row| (column.get(row).unwrap() - expected).abs() < 1e-12));
}

#[test]
fn what_cannot_be_judged_has_no_score() {
    with_interpreter();
    let reason =
        |config: Value, row: (&str, &str, &str, &str)| score(config, &[row]).utf8("error").unwrap().text(0).to_owned();
    assert_eq!(reason(json!({}), ("a", "good", "bad", "t")), "gold-fails");
    assert_eq!(reason(json!({}), ("a", "good", "good", " ")), "no-tests");
    assert!(reason(json!({ "k": 2 }), ("a", "good", "good", "t")).starts_with("too-few-samples"));
    exec::set_runner(|language, _, _, _| Err(ExecError::UnsupportedLanguage(language.to_owned())));
    assert_eq!(reason(json!({}), ("a", "good", "good", "t")), "no-interpreter: python");
}

#[test]
fn a_body_is_run_under_its_prompt_and_a_check_is_called() {
    exec::set_runner(|_, program, tests, budget| {
        let whole = program == "def f(x):\n    return x\n" && tests.ends_with("\n\ncheck(f)\n");
        let status = if whole { ExecStatus::Passed } else { ExecStatus::Failed };
        Ok(ExecOutcome { status, stdout: String::new(), detail: String::new(), fuel_used: budget.fuel })
    });
    let check = "def check(candidate):\n    assert candidate(1) == 1\n";
    let scored = |answer: &str| {
        let batch = score(json!({}), &[("def f(x):\n", answer, "    return x", check)]);
        batch.float64(OUTPUT).unwrap().get(0)
    };
    assert_eq!(scored("    return x"), Some(1.0));
    assert_eq!(scored("def f(x):\n    return x"), Some(1.0));
    assert_eq!(scored("    return 1"), Some(0.0));
}
