//! `attach ADAPTER …` and `detach [ADAPTER]`: adapters kept in memory beside one base; with a name,
//! their weighted combination as an adapter of its own.

use std::path::{Path, PathBuf};

use luthier_model::{Adapter, Combination};
use luthier_protocol::Response;
use luthier_protocol::response::AdapterInfo;
use luthier_protocol::spec::{AttachSpec, CombinationSpec};

use crate::Error;
use crate::error::AtExt;
use crate::models::{self, AdapterOrigin, Opened};
use crate::service::Context;
use crate::training;

/// A part: its name, its directory, what it is.
struct Part {
    name: String,
    dir: PathBuf,
    opened: Opened,
}

pub(crate) fn attach(context: Context<'_>, spec: &AttachSpec) -> Result<Response, Error> {
    let parts: Vec<Part> = spec.adapters.iter().map(|name| open(context, name)).collect::<Result<_, _>>()?;
    let Some(first) = parts.first() else {
        return Err(Error::invalid("adapters", "empty", "at least one adapter's name")).at("/adapters");
    };
    let base = &first.opened.base;
    if let Some(other) = parts.iter().find(|part| part.opened.base.fingerprint != base.fingerprint) {
        let expected = format!("an adapter on {}, as {} is", base.place.name, first.name);
        let found = format!("on {}", other.opened.base.place.name);
        return Err(Error::invalid(&format!("adapter {}", other.name), found, &expected)).at("/adapters");
    }
    match &spec.name {
        Some(name) => {
            let dir = combine(context, spec, name, first, &parts)?;
            let part = open(context, &dir.display().to_string())?;
            models::attach(&context.engine.loaded, &part.dir, &part.opened)?;
        }
        None if !spec.weights.is_empty() => {
            let expected = "unset without a name for the combination";
            return Err(Error::invalid("weights", format!("{:?}", spec.weights), expected)).at("/weights");
        }
        None => {
            for part in &parts {
                models::attach(&context.engine.loaded, &part.dir, &part.opened)?;
            }
        }
    }
    attached(context)
}

pub(crate) fn detach(context: Context<'_>, adapter: Option<&str>) -> Result<Response, Error> {
    let attached_adapters = context.engine.loaded.attached();
    match adapter {
        None => {
            attached_adapters.remove(None);
        }
        Some(name) => {
            let resolved = context.resolve_here(name).at("/adapter")?;
            let removed = resolved.adapter.as_deref().map_or(0, |dir| attached_adapters.remove(Some(dir)));
            if removed == 0 {
                let known = attached_adapters.dirs().iter().map(|dir| short_name(context, dir)).collect();
                return Err(Error::unknown("attached adapter", name, known)).at("/adapter");
            }
        }
    }
    attached(context)
}

fn open(context: Context<'_>, name: &str) -> Result<Part, Error> {
    let resolved = context.resolve(name).at("/adapters")?;
    let Some(dir) = resolved.adapter.clone() else {
        return Err(Error::invalid(name, "a model", "an adapter's name or directory")).at("/adapters");
    };
    let opened = models::open(&context.engine.loaded, &resolved).at("/adapters")?;
    Ok(Part { name: name.to_owned(), dir, opened })
}

/// All that are in memory, as `adapters` lists them.
fn attached(context: Context<'_>) -> Result<Response, Error> {
    let known = context.project.adapters()?;
    let info = |dir: PathBuf| {
        let name = short_name(context, &dir);
        known.iter().find(|info| info.name == name).cloned().unwrap_or_else(|| AdapterInfo {
            name,
            base_model: String::new(),
            dir: dir.display().to_string(),
            method: String::new(),
            n_trainable: 0,
            run: String::new(),
            data: String::new(),
            final_loss: 0.0,
            created: String::new(),
        })
    };
    let adapters = context.engine.loaded.attached().dirs().into_iter().map(info).collect();
    Ok(Response::Adapters { adapters })
}

/// The name of an adapter of this project, else the directory.
fn short_name(context: Context<'_>, dir: &Path) -> String {
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let own = context.project.adapter_dir(&name);
    match own.canonicalize().is_ok_and(|own| own == dir) {
        true => name,
        false => dir.display().to_string(),
    }
}

/// Writes the combination into the project.
fn combine(
    context: Context<'_>,
    spec: &AttachSpec,
    name: &str,
    first: &Part,
    parts: &[Part],
) -> Result<PathBuf, Error> {
    training::check_free(context, name, spec.overwrite, None)?;
    let weights = match spec.weights.len() {
        0 => vec![1.0; parts.len()],
        n if n == parts.len() => spec.weights.clone(),
        n => return Err(Error::invalid("weights", n, &format!("{}, one per adapter", parts.len()))).at("/weights"),
    };
    let how = match spec.combination {
        CombinationSpec::Cat => Combination::Cat,
        CombinationSpec::Linear => Combination::Linear,
    };
    let adapters: Vec<(&Adapter, f64)> =
        parts.iter().zip(&weights).filter_map(|(part, w)| Some((part.opened.adapter.as_deref()?, *w))).collect();
    let base = &first.opened.base;
    let adapter = Adapter::combine(&base.model, &adapters, how).at("/adapters")?;
    let origin = origin(context, spec, first, parts, &weights)?;
    let extra = match origin.as_ref().map(serde_json::to_value) {
        Some(Ok(serde_json::Value::Object(map))) => map,
        _ => serde_json::Map::new(),
    };
    let parent = context.project.subdir("adapters")?;
    let unfinished = parent.join(format!(".combining-{name}"));
    training::remake(&unfinished)?;
    adapter.save(&unfinished, &base.place.dir.display().to_string(), &extra)?;
    let target = context.project.adapter_dir(name);
    training::put_in_place(&unfinished, &parent, &target)?;
    context.project.store()?.put_adapter(&AdapterInfo {
        name: name.to_owned(),
        base_model: base.place.name.clone(),
        dir: target.display().to_string(),
        method: "combination".to_owned(),
        n_trainable: adapter.n_parameters(),
        run: String::new(),
        data: origin.as_ref().map(|origin| origin.data.clone()).unwrap_or_default(),
        final_loss: 0.0,
        created: context.engine.clock().timestamp(),
    })?;
    Ok(target)
}

/// The first part's origin, if all parts were trained through the same prompts.
fn origin(
    context: Context<'_>,
    spec: &AttachSpec,
    first: &Part,
    parts: &[Part],
    weights: &[f64],
) -> Result<Option<AdapterOrigin>, Error> {
    let Some(first) = first.opened.origin.clone() else {
        return Ok(None);
    };
    for part in parts {
        let Some(other) = &part.opened.origin else { return Ok(None) };
        let pairs = [
            ("prompt renderer", &first.prompt_renderer, &other.prompt_renderer),
            ("chat template", &first.chat_template, &other.chat_template),
        ];
        if let Some((what, trained, found)) = pairs.into_iter().find(|(_, a, b)| a != b) {
            let (trained, found) = (trained.clone(), found.clone());
            return Err(Error::PromptMismatch { adapter: part.name.clone(), what, trained, found }).at("/adapters");
        }
    }
    // A base in four bits stays one; its record says how it is made.
    let is_quantized = first.double_quant();
    let listed: Vec<_> = parts
        .iter()
        .zip(weights)
        .map(|(part, weight)| serde_json::json!({ "adapter": part.name, "weight": weight }))
        .collect();
    let combination = serde_json::to_value(spec.combination).unwrap_or_default();
    Ok(Some(AdapterOrigin {
        method: if is_quantized.is_some() { first.method.clone() } else { "combination".to_owned() },
        run: String::new(),
        recipe: serde_json::json!({
            "combination": combination,
            "parts": listed,
            "lora": { "double_quant": is_quantized },
        }),
        steps: 0,
        final_loss: 0.0,
        created: context.engine.clock().timestamp(),
        ..first
    }))
}
