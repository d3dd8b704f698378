//! From a name to directories. Reads small files only, never weights.

use std::path::{Path, PathBuf};

use super::{AdapterOrigin, BUILTIN_NAMES, Builtins, gguf};
use crate::Error;
use crate::hub::{Hub, RepoId, RepoKind, Watch, is_hub_name};
use crate::project::{Project, check_name};

/// A base model's directory and what to call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelDir {
    /// As the resolver takes it again: a built-in name, a hub id or an absolute directory.
    pub name: String,
    /// `built-in`, or the directory.
    pub source: String,
    /// Where its files are.
    pub dir: PathBuf,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// As it was asked for.
    pub label: String,
    /// The model.
    pub base: ModelDir,
    /// An adapter's directory, if the name is an adapter's.
    pub adapter: Option<PathBuf>,
}

/// Knows every place where a model can be.
#[derive(Debug, Clone, Copy)]
pub struct Resolver<'a> {
    /// Adapters, names given by `load`, and where relative paths start.
    pub project: &'a Project,
    /// Models that the engine carries.
    pub builtins: &'a Builtins,
    /// Models that are nowhere else.
    pub hub: &'a Hub,
    /// How far to look.
    pub reach: Reach<'a>,
}

/// How far a resolver looks for a model of the hub.
#[derive(Debug, Clone, Copy)]
pub enum Reach<'a> {
    /// In the cache only.
    Cache,
    /// In the cache, else on the hub.
    Download {
        /// Who waits.
        watch: Watch<'a>,
    },
    /// On the hub: a branch may have moved.
    Refresh {
        /// Who waits.
        watch: Watch<'a>,
    },
}

impl Resolver<'_> {
    /// An adapter or model of the project by name; a built-in model; a directory; a hub id. The
    /// first of these that exists.
    pub fn resolve(&self, name: &str) -> Result<Resolved, Error> {
        if let Some(resolved) = self.project_adapter(name)? {
            return Ok(resolved);
        }
        let given = self.given_names()?.into_iter().find(|(given, _)| given == name);
        let target = given.map_or(name.to_owned(), |(_, source)| source);
        let mut resolved = self.place(&target)?;
        resolved.label = name.to_owned();
        Ok(resolved)
    }

    /// Names that `resolve` knows, paths and hub ids excepted.
    pub fn known_names(&self) -> Result<Vec<String>, Error> {
        let mut names: Vec<String> = BUILTIN_NAMES.map(str::to_owned).to_vec();
        names.extend(self.given_names()?.into_iter().map(|(name, _)| name));
        names.extend(self.project.adapters()?.into_iter().map(|adapter| adapter.name));
        Ok(names)
    }

    fn given_names(&self) -> Result<Vec<(String, String)>, Error> {
        self.project.store_if_any()?.map_or(Ok(Vec::new()), |store| store.model_names())
    }

    fn project_adapter(&self, name: &str) -> Result<Option<Resolved>, Error> {
        let dir = self.project.adapter_dir(name);
        if check_name("adapter", name).is_err() || !dir.is_dir() {
            return Ok(None);
        }
        let mut resolved = self.directory(&dir)?;
        resolved.label = name.to_owned();
        Ok(Some(resolved))
    }

    /// A built-in name, a directory, or a hub id.
    fn place(&self, name: &str) -> Result<Resolved, Error> {
        if let Some(dir) = self.builtins.dir(name) {
            return Ok(base(name, name, "built-in", dir?));
        }
        let path = self.project.resolve(name);
        if path.is_dir() {
            return self.directory(&path);
        }
        if gguf::is_gguf(&path) {
            let text = path.canonicalize().map_err(|source| Error::io("read", &path, source))?.display().to_string();
            return Ok(base(&text, &text, &text, gguf::directory(self.builtins.cache_dir(), &path)?));
        }
        match RepoId::parse(RepoKind::Model, name) {
            Some(repo) => self.repository(&repo),
            None => Err(Error::unknown("model", name, self.known_names()?)),
        }
    }

    /// A repository of the hub, pinned to the commit that it is at.
    fn repository(&self, repo: &RepoId) -> Result<Resolved, Error> {
        let snapshot = match self.reach {
            Reach::Cache => {
                self.hub.cached(repo).ok_or_else(|| Error::unknown("model", &repo.to_string(), Vec::new()))?
            }
            Reach::Download { watch } => self.hub.model(repo, false, watch)?,
            Reach::Refresh { watch } => self.hub.model(repo, true, watch)?,
        };
        let commit = snapshot.repo.revision.get(..12).unwrap_or_default();
        let source = format!("{} at commit {commit} of the hub", repo.id);
        self.files_of(&snapshot.repo.to_string(), &source, snapshot.dir)
    }

    fn directory(&self, path: &Path) -> Result<Resolved, Error> {
        let dir = path.canonicalize().map_err(|source| Error::io("read", path, source))?;
        let text = dir.display().to_string();
        self.files_of(&text, &text, dir)
    }

    /// What a directory holds: a model, or an adapter whose model has to be found.
    fn files_of(&self, name: &str, source: &str, dir: PathBuf) -> Result<Resolved, Error> {
        if !dir.join("adapter_config.json").is_file() {
            return Ok(base(name, name, source, dir));
        }
        let base = self.base_of(&dir)?;
        Ok(Resolved { label: name.to_owned(), base, adapter: Some(dir) })
    }

    /// The model that an adapter directory was trained on: by our own record, else by PEFT's.
    fn base_of(&self, dir: &Path) -> Result<ModelDir, Error> {
        let mut candidates = Vec::new();
        if let Some(origin) = AdapterOrigin::read(dir)? {
            candidates.extend([origin.base_model, origin.base_dir]);
        }
        candidates.extend(peft_base(dir)?);
        let mut problem = None;
        for candidate in candidates.iter().filter(|candidate| !candidate.is_empty()) {
            match self.place(candidate) {
                // An adapter on an adapter: two low-rank updates are not one.
                Ok(Resolved { adapter: Some(_), .. }) => {}
                Ok(resolved) => return Ok(resolved.base),
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        Err(problem.unwrap_or_else(|| Error::Stored {
            path: dir.join("adapter_config.json"),
            expected: "base_model_name_or_path of a model",
            found: format!("{candidates:?}"),
        }))
    }
}

fn base(label: &str, name: &str, source: &str, dir: PathBuf) -> Resolved {
    let base = ModelDir { name: name.to_owned(), source: source.to_owned(), dir };
    Resolved { label: label.to_owned(), base, adapter: None }
}

fn peft_base(dir: &Path) -> Result<Option<String>, Error> {
    let path = dir.join("adapter_config.json");
    let text = crate::files::read_text(&path, crate::files::MAX_JSON_BYTES)?;
    let config: serde_json::Value = serde_json::from_str(&text).map_err(|error| Error::Stored {
        path,
        expected: "PEFT's adapter configuration",
        found: error.to_string(),
    })?;
    let text = |key: &str| config.get(key).and_then(|value| value.as_str()).filter(|text| !text.is_empty());
    let Some(name) = text("base_model_name_or_path") else { return Ok(None) };
    // PEFT's `revision` is the base model's.
    Ok(Some(match text("revision").filter(|_| is_hub_name(name) && !name.contains('@')) {
        Some(revision) => format!("{name}@{revision}"),
        None => name.to_owned(),
    }))
}
