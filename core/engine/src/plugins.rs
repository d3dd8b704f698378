//! Plugins by id, or by the path of a component; each is audited and compiled once per engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use luthier_plugin_host::{Context, Host, HostConfig, Kind, MetricPlugin, Plugin, TemplatePlugin, builtin, builtins};
use luthier_protocol::response::PluginInfo;
use luthier_synth::TemplateDescriptor;
use serde_json::Value;

use crate::Error;
use crate::project::Project;

/// Files that a plugin may read, by the names that it uses.
pub(crate) type Grants = BTreeMap<String, PathBuf>;

/// A component is not read beyond this; the host's own limit is lower.
const MAX_COMPONENT_BYTES: u64 = 64 << 20;

/// The host and what it has loaded, by digest.
pub(crate) struct Plugins {
    host: Host,
    loaded: Mutex<BTreeMap<String, Plugin>>,
}

impl Plugins {
    pub(crate) fn new(cache_dir: Option<&Path>) -> Result<Plugins, Error> {
        let config = HostConfig { cache_dir: cache_dir.map(|dir| dir.join("plugins")), ..HostConfig::default() };
        Ok(Plugins { host: Host::new(config)?, loaded: Mutex::default() })
    }

    /// Built-in plugins with their audits.
    pub(crate) fn list(&self) -> Result<Vec<PluginInfo>, Error> {
        builtins().iter().map(|(_, bytes)| Ok(describe(&self.load(bytes)?, "built-in"))).collect()
    }

    /// A plugin by id, or by the path of a component file.
    pub(crate) fn get(&self, project: &Project, id: &str) -> Result<Plugin, Error> {
        if let Some(bytes) = builtin(id) {
            return self.load(bytes);
        }
        let path = project.resolve(id);
        if id.ends_with(".wasm") {
            return self.load(&read(&path)?);
        }
        let known = builtins().iter().map(|(id, _)| (*id).to_owned()).collect();
        Err(Error::unknown("plugin", id, known))
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
        id: &str,
        grants: &Grants,
        cancel: &Arc<AtomicBool>,
    ) -> Result<MetricPlugin, Error> {
        let plugin = self.get(project, id)?;
        let context = Context { cancel: Some(Arc::clone(cancel)), ..Context::default() };
        Ok(plugin.open_metric(&Value::Object(serde_json::Map::new()), context, grants)?)
    }

    /// What a template says of itself, and its digest.
    pub(crate) fn template(&self, project: &Project, id: &str) -> Result<(TemplateDescriptor, String), Error> {
        let plugin = self.get(project, id)?;
        match plugin.template_descriptor() {
            Some(descriptor) => Ok((descriptor.clone(), plugin.audit().digest.clone())),
            None => Err(Error::invalid(&format!("plugin {id:?}"), "a metric", "a template")),
        }
    }

    fn load(&self, bytes: &[u8]) -> Result<Plugin, Error> {
        let digest = self.host.audit(bytes)?.digest;
        // Held while compiling: two requests for one plugin compile it once.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plugin) = loaded.get(&digest) {
            return Ok(plugin.clone());
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

fn describe(plugin: &Plugin, source: &str) -> PluginInfo {
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

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    use std::io::Read;
    let fail = |source| Error::io("read the plugin", path, source);
    let file = std::fs::File::open(path).map_err(fail)?;
    let mut bytes = Vec::new();
    file.take(MAX_COMPONENT_BYTES).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

impl std::fmt::Debug for Plugins {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Plugins").finish_non_exhaustive()
    }
}
