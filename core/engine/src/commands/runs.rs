//! `cancel RUN` and `follow RUN`: runs that outlive their cell.

use luthier_protocol::Response;

use crate::Error;
use crate::runs::{current, replay};
use crate::service::Context;
use crate::store::{RunRecord, RunStatus};

/// Pause a running run with a checkpoint; answers once it is on disk.
pub(crate) fn cancel(context: Context<'_>, run: &str) -> Result<Response, Error> {
    let record = find(context, run)?;
    let Some(live) = context.engine.live.get(context.project.root(), run) else {
        return Err(not_here(&record, "only a running run can be cancelled"));
    };
    live.cancel();
    live.follow(&mut |_| {}, context.cancel());
    Ok(Response::Done)
}

/// Everything a run says, from its beginning; ends with it.
pub(crate) fn follow(context: Context<'_>, run: &str) -> Result<Response, Error> {
    let record = find(context, run)?;
    if let Some(live) = context.engine.live.get(context.project.root(), run) {
        return match live.follow(&mut |event| context.call.event(event), context.cancel()) {
            Some(Ok(finetuned)) => Ok(Response::Finetuned(finetuned)),
            Some(Err(_)) => ended(&find(context, run)?),
            None => Err(Error::Interrupted {
                saved: format!("run {run} goes on"),
                advice: Some(format!("`follow {run}` shows it again, `cancel {run}` pauses it")),
            }),
        };
    }
    replay(&context.project.run_dir(run), &mut |event| context.call.event(event));
    ended(&record)
}

fn ended(record: &RunRecord) -> Result<Response, Error> {
    match (record.status, record.result.clone()) {
        (RunStatus::Finished, Some(finetuned)) => Ok(Response::Finetuned(finetuned)),
        (RunStatus::Running, _) => Err(not_here(record, "it can be followed on the machine that it runs on")),
        (RunStatus::Paused | RunStatus::Broken, _) => {
            let advice = format!("`resume {}` goes on from its last checkpoint", record.run);
            Err(not_here(record, &advice))
        }
        _ => {
            let advice = format!("`resume {}` tries again from its last checkpoint", record.run);
            Err(not_here(record, &advice))
        }
    }
}

pub(super) fn not_here(record: &RunRecord, advice: &str) -> Error {
    Error::RunState {
        run: record.run.clone(),
        status: record.status.name(),
        message: record.message.clone(),
        advice: advice.to_owned(),
    }
}

/// The run's record with the status that is true now.
pub(super) fn find(context: Context<'_>, run: &str) -> Result<RunRecord, Error> {
    let store = context.project.store_if_any()?;
    let records = store.map_or(Ok(Vec::new()), |store| store.run_records())?;
    let known = records.iter().map(|record| record.run.clone()).collect();
    let record = records.into_iter().find(|record| record.run == run);
    let record = record.ok_or_else(|| Error::unknown("run", run, known).at("/run"))?;
    Ok(current(context.engine, context.project, record))
}
