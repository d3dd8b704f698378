//! Loads plugins: audit, compile (or take from the cache), check the world, ask what it is.

use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use crate::Error;
use crate::audit::{Audit, Kind, audit};
use crate::bindings::{self, log, sql};
use crate::cache::Cache;
use crate::call::on_large_stack;
use crate::limits::Limits;
use crate::plugin::{Plugin, World};
use crate::runtime::Runtime;
use crate::state::State;

/// How a host is set up.
#[derive(Debug, Clone, Default)]
pub struct HostConfig {
    /// A directory of this account's alone (0700; it is made if it is missing) for compiled plugins; `None`: compile
    /// every time. A directory that others can enter is not used.
    pub cache_dir: Option<PathBuf>,
    /// Limits of every guest.
    pub limits: Limits,
}

/// The plugin host. Clones share one runtime.
#[derive(Clone)]
pub struct Host {
    runtime: Arc<Runtime>,
    cache: Option<Arc<Cache>>,
    linker: Linker<State>,
    limits: Limits,
}

impl Host {
    /// Sets up the runtime; compiles nothing.
    pub fn new(config: HostConfig) -> Result<Self, Error> {
        let runtime = Runtime::new()?;
        let mut linker = Linker::new(&runtime.engine);
        let link = |error: wasmtime::Error| Error::Runtime { detail: error.to_string() };
        bindings::data::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state).map_err(link)?;
        log::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state).map_err(link)?;
        sql::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state).map_err(link)?;
        let cache = config.cache_dir.map(|directory| Arc::new(Cache::new(directory, runtime.code_key())));
        Ok(Self { runtime: Arc::new(runtime), cache, linker, limits: config.limits })
    }

    /// What a component is and asks for; nothing is compiled or run.
    pub fn audit(&self, bytes: &[u8]) -> Result<Audit, Error> {
        audit(bytes, &self.limits)
    }

    /// Audits, compiles, and asks the plugin to describe itself.
    pub fn load(&self, bytes: &[u8]) -> Result<Plugin, Error> {
        let audit = self.audit(bytes)?;
        let component = on_large_stack(|| self.compile(bytes, &audit.digest))
            .map_err(|detail| Error::Runtime { detail })?
            .map_err(|error| Error::Malformed { detail: format!("{error:#}") })?;
        let world = self.world(&component, &audit)?;
        Plugin::describe(self.runtime.clone(), self.limits, audit, world)
    }

    fn compile(&self, bytes: &[u8], digest: &str) -> wasmtime::Result<Component> {
        match &self.cache {
            Some(cache) => cache.component(&self.runtime.engine, bytes, digest),
            None => Component::new(&self.runtime.engine, bytes),
        }
    }

    /// Names were checked by the audit; this finds what is missing. Types are compared at the first instantiation.
    fn world(&self, component: &Component, audit: &Audit) -> Result<World, Error> {
        let misfit = |error: wasmtime::Error| Error::WrongTypes { world: audit.world, detail: format!("{error:#}") };
        let instance: InstancePre<State> = self.linker.instantiate_pre(component).map_err(misfit)?;
        Ok(match audit.kind {
            Kind::Metric => World::Metric(bindings::metric::MetricPluginSqlPre::new(instance).map_err(misfit)?),
            Kind::Template => World::Template(bindings::template::TemplatePluginSqlPre::new(instance).map_err(misfit)?),
            Kind::RowMetric => World::RowMetric(bindings::row_metric::RowMetricPre::new(instance).map_err(misfit)?),
        })
    }
}
