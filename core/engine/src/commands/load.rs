//! `load MODEL [as NAME]`: weights into memory, under a name of the project's own if one is given.

use luthier_protocol::Response;

use crate::Error;
use crate::error::AtExt;
use crate::models::{self, BUILTIN_NAMES};
use crate::project::check_name;
use crate::service::Context;

pub(crate) fn load(
    context: Context<'_>,
    model: &str,
    name: Option<&str>,
    accept_base: bool,
) -> Result<Response, Error> {
    let resolved = context.resolve_fresh(model).at("/model")?;
    if let Some(name) = name {
        check_free(context, name).at("/name")?;
    }
    if let (true, Some(adapter)) = (accept_base, &resolved.adapter) {
        let base = context.engine.loaded.get(&resolved.base).at("/model")?;
        models::accept_base(adapter, &base.fingerprint).at("/model")?;
    }
    let opened = models::open(&context.engine.loaded, &resolved).at("/model")?;
    if let Some(name) = name {
        let target = resolved.adapter.as_ref().map_or(resolved.base.name.clone(), |dir| dir.display().to_string());
        context.project.store()?.put_model_name(name, &target)?;
    }
    let label = name.unwrap_or(model);
    let source = match &resolved.adapter {
        Some(dir) => format!("adapter {} on {}", dir.display(), resolved.base.name),
        None => resolved.base.source.clone(),
    };
    let mut info = models::describe(label, &source, &resolved.base.dir, Some(&opened.base))?;
    if let Some(adapter) = &opened.adapter {
        info.n_parameters += adapter.n_parameters();
    }
    Ok(Response::Loaded(info))
}

/// A name may be given again to another model, but never hide a built-in one or an adapter.
pub(super) fn check_free(context: Context<'_>, name: &str) -> Result<(), Error> {
    check_name("model", name)?;
    let is_adapter = context.project.adapter_dir(name).is_dir();
    if is_adapter || BUILTIN_NAMES.contains(&name) {
        let what = if is_adapter { "adapter" } else { "model" };
        return Err(Error::Exists { what, name: name.to_owned() });
    }
    Ok(())
}
