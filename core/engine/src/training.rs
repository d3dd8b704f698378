//! From a recipe to an adapter on disk.
//!
//! ```text
//! FinetuneSpec ─prepare─► Prepared (model, examples, fingerprints) ─train─► run directory ─► adapter
//! ```
//!
//! A run is a function of its recipe: what is trained does not depend on the run's id, on the time,
//! or on how often it was interrupted.

mod adapter;
mod card;
mod config;
pub(crate) mod lint;
mod method;
pub(crate) mod metrics;
mod plan;
mod prepare;
mod recipe;
pub(crate) mod record;
mod report;
mod rows;
mod tracker;

pub(crate) use adapter::{put_in_place, remake};
pub(crate) use plan::plan;
pub(crate) use prepare::{Prepared, check_free, prepare};
pub(crate) use recipe::Recipe;

use luthier_model::{Adapter, PortableArithmetic, TrainableModel};
use luthier_protocol::response::Finetuned;
use luthier_train::{CheckpointDir, ExampleSource, FitData, FitOutcome, FitReport};

use crate::Error;
use crate::error::AtExt;
use crate::service::Context;
use crate::store::{RunRecord, RunStatus};
use record::TrainingRecord;
use tracker::Tracker;

/// Points of the loss curve in a result.
const MAX_LOSSES: usize = 500;

/// Train `record`'s run to its end, from its newest checkpoint if `resume`. Whatever happens is
/// written into the store and told to followers.
pub(crate) fn train(
    context: Context<'_>,
    prepared: &Prepared,
    record: RunRecord,
    resume: bool,
) -> Result<Finetuned, Error> {
    let run_dir = context.project.run_dir(&record.run);
    let run = record.run.clone();
    let mut on_record = TrainingRecord::begin(context, prepared, &run, &record.started);
    let mut tracker = Tracker::begin(context, record, &run_dir, &prepared.recipe.spec)?;
    note(context, on_record.write(&run_dir));
    let outcome = fit(context, prepared, &mut tracker, &run_dir, resume);
    let result = match outcome {
        Ok((trainable, report)) => match report.outcome {
            FitOutcome::Finished => finish(context, prepared, &run, &trainable, &report),
            FitOutcome::Paused { step } => Err(paused(&run, step, report.total_steps)),
        },
        Err(error) => Err(error),
    };
    let status = match &result {
        Ok(_) => RunStatus::Finished,
        Err(Error::Interrupted { .. }) => RunStatus::Paused,
        Err(_) => RunStatus::Failed,
    };
    on_record.end(status, &result);
    note(context, on_record.write(&run_dir).and_then(|()| metrics::write(&run_dir)));
    let recorded = tracker.end(status, &result);
    // Why the run ended matters more than why that could not be written down.
    result.and_then(|finetuned| recorded.map(|()| finetuned))
}

/// A record that could not be written stops no run.
fn note(context: Context<'_>, written: Result<(), Error>) {
    if let Err(error) = written {
        context.call.warn(format!("the run's record is not complete: {error}"));
    }
}

fn fit(
    context: Context<'_>,
    prepared: &Prepared,
    tracker: &mut Tracker<'_>,
    run_dir: &std::path::Path,
    resume: bool,
) -> Result<(TrainableModel, FitReport), Error> {
    let checkpoints = CheckpointDir::open(run_dir.join("checkpoints"))?;
    let _arithmetic = prepared.recipe.spec.train.portable.then(PortableArithmetic::begin);
    let mut trainable = trainable(prepared).at("/lora")?;
    let evaluation = prepared.evaluation.as_ref().map(|(_, built)| built as &dyn ExampleSource);
    let report = luthier_train::fit_on(
        &mut trainable,
        FitData { train: &prepared.built, evaluation },
        &prepared.config,
        &checkpoints,
        resume,
        &mut |event| tracker.fit_event(event),
        context.cancel(),
    );
    let report = report.map_err(|error| prepared.name_rows(error))?;
    Ok((trainable, report))
}

/// What is trained, as a run first gets it: a resumed run starts from the same values.
pub(crate) fn trainable(prepared: &Prepared) -> luthier_model::Result<TrainableModel> {
    let mut base = prepared.base.model.clone();
    let spec = &prepared.recipe.spec;
    base.set_gradient_checkpointing(spec.train.gradient_checkpointing);
    Ok(match &prepared.adapter {
        None => TrainableModel::Full { model: base },
        Some(config) => {
            let adapter = Adapter::init(&base, config, spec.train.seed)?;
            TrainableModel::Adapter { base, adapter }
        }
    })
}

fn finish(
    context: Context<'_>,
    prepared: &Prepared,
    run: &str,
    trainable: &TrainableModel,
    report: &FitReport,
) -> Result<Finetuned, Error> {
    let dir = adapter::save(context, prepared, run, trainable, report)?;
    let warnings = prepared.warnings.iter().chain(&report.warnings).cloned().collect();
    Ok(Finetuned {
        run: run.to_owned(),
        name: prepared.name.clone(),
        adapter_dir: dir.display().to_string(),
        steps: report.global_step,
        final_loss: report.final_loss().unwrap_or_default(),
        seconds: report.seconds,
        n_trainable: report.n_trainable,
        n_examples: report.n_examples,
        n_target_tokens: report.n_target_tokens,
        tokens_per_second: report.tokens_per_second,
        losses: curve(&report.losses),
        eval_losses: report.evaluations.iter().map(|one| (one.step, one.loss)).collect(),
        best_step: (report.result_step != report.global_step).then_some(report.result_step),
        stopped_early: report.stopped_early,
        warnings,
    })
}

fn paused(run: &str, step: u64, total_steps: u64) -> Error {
    Error::Interrupted {
        saved: format!("run {run} is paused at step {step} of {total_steps}, with a checkpoint on disk"),
        advice: Some(format!("`resume {run}` goes on from there; the model stays loaded")),
    }
}

/// Losses by step from 1, thinned evenly, first and last kept.
fn curve(losses: &[f64]) -> Vec<(u64, f64)> {
    let n = losses.len();
    let point = |index: usize| losses.get(index).map(|loss| (index as u64 + 1, *loss));
    if n <= MAX_LOSSES {
        return (0..n).filter_map(point).collect();
    }
    (0..MAX_LOSSES).filter_map(|i| point(i * (n - 1) / (MAX_LOSSES - 1))).collect()
}

#[cfg(test)]
mod tests;
