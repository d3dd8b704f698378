//! A loaded plugin: what it is, and how it is opened for a run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use luthier_eval::MetricDescriptor;
use luthier_synth::TemplateDescriptor;
use serde_json::Value;
use wasmtime::{Store, Trap};

use crate::audit::Audit;
use crate::bindings::{data, metric, row_metric, template};
use crate::call::Guest;
use crate::columns::Expected;
use crate::limits::{Limits, NO_ROWS};
use crate::metric::MetricShape;
use crate::runtime::Runtime;
use crate::state::State;
use crate::{Error, Issue, MetricPlugin, TemplatePlugin, text};

/// Everything that a run may depend on besides rows and configuration.
#[derive(Debug, Clone)]
pub struct Context {
    /// Names the run in log lines.
    pub run_id: String,
    /// The plugin's only source of randomness.
    pub seed: u64,
    /// BCP 47 tag.
    pub locale: String,
    /// Ends a call within a tenth of a second when it becomes true.
    pub cancel: Option<Arc<AtomicBool>>,
}

impl Default for Context {
    fn default() -> Self {
        Self { run_id: String::new(), seed: 0, locale: "en".to_owned(), cancel: None }
    }
}

impl Context {
    pub(crate) fn to_guest(&self, limits: &Limits) -> data::Context {
        data::Context {
            run_id: self.run_id.clone(),
            seed: self.seed,
            locale: self.locale.clone(),
            max_batch_rows: limits.batch_rows,
            max_batch_bytes: u32::try_from(limits.transfer_bytes).unwrap_or(u32::MAX),
        }
    }
}

/// A plugin that was audited, compiled, and has described itself. Clones are cheap.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) inner: Arc<Inner>,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("description", &self.inner.description).finish_non_exhaustive()
    }
}

pub(crate) struct Inner {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) limits: Limits,
    pub(crate) audit: Audit,
    pub(crate) world: World,
    pub(crate) description: Description,
}

/// A component whose imports and exports fit.
pub(crate) enum World {
    Metric(metric::MetricPluginAnyPre<State>),
    RowMetric(row_metric::RowMetricPre<State>),
    Template(template::TemplatePluginAnyPre<State>),
}

/// What a plugin says of itself, checked.
#[derive(Debug, Clone)]
pub(crate) enum Description {
    Metric(Box<MetricShape>),
    Template { descriptor: Box<TemplateDescriptor>, row_schema: Vec<Expected> },
}

impl Plugin {
    pub(crate) fn describe(runtime: Arc<Runtime>, limits: Limits, audit: Audit, world: World) -> Result<Self, Error> {
        // It has no name yet; its digest is what is known of it.
        let name = audit.digest.get(..19).unwrap_or_default().to_owned();
        let mut guest = Guest::new(&runtime, &name, limits, BTreeMap::new(), None);
        let wrong_types = |detail| Error::WrongTypes { world: audit.world, detail };
        let description = match &world {
            World::Metric(pre) => {
                let found = guest.call("describe", NO_ROWS, |store| {
                    let instance = pre.instantiate(&mut *store);
                    on_fit(store, instance, |instance, store| instance.luthier_plugin_metric().call_describe(store))
                })?;
                let found = found.map_err(wrong_types)?;
                crate::metric::check_descriptor(&guest, found, &audit.digest)?
            }
            World::RowMetric(pre) => {
                let found = guest.call("describe", NO_ROWS, |store| {
                    let instance = pre.instantiate(&mut *store);
                    on_fit(store, instance, |instance, store| instance.call_describe(store))
                })?;
                let found = found.map_err(wrong_types)?;
                crate::row_metric::check_descriptor(&guest, &found, &audit.digest)?
            }
            World::Template(pre) => {
                let found = guest.call("describe", NO_ROWS, |store| {
                    let instance = pre.instantiate(&mut *store);
                    on_fit(store, instance, |instance, store| instance.luthier_plugin_template().call_describe(store))
                })?;
                let found = found.map_err(wrong_types)?;
                crate::template::check_descriptor(&guest, found)?
            }
        };
        Ok(Self { inner: Arc::new(Inner { runtime, limits, audit, world, description }) })
    }

    /// What was read from its bytes.
    pub fn audit(&self) -> &Audit {
        &self.inner.audit
    }

    /// Its id, as `execution-accuracy`.
    pub fn id(&self) -> &str {
        match &self.inner.description {
            Description::Metric(shape) => &shape.id,
            Description::Template { descriptor, .. } => &descriptor.id,
        }
    }

    /// Its version.
    pub fn version(&self) -> &str {
        match &self.inner.description {
            Description::Metric(shape) => &shape.version,
            Description::Template { descriptor, .. } => &descriptor.version,
        }
    }

    /// One line about it.
    pub fn summary(&self) -> &str {
        match &self.inner.description {
            Description::Metric(shape) => &shape.summary,
            Description::Template { descriptor, .. } => &descriptor.summary,
        }
    }

    /// JSON Schema of its configuration.
    pub fn config_schema(&self) -> &Value {
        match &self.inner.description {
            Description::Metric(shape) => &shape.config_schema,
            Description::Template { descriptor, .. } => &descriptor.config_schema,
        }
    }

    /// What it says of itself, if it is a template.
    pub fn template_descriptor(&self) -> Option<&TemplateDescriptor> {
        match &self.inner.description {
            Description::Template { descriptor, .. } => Some(descriptor),
            Description::Metric(_) => None,
        }
    }

    /// What it says of its outputs, if it is a metric.
    pub fn metric_descriptors(&self) -> Option<&[MetricDescriptor]> {
        match &self.inner.description {
            Description::Metric(shape) => Some(&shape.descriptors),
            Description::Template { .. } => None,
        }
    }

    /// Opens a metric for one run. `databases` are granted read-only under their names.
    pub fn open_metric(
        &self,
        config: &Value,
        context: Context,
        databases: &BTreeMap<String, PathBuf>,
    ) -> Result<MetricPlugin, Error> {
        MetricPlugin::open(self, config, context, databases)
    }

    /// Opens a template for one run. `databases` are granted read-only under their names; those that
    /// the template brings ([`TemplateDescriptor::databases`]) are the caller's to build and to include.
    pub fn open_template(
        &self,
        config: &Value,
        context: Context,
        databases: &BTreeMap<String, PathBuf>,
    ) -> Result<TemplatePlugin, Error> {
        TemplatePlugin::open(self, config, context, databases)
    }

    pub(crate) fn guest(&self, context: &Context, databases: &BTreeMap<String, PathBuf>) -> Guest {
        let Inner { runtime, limits, .. } = &*self.inner;
        Guest::new(runtime, self.id(), *limits, databases.clone(), context.cancel.clone())
    }

    pub(crate) fn wrong_kind(&self, expected: &'static str) -> Error {
        let found = match self.inner.description {
            Description::Metric(_) => "metric",
            Description::Template { .. } => "template",
        };
        Error::WrongKind { plugin: self.id().to_owned(), expected, found }
    }
}

/// Types are compared when a component is instantiated: an error that is neither a trap nor a
/// limit is a difference of types.
fn on_fit<I, R>(
    store: &mut Store<State>,
    instance: wasmtime::Result<I>,
    call: impl FnOnce(I, &mut Store<State>) -> wasmtime::Result<R>,
) -> wasmtime::Result<Result<R, String>> {
    match instance {
        Ok(instance) => call(instance, store).map(Ok),
        Err(error) if error.downcast_ref::<Trap>().is_some() => Err(error),
        Err(error) if store.data().memory.refused_bytes.is_some() => Err(error),
        Err(error) => Ok(Err(format!("{error:#}"))),
    }
}

/// An error that the plugin itself returned.
pub(crate) fn refused(guest: &Guest, call: &'static str, error: data::Error) -> Error {
    let plugin = guest.plugin().to_owned();
    let limit = guest.limits().text_bytes;
    let clean = |message: &str| text::clean(message, limit);
    let message = match error {
        data::Error::InvalidConfig(issues) => {
            let issues = issues
                .iter()
                .take(32)
                .map(|issue| Issue { pointer: clean(&issue.pointer), message: clean(&issue.message) })
                .collect();
            return Error::InvalidConfig { plugin, issues };
        }
        data::Error::SchemaMismatch(message) => format!("columns do not match: {}", clean(&message)),
        data::Error::InvalidRows(rows) => {
            let rows: Vec<_> = rows
                .iter()
                .take(8)
                .map(|row| format!("row {}: {} ({})", row.row, clean(&row.message), clean(&row.code)))
                .collect();
            format!("invalid rows: {}", rows.join("; "))
        }
        data::Error::Unsupported(message) => format!("unsupported: {}", clean(&message)),
        data::Error::Internal(message) => clean(&message),
    };
    Error::Refused { plugin, call, message }
}

/// An id, version and summary, fit to be shown.
pub(crate) fn identity(guest: &Guest, id: &str, version: &str, summary: &str) -> Result<[String; 3], Error> {
    for (what, name) in [("id", id), ("version", version)] {
        if !text::is_name(name) {
            return Err(Error::InvalidResult {
                plugin: guest.plugin().to_owned(),
                call: "describe",
                expected: format!("an {what} of letters, digits, `-`, `_` and `.`").replace("an version", "a version"),
                finding: format!("`{}`", text::clean(name, 64)),
            });
        }
    }
    Ok([id.to_owned(), version.to_owned(), text::clean(summary, guest.limits().text_bytes)])
}
