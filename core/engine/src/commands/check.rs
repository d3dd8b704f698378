//! `check training RECIPE`: the invariances of training, on the recipe's own model and data.

use std::path::Path;

use luthier_protocol::response::{CheckLine, TrainingCheck};
use luthier_protocol::spec::FinetuneSpec;
use luthier_protocol::{Event, Response};
use luthier_train::invariance::{Finding, N_STEPS, Subject};
use luthier_train::{ExampleSource, Labelled, Trainable};

use crate::Error;
use crate::error::AtExt;
use crate::service::Context;
use crate::training;

/// Units (rows, or pairs of a preference) that the short runs train on.
const N_UNITS: usize = 8;

/// A recipe's file is not larger.
const MAX_RECIPE_BYTES: u64 = 1 << 20;

pub(crate) fn training(
    context: Context<'_>,
    spec: Option<Box<FinetuneSpec>>,
    recipe: Option<&str>,
) -> Result<Response, Error> {
    let mut spec = match (spec, recipe) {
        (Some(spec), _) => *spec,
        (None, Some(path)) => read(context, path).at("/name")?,
        (None, None) => {
            return Err(Error::invalid("the recipe", "missing", "a recipe's file, or its keys")).at("/name");
        }
    };
    let since = context.engine.clock().stopwatch();
    // Masks are drawn by micro-batch: what is cut up differently would differ for them alone.
    spec.lora.dropout = 0.0;
    spec.train.eval_steps = 0;
    (spec.train.eval_split, spec.train.early_stopping_patience, spec.train.load_best) = (None, None, false);
    spec.name = Some("check".to_owned());
    spec.overwrite = true;
    let prepared = training::prepare(context, &spec, None)?;
    let n = N_UNITS * prepared.config.objective.examples_per_unit();
    let rows = Labelled {
        examples: prepared.built.examples.iter().take(n).cloned().collect(),
        desirable: (0..n.min(prepared.built.examples.len())).map(|row| prepared.built.is_desirable(row)).collect(),
    };
    let scratch = tempfile::tempdir().map_err(|source| Error::io("make", &std::env::temp_dir(), source))?;
    let make = || -> luthier_train::Result<Box<dyn Trainable>> { Ok(Box::new(training::trainable(&prepared)?)) };
    let subject = Subject {
        make: &make,
        source: &rows,
        config: &prepared.config,
        scratch: scratch.path(),
        cancel: context.cancel(),
    };
    let mut done = 0;
    let findings = subject.check(&mut |finding| {
        done += 1;
        let stage = format!("check {}", finding.name);
        context.call.event(Event::Progress { stage, done, total: None });
    });
    let checks: Vec<CheckLine> = findings.map_err(interrupted)?.into_iter().map(line).collect();
    Ok(Response::TrainingChecked(TrainingCheck {
        model: prepared.base.place.name.clone(),
        data: prepared.dataset.name.clone(),
        n_rows: rows.examples.len() as u64,
        n_steps: N_STEPS,
        passed: checks.iter().all(|check| check.passed),
        checks,
        seconds: since.seconds(),
    }))
}

fn interrupted(error: luthier_train::Error) -> Error {
    match error {
        luthier_train::Error::Model(luthier_model::Error::Interrupted) => {
            Error::Interrupted { saved: "a check changes nothing".to_owned(), advice: None }
        }
        other => other.into(),
    }
}

fn line(finding: Finding) -> CheckLine {
    CheckLine {
        passed: finding.passed(),
        name: finding.name.to_owned(),
        detail: finding.detail,
        // JSON has no infinity.
        measured: finding.measured.min(f64::MAX),
        tolerance: finding.tolerance,
        unit: finding.unit.to_owned(),
    }
}

/// A recipe's file, as `finetune` takes it.
fn read(context: Context<'_>, path: &str) -> Result<FinetuneSpec, Error> {
    let path = context.project.resolve(path);
    let text = crate::files::read_text(Path::new(&path), MAX_RECIPE_BYTES)?;
    let stored = |error: toml::de::Error| Error::Stored { path, expected: "a recipe", found: error.to_string() };
    toml::from_str(&text).map_err(stored)
}
