//! Lists: models, adapters, datasets, runs, plugins, the leaderboard. Looking creates nothing.

use std::collections::BTreeSet;

use luthier_protocol::Response;
use luthier_protocol::response::ModelInfo;

use crate::Error;
use crate::models::{self, BUILTIN_NAMES, Resolved};
use crate::runs;
use crate::service::Context;

/// Built-in models, names given by `load`, and what else is in memory.
pub(crate) fn models(context: Context<'_>) -> Result<Response, Error> {
    let mut names: Vec<String> = BUILTIN_NAMES.map(str::to_owned).to_vec();
    if let Some(store) = context.project.store_if_any()? {
        names.extend(store.model_names()?.into_iter().map(|(name, _)| name));
    }
    let mut models = Vec::new();
    let mut dirs = BTreeSet::new();
    for name in names {
        // A name whose directory is gone must not hide the others.
        let described = context.resolve_here(&name).and_then(|resolved| describe(context, &resolved));
        match described {
            Ok((info, dir)) => {
                dirs.insert(dir);
                models.push(info);
            }
            Err(error) => context.call.warn(format!("model {name:?}: {error}")),
        }
    }
    for model in context.engine.loaded.list() {
        if dirs.insert(model.place.dir.clone()) {
            let place = &model.place;
            models.push(models::describe(&place.name, &place.source, &place.dir, Some(&model))?);
        }
    }
    Ok(Response::Models { models })
}

fn describe(context: Context<'_>, resolved: &Resolved) -> Result<(ModelInfo, std::path::PathBuf), Error> {
    let dir = resolved.base.dir.clone();
    let loaded = context.engine.loaded.peek(&dir);
    let info = models::describe(&resolved.label, &resolved.base.source, &dir, loaded.as_deref())?;
    Ok((info, dir))
}

/// Adapters of the project.
pub(crate) fn adapters(context: Context<'_>) -> Result<Response, Error> {
    Ok(Response::Adapters { adapters: context.project.adapters()? })
}

/// Datasets of the project.
pub(crate) fn datasets(context: Context<'_>) -> Result<Response, Error> {
    let store = context.project.store_if_any()?;
    let records = store.map_or(Ok(Vec::new()), |store| store.datasets())?;
    Ok(Response::Datasets { datasets: records.into_iter().map(|record| record.info).collect() })
}

/// Runs of the project, the latest first, each with the status that is true now.
pub(crate) fn runs(context: Context<'_>) -> Result<Response, Error> {
    let store = context.project.store_if_any()?;
    let records = store.map_or(Ok(Vec::new()), |store| store.run_records())?;
    let current = |record| runs::current(context.engine, context.project, record).info();
    Ok(Response::Runs { runs: records.into_iter().map(current).collect() })
}

/// Plugins that the engine carries.
pub(crate) fn plugins(context: Context<'_>) -> Result<Response, Error> {
    Ok(Response::Plugins { plugins: context.engine.plugins.list(context.project)? })
}

/// Every score of the project: by metric and part, best first.
pub(crate) fn leaderboard(context: Context<'_>) -> Result<Response, Error> {
    let store = context.project.store_if_any()?;
    let rows = store.map_or(Ok(Vec::new()), |store| store.scores())?;
    Ok(Response::Leaderboard { rows: luthier_eval::leaderboard(rows) })
}
