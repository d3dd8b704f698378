//! `push NAME to ORG/NAME` and `pull ORG/NAME as NAME`: adapters, models and datasets on the Hugging
//! Face hub.

use std::path::{Path, PathBuf};

use luthier_protocol::Response;
use luthier_protocol::response::{AdapterInfo, Pulled, Pushed};
use luthier_protocol::spec::{DatasetSpec, HubSpec};

use crate::Error;
use crate::datasets;
use crate::error::AtExt;
use crate::export::NewDirectory;
use crate::hub::{RepoId, RepoKind, Upload};
use crate::models::{AdapterOrigin, Resolved};
use crate::project::check_name;
use crate::service::Context;

/// What a pulled dataset may be made of, best first.
const DATA_ENDINGS: [&str; 5] = [".parquet", ".jsonl", ".json", ".csv", ".arrow"];

/// Files that say something about this machine only.
const PRIVATE_FILES: [&str; 2] = [crate::export::RECORD_FILE_NAME, crate::models::ACCEPTED_FILE_NAME];

fn repository(kind: RepoKind, text: &str, pointer: &'static str) -> Result<RepoId, Error> {
    let expected = "org/name or org/name@revision";
    RepoId::parse(kind, text).ok_or_else(|| Error::invalid("the repository", format!("{text:?}"), expected).at(pointer))
}

pub(crate) fn push(context: Context<'_>, spec: &HubSpec) -> Result<Response, Error> {
    let kind = if spec.dataset { RepoKind::Dataset } else { RepoKind::Model };
    let repo = repository(kind, &spec.target, "/target")?;
    // Kept until everything is sent.
    let staged;
    let (uploads, what) = match kind {
        RepoKind::Dataset => {
            staged = None;
            (dataset_uploads(context, &spec.source).at("/source")?, "dataset")
        }
        RepoKind::Model => {
            let resolved = context.resolve_here(&spec.source).at("/source")?;
            let (dir, what) = model_dir(&resolved);
            let mut uploads = uploads(&dir)?;
            staged = name_base(context, &resolved, &mut uploads)?;
            (uploads, what)
        }
    };
    if uploads.is_empty() {
        return Err(Error::invalid("what is pushed", "no file", "a directory with files")).at("/source");
    }
    let message = spec.message.clone().unwrap_or_else(|| format!("Upload {what} {} with luthier", spec.source));
    let pushed = context
        .with_watch(|watch| context.engine.hub.push(&repo, &uploads, !spec.public, &message, watch))
        .at("/target")?;
    drop(staged);
    Ok(Response::Pushed(Pushed {
        repository: repo.id,
        commit: pushed.commit,
        url: pushed.url,
        files: uploads.into_iter().map(|upload| upload.name).collect(),
        n_bytes: pushed.n_bytes,
        n_sent_bytes: pushed.n_sent_bytes,
    }))
}

/// Let an adapter's configuration name its base as others find it, in a copy.
fn name_base(
    context: Context<'_>,
    resolved: &Resolved,
    uploads: &mut [Upload],
) -> Result<Option<tempfile::TempDir>, Error> {
    const CONFIG: &str = "adapter_config.json";
    let Some(upload) = uploads.iter_mut().find(|upload| upload.name == CONFIG) else { return Ok(None) };
    let parent = context.project.subdir("cache")?;
    let fail = |source| Error::io("make a directory in", &parent, source);
    let staged = tempfile::Builder::new().prefix(".pushing-").tempdir_in(&parent).map_err(fail)?;
    let path = staged.path().join(CONFIG);
    std::fs::copy(&upload.path, &path).map_err(|source| Error::io("copy", &upload.path, source))?;
    crate::export::name_base(&path, &resolved.base.name)?;
    upload.path = path;
    Ok(Some(staged))
}

fn model_dir(resolved: &Resolved) -> (PathBuf, &'static str) {
    match &resolved.adapter {
        Some(dir) => (dir.clone(), "adapter"),
        None => (resolved.base.dir.clone(), "model"),
    }
}

/// A dataset's rows as one Parquet file, or the files of a directory.
fn dataset_uploads(context: Context<'_>, name: &str) -> Result<Vec<Upload>, Error> {
    let path = context.project.resolve(name);
    if name.contains('/') && path.is_dir() {
        return uploads(&path);
    }
    let dataset = datasets::open(context, name)?;
    let stem = dataset.fingerprint.trim_start_matches("sha256:");
    let path = context.project.dataset_dir(&dataset.name).join(format!("{stem}.parquet"));
    Ok(vec![Upload { path, name: "data.parquet".into() }])
}

/// All files of a directory that belong to the thing itself.
fn uploads(dir: &Path) -> Result<Vec<Upload>, Error> {
    let fail = |source| Error::io("read", dir, source);
    let mut uploads = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let is_wanted = !name.starts_with('.') && !PRIVATE_FILES.contains(&name.as_str());
        if is_wanted && path.is_file() {
            uploads.push(Upload { path, name });
        }
    }
    uploads.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(uploads)
}

pub(crate) fn pull(context: Context<'_>, spec: &HubSpec) -> Result<Response, Error> {
    let default = spec.source.split('@').next().and_then(|id| id.rsplit('/').next()).unwrap_or_default();
    let name = if spec.target.is_empty() { default.to_owned() } else { spec.target.clone() };
    match spec.dataset {
        true => pull_dataset(context, spec, &name),
        false => pull_model(context, spec, &name),
    }
}

/// A model stays in the hub's cache under a name of the project; an adapter becomes the project's own.
fn pull_model(context: Context<'_>, spec: &HubSpec, name: &str) -> Result<Response, Error> {
    let repo = repository(RepoKind::Model, &spec.source, "/source")?;
    check_name("model", name).at("/target")?;
    let resolved = context.resolve_fresh(&spec.source).at("/source")?;
    let pulled = |kind: &str, dir: &Path, commit: &str| Pulled {
        repository: repo.id.clone(),
        commit: commit.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        dir: dir.display().to_string(),
        n_rows: None,
    };
    let commit_of = |dir: &Path| dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Some(snapshot) = &resolved.adapter else {
        super::load::check_free(context, name).at("/target")?;
        context.project.store()?.put_model_name(name, &resolved.base.name)?;
        let dir = resolved.base.dir.clone();
        return Ok(Response::Pulled(pulled("model", &dir, &commit_of(&dir))));
    };
    let dir = copy_adapter(context, snapshot, name, spec.overwrite)?;
    let origin = AdapterOrigin::read(&dir)?;
    let text = |of: fn(&AdapterOrigin) -> &String| origin.as_ref().map(|origin| of(origin).clone()).unwrap_or_default();
    context.project.store()?.put_adapter(&AdapterInfo {
        name: name.to_owned(),
        base_model: resolved.base.name.clone(),
        dir: dir.display().to_string(),
        method: origin.as_ref().map_or_else(|| "lora".to_owned(), |origin| origin.method.clone()),
        n_trainable: origin.as_ref().map_or(0, |origin| origin.n_trainable),
        run: text(|origin| &origin.run),
        data: text(|origin| &origin.data),
        final_loss: origin.as_ref().map_or(0.0, |origin| origin.final_loss),
        created: context.engine.clock().timestamp(),
    })?;
    Ok(Response::Pulled(pulled("adapter", &dir, &commit_of(snapshot))))
}

fn copy_adapter(context: Context<'_>, snapshot: &Path, name: &str, overwrite: bool) -> Result<PathBuf, Error> {
    let target = context.project.subdir("adapters")?.join(name);
    let stored = context.project.store_if_any()?.map_or(Ok(Vec::new()), |store| store.model_names())?;
    if crate::models::BUILTIN_NAMES.contains(&name) || stored.iter().any(|(given, _)| given == name) {
        return Err(Error::Exists { what: "model", name: name.to_owned() }).at("/target");
    }
    if target.exists() {
        if !overwrite {
            return Err(Error::Exists { what: "adapter", name: name.to_owned() }).at("/target");
        }
        std::fs::remove_dir_all(&target).map_err(|source| Error::io("replace", &target, source))?;
    }
    let directory = NewDirectory::new(&target, "adapter", overwrite).at("/target")?;
    for upload in uploads(snapshot)? {
        // Links of the cache become files of the project.
        let to = directory.path().join(&upload.name);
        std::fs::copy(&upload.path, &to).map_err(|source| Error::io("copy", &upload.path, source))?;
    }
    directory.keep()
}

/// The best files of a dataset repository, imported like any others.
fn pull_dataset(context: Context<'_>, spec: &HubSpec, name: &str) -> Result<Response, Error> {
    let repo = repository(RepoKind::Dataset, &spec.source, "/source")?;
    check_name("dataset", name).at("/target")?;
    let is_data = |file: &str| DATA_ENDINGS.iter().any(|ending| file.ends_with(ending));
    let hub = &context.engine.hub;
    let names = context.with_watch(|watch| hub.names(&repo, watch)).at("/source")?;
    let ending = DATA_ENDINGS.iter().find(|ending| names.iter().any(|file| is_data(file) && file.ends_with(**ending)));
    let Some(ending) = ending else {
        let expected = format!("one of {}", DATA_ENDINGS.join(", "));
        return Err(Error::invalid("the repository's data", "no file that can be imported", &expected)).at("/source");
    };
    let wanted: Vec<&String> = names.iter().filter(|file| file.ends_with(ending)).collect();
    let [file] = wanted.as_slice() else {
        let listed: Vec<&str> = wanted.iter().take(6).map(|file| file.as_str()).collect();
        let expected = format!("one {ending} file; download the one you want and import it with %%dataset");
        return Err(Error::invalid("the repository's data", listed.join(", "), &expected)).at("/source");
    };
    let (snapshot, _) = context.with_watch(|watch| hub.files(&repo, |name| name == *file, watch)).at("/source")?;
    let path = snapshot.dir.join(file);
    let import = DatasetSpec {
        name: Some(name.to_owned()),
        path: Some(path.display().to_string()),
        overwrite: spec.overwrite,
        ..DatasetSpec::default()
    };
    let Response::Dataset(info) = super::dataset::dataset(context, import)? else {
        return Err(Error::invalid("the import", "no dataset", "a dataset"));
    };
    Ok(Response::Pulled(Pulled {
        repository: repo.id,
        commit: snapshot.repo.revision,
        kind: "dataset".into(),
        name: info.name,
        dir: path.display().to_string(),
        n_rows: Some(info.n_rows),
    }))
}
