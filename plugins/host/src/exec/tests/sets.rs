//! Whole sets: every canonical solution passes, every mutated one fails, with the same fuel under any load.

use std::sync::atomic::{AtomicBool, Ordering};

use luthier_eval::RowScore;
use serde_json::{Value, json};

use super::RUNTIME;
use crate::bindings::exec::Status;
use crate::exec::Budget;
use crate::limits::Limits;
use crate::{Context, Host, HostConfig};

const SET: &str = include_str!("../../../../../tests/fixtures/plugins/human-eval-style.jsonl");
const BUDGET: Budget = Budget { fuel: 20_000_000_000, memory_bytes: 256 << 20, output_bytes: 1_000 };

/// Program, tests, and whether the program is right.
fn programs() -> Vec<(String, String, bool)> {
    let mut found = Vec::new();
    for line in SET.lines() {
        let task: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| task[key].as_str().unwrap().to_owned();
        let tests = format!("{}\ncheck({})\n", text("test"), text("entry_point"));
        for (key, right) in [("canonical_solution", true), ("wrong_solution", false)] {
            found.push((text("prompt") + &text(key), tests.clone(), right));
        }
    }
    found
}

fn fuel_of_all() -> Vec<u64> {
    let python = RUNTIME.python().unwrap().as_ref().unwrap();
    let judge = |(program, tests, right): (String, String, bool)| {
        let outcome = python.run(&Limits::default(), &program, &tests, BUDGET, None);
        let expected = if right { Status::Passed } else { Status::Failed };
        assert_eq!(outcome.status, expected, "{program}: {}", outcome.detail);
        outcome.fuel_used
    };
    programs().into_iter().map(judge).collect()
}

/// Fuel decides, and fuel does not know how busy the machine is.
#[test]
#[ignore = "needs luthier-python.wasm"]
fn verdicts_and_fuel_are_the_same_on_three_runs_under_load() {
    let quiet = fuel_of_all();
    assert_eq!(quiet.len(), 24);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::black_box((0..1000u64).sum::<u64>());
                }
            });
        }
        let busy = [fuel_of_all(), fuel_of_all()];
        stop.store(true, Ordering::Relaxed);
        assert_eq!(busy[0], quiet);
        assert_eq!(busy[1], quiet);
    });
}

/// Another function with the same signature, as the grammar's readers get it wrong.
fn mutated(solution: &str) -> String {
    let body = solution.rfind("\"\"\"").unwrap() + 3;
    let (head, body) = solution.split_at(body);
    let changed = [
        (" >= ", " > "),
        (" <= ", " < "),
        (" > ", " <= "),
        (" < ", " >= "),
        (" == 0", " == 1"),
        (" == 1", " == 0"),
        (" == ", " != "),
        (" != ", " == "),
        ("startswith", "endswith"),
        ("endswith", "startswith"),
        ("sorted(", "list("),
        ("max(", "min("),
        ("min(", "max("),
        ("any(", "all("),
        ("all(", "any("),
        (" + ", " - "),
        (" - ", " + "),
        ("2 * x", "x"),
        ("x * x", "x"),
        ("abs(x)", "x"),
        ("len(w)", "w"),
        ("\" in ", "\" not in "),
        ("[::-1]", ""),
        ("[0]", "[-1]"),
        (".upper()", ""),
        ("sum(", "max("),
        ("return ", "return 1 and not "),
    ]
    .into_iter()
    .find(|(from, _)| body.contains(from))
    .map(|(from, to)| body.replacen(from, to, 1));
    head.to_owned() + &changed.unwrap()
}

/// The template's rows, through both plugins as an evaluation calls them.
#[test]
#[ignore = "needs luthier-python.wasm"]
fn the_templates_solutions_pass_and_their_mutants_fail() {
    let target = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let host = Host::new(HostConfig {
        python: Some(target.join("luthier-python.wasm")),
        cache_dir: Some(target.join("plugin-test-cache")),
        ..HostConfig::default()
    })
    .unwrap();
    let load = |id: &str| host.load(crate::builtin(id).unwrap()).unwrap();
    let template = load("code-generation");
    let rows = template
        .open_template(&json!({}), Context::default(), &Default::default())
        .unwrap()
        .generate_rows(120)
        .unwrap();
    let texts = |name: &str| -> Vec<String> {
        let column = rows.column_by_name(name).unwrap();
        (0..rows.num_rows()).map(|row| luthier_data::cell_text(column, row)).collect()
    };
    let (prompts, solutions, tests) = (texts("prompt"), texts("solution"), texts("tests"));
    let mutants: Vec<String> = solutions.iter().map(|solution| mutated(solution)).collect();
    let score = |predictions: &[String]| {
        let columns =
            [("prompt", &prompts[..]), ("prediction", predictions), ("reference", &solutions), ("tests", &tests)];
        let column = |texts: &[String]| {
            std::sync::Arc::new(arrow_array::StringArray::from_iter_values(texts)) as arrow_array::ArrayRef
        };
        let batch =
            arrow_array::RecordBatch::try_from_iter(columns.map(|(name, texts)| (name, column(texts)))).unwrap();
        let metric = load("pass-at-k");
        metric.open_metric(&json!({}), Context::default(), &Default::default()).unwrap().score_rows(&batch).unwrap()
    };
    for (row, score) in score(&solutions).iter().enumerate() {
        assert_eq!(*score, RowScore::Score(1.0), "{}\n{}", solutions[row], tests[row]);
    }
    for (row, score) in score(&mutants).iter().enumerate() {
        assert_eq!(*score, RowScore::Score(0.0), "{}\n{}", mutants[row], tests[row]);
    }
}
