//! The table of `docs/architectures.md`: fields, mutations, how far each misses.

use super::mutations::{LEAST_MISS, apply, is_idle, is_inert, mutations, pointer};
use super::*;
use serde_json::Value;

/// What became of a mutated configuration.
enum Outcome {
    /// It was refused, or no longer fits the weights.
    Refused,
    /// Largest difference of a logit over the tolerance.
    Missed(f64),
}

fn outcome(fixture: &Fixture, config: &Value) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(&fixture.dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    crate::io::write_atomic(&dir.path().join("config.json"), config.to_string().as_bytes()).unwrap();
    let model = match Model::load(dir.path()) {
        Err(_) => return Outcome::Refused,
        Ok(model) => model,
    };
    let mut worst = 0f64;
    for (key, ids) in [("logits", &fixture.expected.input_ids[..]), ("short.logits", &fixture.expected.input_ids[..12])]
    {
        match logits(&model, ids) {
            Err(_) => return Outcome::Refused,
            Ok(found) => worst = worst.max(relative_difference(&found, &fixture.tensors[key])),
        }
    }
    Outcome::Missed(worst / LOGIT_TOLERANCE)
}

/// The fields of an object, dots leading into objects.
fn fields(config: &Value, prefix: &str, list: &mut Vec<String>) {
    for (key, value) in config.as_object().unwrap() {
        match value {
            Value::Object(_) => fields(value, &format!("{prefix}{key}."), list),
            _ => list.push(format!("{prefix}{key}")),
        }
    }
}

#[test]
fn every_field_is_caught_when_it_is_wrong() {
    let page = page();
    let committed = std::fs::read_to_string(page_path()).unwrap_or_default();
    // The last column is a measurement.
    let fields = |page: &str| -> Vec<String> {
        let rows = page.lines().filter(|line| line.contains('→'));
        rows.map(|line| line.trim_end_matches(" |").rsplit_once('|').map_or("", |row| row.0).to_owned()).collect()
    };
    let (old, new) = (fields(&committed), fields(&page));
    let differing =
        new.iter().zip(old.iter().map(Some).chain(std::iter::repeat(None))).find(|(new, old)| Some(*new) != *old);
    assert!(
        differing.is_none() && old.len() == new.len(),
        "docs/architectures.md is not of this code: {WRITE}\n{differing:?}"
    );
}

#[test]
#[ignore = "writes docs/architectures.md"]
fn write_the_page() {
    crate::io::write_atomic(&page_path(), page().as_bytes()).unwrap();
}

fn page_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/architectures.md")
}

/// Measures everything; a field that is not caught is a failure.
fn page() -> String {
    let mut table = String::new();
    let mut faults = Vec::new();
    for name in ALL {
        let fixture = fixture(name);
        let text = std::fs::read_to_string(fixture.dir.join("config.json")).unwrap();
        let config: Value = serde_json::from_str(&text).unwrap();
        let mutations = mutations(&config);
        let mut all = Vec::new();
        fields(&config, "", &mut all);
        for field in all {
            let is_mutated = mutations.iter().any(|mutation| mutation.field == field);
            if !is_mutated && !is_inert(&field) && !is_idle(&config, &field) {
                faults.push(format!("{name}: {field} has no mutation and no reason"));
            }
        }
        for mutation in &mutations {
            let mutated = apply(&config, mutation);
            let pointer = pointer(mutation.field);
            let change = format!("{} → {}", config.pointer(&pointer).unwrap(), mutated.pointer(&pointer).unwrap());
            let caught = match outcome(&fixture, &mutated) {
                Outcome::Refused => "refused".to_owned(),
                Outcome::Missed(factor) => {
                    if factor < LEAST_MISS {
                        faults.push(format!("{name}: {} {change} misses by {factor:.1} tolerances", mutation.field));
                    }
                    format!("{:.0} ×", factor.min(1e9))
                }
            };
            table.push_str(&format!("| {name} | `{}` | {} | {caught} |\n", mutation.field, change.replace('|', "\\|")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let agreement: String = ALL
        .map(|name| {
            let Measured { logits, worst_gradient } = check(name);
            format!("| {name} | {logits:.1e} | {worst_gradient:.1e} | equal |\n")
        })
        .concat();
    format!(
        "{HEAD}\n| fixture | logits: largest difference / largest logit | gradients: worst difference / norm | greedy text |\n\
         |---|---|---|---|\n{agreement}\n{MUTATIONS}\n| fixture | field | change | caught |\n|---|---|---|---|\n{table}"
    )
}

const WRITE: &str = "cargo test -p luthier-model write_the_page -- --ignored";

const HEAD: &str = "# Architectures

Generated by `cargo test -p luthier-model write_the_page -- --ignored`; the numbers are of the machine that ran it. The
references are made by `tests/oracles/architectures.py` with transformers in float32.

Tolerances of the test: 1e-5 for logits, 1e-4 for gradients, equality for greedy text.
";

const MUTATIONS: &str = "## What a wrong configuration does

Each field of each fixture's config.json is changed, alone; the weights stay. *refused*: an error names the field, or the
weights no longer fit. *n ×*: the logits miss the reference by n tolerances; the test asks for at least 20. Fields that no
number depends on are listed with reasons in `core/model/src/architecture_tests/mutations.rs`.
";
