//! `%%finetune NAME` and `resume RUN`.

use luthier_protocol::Response;
use luthier_protocol::spec::FinetuneSpec;

use super::runs::{find, not_here};
use crate::Error;
use crate::service::Context;
use crate::store::{RunRecord, RunStatus};
use crate::training::{self, Prepared, Recipe};

pub(crate) fn finetune(context: Context<'_>, spec: FinetuneSpec) -> Result<Response, Error> {
    let prepared = training::prepare(context, &spec, None)?;
    let record = begin(context, &prepared)?;
    Ok(Response::Finetuned(training::train(context, &prepared, record, false)?))
}

/// A new run, on record with its recipe.
fn begin(context: Context<'_>, prepared: &Prepared) -> Result<RunRecord, Error> {
    let clock = context.engine.clock();
    let mut record = RunRecord {
        run: String::new(),
        name: prepared.name.clone(),
        status: RunStatus::Running,
        model: prepared.recipe.spec.model.clone(),
        data: prepared.dataset.name.clone(),
        global_step: 0,
        total_steps: 0,
        loss: None,
        started: clock.timestamp(),
        seconds: 0.0,
        message: None,
        recipe: serde_json::to_string(&prepared.recipe).unwrap_or_default(),
        result: None,
        owner: context.engine.owner().clone(),
        updated_ms: clock.unix_ms(),
    };
    record.run = context.project.store()?.add_run(&record)?;
    let dir = context.project.subdir("runs")?.join(&record.run);
    std::fs::create_dir_all(&dir).map_err(|source| Error::io("make", &dir, source))?;
    crate::files::write_json(&dir.join("recipe.json"), &prepared.recipe)?;
    Ok(record)
}

pub(crate) fn resume(context: Context<'_>, run: &str) -> Result<Response, Error> {
    let record = find(context, run)?;
    match record.status {
        RunStatus::Paused | RunStatus::Broken | RunStatus::Failed => {}
        RunStatus::Running => return Err(not_here(&record, &format!("`follow {run}` shows it"))),
        RunStatus::Finished => {
            return Err(not_here(&record, &format!("its adapter is {:?}; there is nothing to resume", record.name)));
        }
    }
    let recipe = Recipe::parse(run, &record.recipe)?;
    let prepared = training::prepare(context, &recipe.spec, Some((run, &recipe)))?;
    prepared.recipe.check_unchanged(run, &recipe)?;
    Ok(Response::Finetuned(training::train(context, &prepared, record, true)?))
}
