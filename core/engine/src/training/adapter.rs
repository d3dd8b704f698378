//! The result of a run as a directory: PEFT's format for LoRA, a whole model for `full`. It is
//! there or not there, never half.

use std::path::{Path, PathBuf};

use luthier_model::{SaveDtype, TrainableModel};
use luthier_protocol::response::AdapterInfo;
use luthier_train::FitReport;
use serde_json::{Map, Value};

use super::Prepared;
use crate::Error;
use crate::engine::BUILD;
use crate::models::AdapterOrigin;
use crate::service::Context;

/// Files of a base model that a fully trained one needs beside its weights, where they exist.
const COMPANIONS: [&str; 9] = [
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
];

/// Write the directory and put the adapter into the store.
pub(super) fn save(
    context: Context<'_>,
    prepared: &Prepared,
    run: &str,
    trainable: &TrainableModel,
    report: &FitReport,
) -> Result<PathBuf, Error> {
    let origin = origin(context, prepared, run, report);
    let parent = context.project.subdir("adapters")?;
    // Not a temporary directory of the system's: those are for their owner's eyes only.
    let unfinished = parent.join(format!(".saving-{run}"));
    remake(&unfinished)?;
    write(&unfinished, prepared, trainable, &origin)?;
    super::card::write(&unfinished, prepared, &origin, report)?;
    let target = context.project.adapter_dir(&prepared.name);
    put_in_place(&unfinished, &parent, &target)?;
    context.project.store()?.put_adapter(&AdapterInfo {
        name: prepared.name.clone(),
        base_model: prepared.base.place.name.clone(),
        dir: target.display().to_string(),
        method: origin.method,
        n_trainable: report.n_trainable,
        run: run.to_owned(),
        data: prepared.dataset.name.clone(),
        final_loss: origin.final_loss,
        created: origin.created,
    })?;
    Ok(target)
}

fn write(dir: &Path, prepared: &Prepared, trainable: &TrainableModel, origin: &AdapterOrigin) -> Result<(), Error> {
    match trainable {
        TrainableModel::Adapter { adapter, .. } => {
            // PEFT loads the base from this name; a directory is one that it finds.
            let base = prepared.base.place.dir.display().to_string();
            Ok(adapter.save(dir, &base, &as_map(origin))?)
        }
        TrainableModel::Full { model } => {
            model.save(dir, SaveDtype::F32)?;
            copy_companions(&prepared.base.place.dir, dir)?;
            origin.write(dir)
        }
    }
}

fn as_map(origin: &AdapterOrigin) -> Map<String, Value> {
    match serde_json::to_value(origin) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

fn copy_companions(from: &Path, to: &Path) -> Result<(), Error> {
    for file in COMPANIONS {
        let source = from.join(file);
        if source.is_file() {
            std::fs::copy(&source, to.join(file)).map_err(|error| Error::io("copy", &source, error))?;
        }
    }
    Ok(())
}

/// An empty directory, whatever an engine that was killed has left there.
pub(crate) fn remake(dir: &Path) -> Result<(), Error> {
    let fail = |source| Error::io("make", dir, source);
    if dir.exists() {
        std::fs::remove_dir_all(dir).map_err(fail)?;
    }
    std::fs::create_dir_all(dir).map_err(fail)
}

/// Move the finished directory to its name; one that was there before goes only when the new one
/// is in its place.
pub(crate) fn put_in_place(finished: &Path, parent: &Path, target: &Path) -> Result<(), Error> {
    let fail = |source| Error::io("make", target, source);
    let old = if target.exists() {
        let old = tempfile::Builder::new().prefix(".replaced-").tempdir_in(parent).map_err(fail)?;
        std::fs::rename(target, old.path().join("adapter")).map_err(fail)?;
        Some(old)
    } else {
        None
    };
    std::fs::rename(finished, target).map_err(fail)?;
    luthier_data::atomic::sync_dir(parent).map_err(fail)?;
    drop(old);
    Ok(())
}

fn origin(context: Context<'_>, prepared: &Prepared, run: &str, report: &FitReport) -> AdapterOrigin {
    let (recipe, base) = (&prepared.recipe, &prepared.base);
    AdapterOrigin {
        format_version: AdapterOrigin::format_version(),
        engine: BUILD.to_owned(),
        method: recipe.spec.method.name().to_owned(),
        base_model: base.place.name.clone(),
        base_dir: base.place.dir.display().to_string(),
        base_fingerprint: base.fingerprint.clone(),
        tokenizer: base.prompter.tokenizer.fingerprint().to_owned(),
        chat_template: base.prompter.template.fingerprint().to_owned(),
        prompt_renderer: recipe.prompt_renderer.clone(),
        data: recipe.data.clone(),
        data_fingerprint: recipe.data_fingerprint.clone(),
        template: prepared.dataset.template.as_ref().and_then(|used| serde_json::to_value(used).ok()),
        run: run.to_owned(),
        recipe: serde_json::to_value(&recipe.spec).unwrap_or_default(),
        steps: report.global_step,
        final_loss: report.final_loss().unwrap_or_default(),
        n_trainable: report.n_trainable,
        created: context.engine.clock().timestamp(),
    }
}
