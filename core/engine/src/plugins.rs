//! Plugins: built in, installed in a project, of this session, or by the path of a component or of a
//! source folder. Each is audited and compiled once per engine; what did not come with the engine is
//! compiled in a process of its own.

mod compile;
mod fetch;
mod install;
mod lock;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use luthier_plugin_host::{
    Context, Host, HostConfig, Kind, Limits, MetricPlugin, Plugin, TemplatePlugin, builtin, builtins, into_component,
};
use luthier_protocol::response::PluginInfo;
use luthier_protocol::spec::MetricTable;
use luthier_synth::TemplateDescriptor;
use serde_json::Value;

use crate::Error;
use crate::authoring;
use crate::config::EngineConfig;
use crate::project::Project;

pub use compile::compile_plugin;
pub(crate) use fetch::fetch;
pub(crate) use install::{install, remove};
pub(crate) use lock::Lock;

/// Files that a plugin may read, by the names that it uses.
pub(crate) type Grants = BTreeMap<String, PathBuf>;

/// A component is not read beyond this; the host's own limit is lower.
const MAX_COMPONENT_BYTES: u64 = 64 << 20;

/// Components of this session, by project and id.
type Session = BTreeMap<(PathBuf, String), Arc<Vec<u8>>>;

/// The host and what it has loaded, by digest.
pub(crate) struct Plugins {
    host: Host,
    /// Compiled code; private to this account.
    cache: PathBuf,
    /// Guest toolchains and builds.
    build_dir: PathBuf,
    loaded: Mutex<BTreeMap<String, Plugin>>,
    session: Mutex<Session>,
    /// Where there is no cache directory: one that ends with the engine.
    _temporary: Option<tempfile::TempDir>,
}

impl Plugins {
    pub(crate) fn new(config: &EngineConfig) -> Result<Plugins, Error> {
        let mut temporary = None;
        let root = match &config.cache_dir {
            Some(dir) => dir.clone(),
            None => {
                let made = tempfile::tempdir_in(&config.temp_dir);
                let made = made.map_err(|source| Error::io("make", &config.temp_dir, source))?;
                temporary.insert(made).path().to_path_buf()
            }
        };
        let cache = root.join("plugins");
        let host =
            HostConfig { cache_dir: Some(cache.clone()), python: config.python.clone(), ..HostConfig::default() };
        Ok(Plugins {
            host: Host::new(host)?,
            cache,
            build_dir: root.join("guests"),
            loaded: Mutex::default(),
            session: Mutex::default(),
            _temporary: temporary,
        })
    }

    /// Built-in plugins, those of the session and those installed, with their audits.
    pub(crate) fn list(&self, project: &Project) -> Result<Vec<PluginInfo>, Error> {
        let mut list = Vec::new();
        for (_, bytes) in builtins() {
            list.push(describe(&self.load(bytes)?, "built-in"));
        }
        let session: Vec<_> = self
            .session()
            .iter()
            .filter(|((root, _), _)| root == project.root())
            .map(|(_, bytes)| bytes.clone())
            .collect();
        for bytes in session {
            list.push(describe(&self.load(&bytes)?, "this session"));
        }
        // As locked: listing compiles nothing of a stranger's.
        list.extend(Lock::read(project)?.plugins().iter().map(lock::Locked::info));
        Ok(list)
    }

    /// A plugin by id, by the path of a component, or by the path of its source folder, which is built
    /// if it has changed.
    pub(crate) fn get(&self, project: &Project, id: &str) -> Result<Plugin, Error> {
        if let Some(bytes) = builtin(id) {
            return self.load(bytes);
        }
        let session = self.session().get(&(project.root().to_path_buf(), id.to_owned())).cloned();
        if let Some(bytes) = session {
            return self.load(&bytes);
        }
        let lock = Lock::read(project)?;
        if let Some(locked) = lock.find(id) {
            return self.load(&locked.component(project)?);
        }
        let path = project.resolve(id);
        if id.ends_with(".wasm") {
            return self.load(&read_component(&path)?);
        }
        if authoring::is_source(&path) {
            let built = authoring::Job::quiet(|job| authoring::build(&path, &self.build_dir, job))?;
            return self.load(&built.component);
        }
        let installed = lock.plugins().iter().map(|locked| locked.id.clone());
        let known = builtins().iter().map(|(id, _)| (*id).to_owned()).chain(installed).collect();
        Err(Error::unknown("plugin", id, known))
    }

    /// The bytes of a plugin: as `get`, or from an address.
    pub(crate) fn bytes(&self, project: &Project, source: &str) -> Result<Vec<u8>, Error> {
        if let Some(bytes) = builtin(source) {
            return Ok(bytes.to_vec());
        }
        if let Some(bytes) = self.session().get(&(project.root().to_path_buf(), source.to_owned())) {
            return Ok(bytes.to_vec());
        }
        if let Some(locked) = Lock::read(project)?.find(source) {
            return locked.component(project);
        }
        fetch(project, source, &self.build_dir).map(|fetched| fetched.bytes)
    }

    /// Shows this component under its id to one project until the engine ends.
    pub(crate) fn install_for_session(&self, project: &Project, bytes: Vec<u8>) -> Result<Plugin, Error> {
        let plugin = self.load(&bytes)?;
        if builtin(plugin.id()).is_some() {
            return Err(Error::Exists { what: "plugin", name: plugin.id().to_owned() });
        }
        self.session().insert((project.root().to_path_buf(), plugin.id().to_owned()), Arc::new(bytes));
        Ok(plugin)
    }

    /// Forgets a plugin of the session; whether there was one.
    pub(crate) fn remove_from_session(&self, project: &Project, id: &str) -> bool {
        self.session().remove(&(project.root().to_path_buf(), id.to_owned())).is_some()
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn build_dir(&self) -> &Path {
        &self.build_dir
    }

    fn session(&self) -> std::sync::MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A template, opened for one use.
    pub(crate) fn open_template(
        &self,
        project: &Project,
        template: &TemplateRequest<'_>,
        grants: &Grants,
        cancel: &Arc<AtomicBool>,
    ) -> Result<TemplatePlugin, Error> {
        let plugin = self.get(project, template.id)?;
        let context = Context { seed: template.seed, cancel: Some(Arc::clone(cancel)), ..Context::default() };
        Ok(plugin.open_template(template.config, context, grants)?)
    }

    /// A metric, opened for one evaluation.
    pub(crate) fn open_metric(
        &self,
        project: &Project,
        metric: &MetricTable,
        grants: &Grants,
        cancel: &Arc<AtomicBool>,
    ) -> Result<MetricPlugin, Error> {
        let plugin = self.get(project, &metric.metric)?;
        let context = Context { cancel: Some(Arc::clone(cancel)), ..Context::default() };
        let mut opened = plugin.open_metric(&Value::Object(metric.config.clone()), context, grants)?;
        if let Some(label) = &metric.name {
            opened.rename(label);
        }
        Ok(opened)
    }

    /// What a template says of itself, and its digest.
    pub(crate) fn template(&self, project: &Project, id: &str) -> Result<(TemplateDescriptor, String), Error> {
        let plugin = self.get(project, id)?;
        match plugin.template_descriptor() {
            Some(descriptor) => Ok((descriptor.clone(), plugin.audit().digest.clone())),
            None => Err(Error::invalid(&format!("plugin {id:?}"), "a metric", "a template")),
        }
    }

    /// The plugin of these bytes.
    pub(crate) fn load(&self, bytes: &[u8]) -> Result<Plugin, Error> {
        let digest = self.host.audit(bytes)?.digest;
        // Held while compiling: two requests for one plugin compile it once.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plugin) = loaded.get(&digest) {
            return Ok(plugin.clone());
        }
        // A signature that is there must be right, wherever the file comes from.
        self.host.package(bytes)?;
        if !builtins().iter().any(|(_, own)| *own == bytes) {
            compile::in_a_child(bytes, &self.cache)?;
        }
        let plugin = self.host.load(bytes)?;
        loaded.insert(digest, plugin.clone());
        Ok(plugin)
    }
}

/// Which template, and how it is opened.
pub(crate) struct TemplateRequest<'a> {
    /// Id or path.
    pub(crate) id: &'a str,
    /// Its configuration.
    pub(crate) config: &'a Value,
    /// Seed of its generator.
    pub(crate) seed: u64,
}

/// A loaded plugin, for lists.
pub(crate) fn describe(plugin: &Plugin, source: &str) -> PluginInfo {
    let audit = plugin.audit();
    PluginInfo {
        id: plugin.id().to_owned(),
        version: plugin.version().to_owned(),
        kind: match audit.kind {
            Kind::Template => "template".to_owned(),
            _ => "metric".to_owned(),
        },
        summary: plugin.summary().to_owned(),
        imports: audit.imports.clone(),
        digest: audit.digest.clone(),
        size_bytes: audit.size_bytes as u64,
        source: source.to_owned(),
    }
}

/// A component's file; a core module becomes a component.
pub(crate) fn read_component(path: &Path) -> Result<Vec<u8>, Error> {
    use std::io::Read;
    let fail = |source| Error::io("read the plugin", path, source);
    let file = std::fs::File::open(path).map_err(fail)?;
    let mut bytes = Vec::new();
    file.take(MAX_COMPONENT_BYTES).read_to_end(&mut bytes).map_err(fail)?;
    Ok(into_component(bytes, &Limits::default())?)
}

impl std::fmt::Debug for Plugins {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Plugins").finish_non_exhaustive()
    }
}
