//! `export MODEL` and `merge ADAPTER as NAME`.

use std::path::Path;

use luthier_protocol::Response;
use luthier_protocol::response::Exported;
use luthier_protocol::spec::{ExportSpec, MergeSpec};
use serde_json::json;

use crate::Error;
use crate::engine::BUILD;
use crate::error::AtExt;
use crate::export::{Format, HeldOut, NewDirectory, Plan, RECORD_FILE_NAME, file_stem, write};
use crate::models::{self, Opened, Resolved};
use crate::service::Context;

pub(crate) fn export(context: Context<'_>, spec: &ExportSpec) -> Result<Response, Error> {
    let resolved = context.resolve(&spec.model).at("/model")?;
    let plan = plan(spec, &resolved)?;
    let name = file_stem(&spec.model);
    let default = format!("{name}-{}", plan.format.name());
    let target = context.project.resolve(spec.out.as_deref().unwrap_or(&default));
    let directory = NewDirectory::new(&target, "directory", spec.overwrite).at("/out")?;
    let opened = models::open(&context.engine.loaded, &resolved).at("/model")?;
    let exported = fill(context, &opened, &resolved, plan.format, spec.data.as_deref(), directory)?;
    Ok(Response::Exported(exported))
}

/// Everything that can be refused without the weights.
fn plan(spec: &ExportSpec, resolved: &Resolved) -> Result<Plan, Error> {
    let stored = models::stored_dtype(&resolved.base.dir)?;
    let plan = Plan::new(spec, &stored, resolved.adapter.is_some())?;
    if let (Some(consumer), Some(dir), Format::Peft) = (plan.consumer, &resolved.adapter, plan.format) {
        consumer.check_adapter(dir)?;
    }
    Ok(plan)
}

pub(crate) fn merge(context: Context<'_>, spec: &MergeSpec) -> Result<Response, Error> {
    super::load::check_free(context, &spec.name).at("/name")?;
    let resolved = context.resolve(&spec.adapter).at("/adapter")?;
    if resolved.adapter.is_none() {
        return Err(Error::invalid("what is merged", "a model without an adapter", "an adapter")).at("/adapter");
    }
    let stored = models::stored_dtype(&resolved.base.dir)?;
    let export = ExportSpec { to: Some("safetensors".into()), dtype: spec.dtype.clone(), ..ExportSpec::default() };
    let plan = Plan::new(&export, &stored, true)?;
    let target = context.project.subdir("models")?.join(&spec.name);
    let directory = NewDirectory::new(&target, "model", spec.overwrite).at("/name")?;
    let opened = models::open(&context.engine.loaded, &resolved).at("/adapter")?;
    let mut exported = fill(context, &opened, &resolved, plan.format, spec.data.as_deref(), directory)?;
    context.project.store()?.put_model_name(&spec.name, &exported.dir)?;
    exported.name = Some(spec.name.clone());
    Ok(Response::Exported(exported))
}

/// Write, prove, record, and put in place.
fn fill(
    context: Context<'_>,
    opened: &Opened,
    resolved: &Resolved,
    format: Format,
    data: Option<&str>,
    directory: NewDirectory,
) -> Result<Exported, Error> {
    let held_out = HeldOut::of(context, opened, data)?;
    let written = write(context, opened, resolved.adapter.as_deref(), format, &held_out, directory.path())?;
    let files = files(directory.path())?;
    let hashes: Result<Vec<_>, Error> = files
        .iter()
        .map(|(name, n_bytes)| {
            let sha256 = crate::hash::file(&directory.path().join(name))?;
            Ok(json!({ "name": name, "bytes": n_bytes, "hash": sha256 }))
        })
        .collect();
    let record = json!({
        "format_version": 1, "engine": BUILD, "created": context.engine.clock().timestamp(),
        "source": opened.label, "base_model": opened.base.place.name, "base_fingerprint": opened.base.fingerprint,
        "adapter_fingerprint": opened.adapter_fingerprint, "format": format.name(), "dtype": format.dtype(),
        "proof": written.proof, "files": hashes?,
    });
    crate::files::write_json(&directory.path().join(RECORD_FILE_NAME), &record)?;
    let dir = directory.keep()?;
    Ok(Exported {
        source: opened.label.clone(),
        name: None,
        format: format.name().to_owned(),
        dtype: format.dtype().to_owned(),
        dir: dir.display().to_string(),
        files,
        proof: written.proof,
        warnings: written.warnings,
    })
}

/// Name and size of every file, by name.
fn files(dir: &Path) -> Result<Vec<(String, u64)>, Error> {
    let fail = |source| Error::io("read", dir, source);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let metadata = entry.metadata().map_err(fail)?;
        if metadata.is_file() {
            files.push((entry.file_name().to_string_lossy().into_owned(), metadata.len()));
        }
    }
    files.sort();
    Ok(files)
}
