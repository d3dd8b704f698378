//! Loads plugins: audit, compile (or take from the cache), check the world, ask what it is.

use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use crate::Error;
use crate::audit::{Audit, Kind, audit};
use crate::bindings::{self, exec, log, sql};
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
    /// The interpreter of generated programs, a component without imports; it need not exist.
    pub python: Option<PathBuf>,
}

/// The plugin host. Clones share one runtime.
#[derive(Clone)]
pub struct Host {
    runtime: Arc<Runtime>,
    linker: Linker<State>,
    limits: Limits,
}

impl Host {
    /// Sets up the runtime; compiles nothing.
    pub fn new(config: HostConfig) -> Result<Self, Error> {
        let runtime = Runtime::new(config.cache_dir, config.python)?;
        let mut linker = Linker::new(&runtime.engine);
        let link = |error: wasmtime::Error| Error::Runtime { detail: error.to_string() };
        bindings::data::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state).map_err(link)?;
        log::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state).map_err(link)?;
        sql::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state).map_err(link)?;
        exec::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state).map_err(link)?;
        Ok(Self { runtime: Arc::new(runtime), linker, limits: config.limits })
    }

    /// What a component is and asks for; nothing is compiled or run.
    pub fn audit(&self, bytes: &[u8]) -> Result<Audit, Error> {
        audit(bytes, &self.limits)
    }

    /// What a component's file brings besides code; a signature that is there is verified.
    pub fn package(&self, bytes: &[u8]) -> Result<crate::Package, Error> {
        crate::package::read(bytes, &self.limits)
    }

    /// Audits and compiles into the cache, and runs nothing: for a process of its own that may be killed.
    pub fn precompile(&self, bytes: &[u8]) -> Result<(), Error> {
        let audit = self.audit(bytes)?;
        on_large_stack(|| self.compile(bytes, &audit.digest))
            .map_err(|detail| Error::Runtime { detail })?
            .map_err(|error| Error::Malformed { detail: format!("{error:#}") })?;
        Ok(())
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
        match &self.runtime.cache {
            Some(cache) => cache.component(&self.runtime.engine, bytes, digest),
            None => Component::new(&self.runtime.engine, bytes),
        }
    }

    /// Names were checked by the audit; this finds what is missing. Types are compared at the first instantiation.
    fn world(&self, component: &Component, audit: &Audit) -> Result<World, Error> {
        let misfit = |error: wasmtime::Error| Error::WrongTypes { world: audit.world, detail: format!("{error:#}") };
        let instance: InstancePre<State> = self.linker.instantiate_pre(component).map_err(misfit)?;
        Ok(match audit.kind {
            Kind::Metric => World::Metric(bindings::metric::MetricPluginAnyPre::new(instance).map_err(misfit)?),
            Kind::Template => World::Template(bindings::template::TemplatePluginAnyPre::new(instance).map_err(misfit)?),
            Kind::RowMetric => World::RowMetric(bindings::row_metric::RowMetricPre::new(instance).map_err(misfit)?),
        })
    }
}
