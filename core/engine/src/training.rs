//! From a recipe to an adapter on disk.
//!
//! ```text
//! FinetuneSpec ─prepare─► Prepared (model, examples, fingerprints) ─train─► run directory ─► adapter
//! ```
//!
//! A run is a function of its recipe: what is trained does not depend on the run's id, on the time,
//! or on how often it was interrupted.

mod adapter;
mod prepare;
mod recipe;
mod tracker;

pub(crate) use prepare::{Prepared, prepare};
pub(crate) use recipe::Recipe;

use luthier_model::{LoraAdapter, LoraConfig, TrainableModel};
use luthier_protocol::response::Finetuned;
use luthier_protocol::spec::Method;
use luthier_train::{CheckpointDir, FitOutcome, FitReport};

use crate::Error;
use crate::error::AtExt;
use crate::service::Context;
use crate::store::{RunRecord, RunStatus};
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
    let mut tracker = Tracker::begin(context, record, &run_dir)?;
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
    let recorded = tracker.end(status, &result);
    // Why the run ended matters more than why that could not be written down.
    result.and_then(|finetuned| recorded.map(|()| finetuned))
}

fn fit(
    context: Context<'_>,
    prepared: &Prepared,
    tracker: &mut Tracker<'_>,
    run_dir: &std::path::Path,
    resume: bool,
) -> Result<(TrainableModel, FitReport), Error> {
    let checkpoints = CheckpointDir::open(run_dir.join("checkpoints"))?;
    let mut trainable = trainable(prepared)?;
    let report = luthier_train::fit(
        &mut trainable,
        &prepared.built.examples,
        &prepared.config,
        &checkpoints,
        resume,
        &mut |event| tracker.fit_event(event),
        context.cancel(),
    )?;
    Ok((trainable, report))
}

/// What is trained, as a run first gets it: a resumed run starts from the same values.
fn trainable(prepared: &Prepared) -> Result<TrainableModel, Error> {
    let base = prepared.base.model.clone();
    let spec = &prepared.recipe.spec;
    Ok(match spec.method {
        Method::Full => TrainableModel::Full { model: base },
        Method::Lora => {
            let adapter = LoraAdapter::init(&base, &lora_config(spec), spec.train.seed).at("/lora")?;
            TrainableModel::Lora { base, adapter }
        }
    })
}

fn lora_config(spec: &luthier_protocol::spec::FinetuneSpec) -> LoraConfig {
    LoraConfig {
        r: spec.lora.r,
        alpha: spec.lora.alpha,
        dropout: spec.lora.dropout,
        target_modules: spec.lora.target_modules.clone(),
    }
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
