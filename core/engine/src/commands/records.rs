//! `runs show A` and `runs diff A B`: what runs were made of, and what came of them.

use std::collections::BTreeSet;

use luthier_protocol::Response;
use luthier_protocol::response::{Difference, RunDetails, RunDiff};

use super::runs::find;
use crate::Error;
use crate::error::AtExt;
use crate::service::Context;
use crate::training::metrics;
use crate::training::record::{TrainingRecord, flatten};

/// Everything on record of one run.
pub(crate) fn show(context: Context<'_>, run: &str) -> Result<Response, Error> {
    let current = find(context, run)?;
    let dir = context.project.run_dir(run);
    let record = TrainingRecord::read(&dir).at("/run")?;
    let table = dir.join(metrics::FILE_NAME);
    Ok(Response::RunRecord(RunDetails {
        run: record.run,
        name: record.name,
        // The record of an engine that was killed still says `running`.
        status: current.status.name().to_owned(),
        started: record.started,
        inputs: flatten(&record.inputs),
        environment: flatten(&record.environment),
        outcome: flatten(&record.outcome),
        warnings: record.warnings,
        metrics: table.exists().then(|| table.display().to_string()),
    }))
}

/// What differs between two runs, and their outcomes side by side.
pub(crate) fn diff(context: Context<'_>, run: &str, against: &str) -> Result<Response, Error> {
    let read = |run: &str, pointer| -> Result<TrainingRecord, Error> {
        find(context, run).map_err(Error::anywhere).at(pointer)?;
        TrainingRecord::read(&context.project.run_dir(run)).at(pointer)
    };
    let (ours, theirs) = (read(run, "/run")?, read(against, "/against")?);
    let inputs = side_by_side(&flatten(&ours.inputs), &flatten(&theirs.inputs));
    let n_all = inputs.len();
    let differs = |difference: &Difference| difference.run != difference.against;
    let inputs: Vec<Difference> = inputs.into_iter().filter(differs).collect();
    let environment = side_by_side(&flatten(&ours.environment), &flatten(&theirs.environment));
    Ok(Response::RunDiff(RunDiff {
        run: run.to_owned(),
        against: against.to_owned(),
        n_equal: n_all - inputs.len(),
        inputs,
        environment: environment.into_iter().filter(differs).collect(),
        outcome: side_by_side(&flatten(&ours.outcome), &flatten(&theirs.outcome)),
    }))
}

/// Every key of either, in the order of the first and then of the second.
fn side_by_side(ours: &[(String, String)], theirs: &[(String, String)]) -> Vec<Difference> {
    let value = |of: &[(String, String)], key: &str| of.iter().find(|(k, _)| k == key).map(|(_, value)| value.clone());
    let known: BTreeSet<&String> = ours.iter().map(|(key, _)| key).collect();
    let keys = ours.iter().chain(theirs.iter().filter(|(key, _)| !known.contains(key))).map(|(key, _)| key);
    keys.map(|key| Difference { key: key.clone(), run: value(ours, key), against: value(theirs, key) }).collect()
}

#[cfg(test)]
mod tests;
