//! Runs plugins: WebAssembly components that make, prompt, check and score rows, and can do nothing else.
//!
//! ```no_run
//! # fn main() -> Result<(), luthier_plugin_host::Error> {
//! use luthier_plugin_host::{Context, Host, HostConfig};
//! let host = Host::new(HostConfig::default())?;
//! let plugin = host.load(luthier_plugin_host::builtin("exact-match").unwrap_or_default())?;
//! let metric = plugin.open_metric(&serde_json::json!({}), Context::default(), &Default::default())?;
//! # Ok(()) }
//! ```
//!
//! A guest is hostile until shown otherwise: its imports are read before it is compiled ([`audit`]),
//! every call has fuel, a memory limit and a stack of its own ([`limits`]), everything that it
//! returns is checked before Arrow sees it, and its instance is dropped after any trap. All calls
//! run in one mode: metered in fuel, with canonical NaNs, without a clock; so a score is the same on
//! every machine. This crate knows nothing of models, of the engine, or of Jupyter.

#![warn(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic"))]

pub mod audit;
mod bindings;
mod builtins;
mod cache;
mod call;
mod columns;
mod componentize;
pub mod conformance;
mod error;
mod exec;
pub mod golden;
mod host;
pub mod limits;
mod metric;
pub mod package;
mod plugin;
mod row_metric;
mod runtime;
pub mod sql;
mod state;
mod template;
mod text;

pub use audit::{Audit, Kind};
pub use builtins::{builtin, builtins};
pub use call::Receipt;
pub use componentize::into_component;
pub use error::{Error, Issue, TrapSite};
pub use host::{Host, HostConfig};
pub use limits::Limits;
pub use metric::MetricPlugin;
pub use package::Package;
pub use plugin::{Context, Plugin};
pub use sql::build_database;
pub use template::{ParsedRows, TemplatePlugin};

#[cfg(test)]
mod tests;
