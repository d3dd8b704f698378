//! A core module becomes a component: what C, Zig or `wasm32-unknown-unknown` makes without a component linker.
//!
//! Two kinds are taken: modules that carry a `component-type` section (wit-bindgen leaves one), and modules that export
//! the names of one of the interface's worlds as the canonical ABI spells them, as `describe` and `score-row`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use luthier_plugin_build::sdk;
use wasmparser::{Encoding, Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::limits::Limits;
use crate::{Error, text};

/// What the canonical ABI asks of a module besides its functions.
const PLUMBING: [&str; 2] = ["memory", "cabi_realloc"];
/// Functions of the smallest world.
const ROW_METRIC: [&str; 2] = ["describe", "score-row"];
/// Bytes of a finding.
const DETAIL_BYTES: usize = 2_048;

/// The component of a core module; anything else as it is.
///
/// # Errors
/// [`Error::CoreModule`] for a module that exports no world, [`Error::ForbiddenImport`] for one that imports what no
/// plugin gets, [`Error::Misfit`] for one that nearly fits, with what is missing.
pub fn into_component(bytes: Vec<u8>, limits: &Limits) -> Result<Vec<u8>, Error> {
    if !is_core_module(&bytes) {
        return Ok(bytes);
    }
    if bytes.len() > limits.component_bytes {
        return Err(Error::Oversize { found: bytes.len(), limit: limits.component_bytes });
    }
    let module = Module::read(&bytes)?;
    module.check_imports(limits)?;
    let world = match module.has_metadata {
        true => None,
        false => Some(module.world()?),
    };
    // The encoder reads a stranger's bytes; should it panic, that is an error like any other.
    let outcome = catch_unwind(AssertUnwindSafe(|| encode(&bytes, world)));
    let world = world.unwrap_or("that its component-type section names");
    let misfit = |detail: String| Error::Misfit { world, detail: text::clean(&detail, DETAIL_BYTES) };
    outcome.map_err(|_| misfit("the module cannot be read".to_owned()))?.map_err(misfit)
}

fn is_core_module(bytes: &[u8]) -> bool {
    bytes.get(..8) == Some(b"\0asm\x01\0\0\0")
}

fn encode(bytes: &[u8], world: Option<&str>) -> Result<Vec<u8>, String> {
    let mut module = bytes.to_vec();
    if let Some(world) = world {
        let words = |error: &dyn std::fmt::Display| format!("{error:#}");
        let mut resolve = Resolve::default();
        let package = resolve.push_str("plugin.wit", sdk::WIT).map_err(|error| words(&error))?;
        let world = resolve.select_world(&[package], Some(world)).map_err(|error| words(&error))?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(|error| words(&error))?;
    }
    let encoder = ComponentEncoder::default().validate(true).module(&module).map_err(|error| format!("{error:#}"))?;
    let mut encoder = encoder;
    encoder.encode().map_err(|error| format!("{error:#}"))
}

/// Names of a core module.
#[derive(Debug, Default)]
struct Module {
    imports: Vec<String>,
    exports: Vec<String>,
    has_metadata: bool,
}

impl Module {
    fn read(bytes: &[u8]) -> Result<Module, Error> {
        let malformed = |error: wasmparser::BinaryReaderError| Error::Malformed { detail: error.to_string() };
        let mut module = Module::default();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(malformed)? {
                Payload::Version { encoding: Encoding::Component, .. } => return Ok(module),
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        module.imports.push(import.map_err(malformed)?.module.to_owned());
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        module.exports.push(export.map_err(malformed)?.name.to_owned());
                    }
                }
                Payload::CustomSection(section) => module.has_metadata |= section.name().starts_with("component-type"),
                _ => {}
            }
        }
        Ok(module)
    }

    fn check_imports(&self, limits: &Limits) -> Result<(), Error> {
        let mut strangers: Vec<String> = self
            .imports
            .iter()
            .filter(|name| !name.starts_with("luthier:plugin/") && !name.starts_with("[export]luthier:plugin/"))
            .map(|name| text::clean(name, limits.text_bytes))
            .collect();
        strangers.dedup();
        if strangers.is_empty() {
            return Ok(());
        }
        let reason = "luthier gives plugins luthier:plugin/log, sql and exec, and nothing else; build without a C \
                      library or WASI (clang: -ffreestanding -nostdlib)";
        Err(Error::ForbiddenImport { imports: strangers, reason: reason.to_owned() })
    }

    /// The world that the exports are of.
    fn world(&self) -> Result<&'static str, Error> {
        let exports = |wanted: &str| self.exports.iter().any(|name| name == wanted);
        let of_interface =
            |name: &str| self.exports.iter().any(|export| export.starts_with(&format!("luthier:plugin/{name}@")));
        let (world, needed): (_, &[&str]) = if of_interface("metric") {
            ("metric-plugin-any", &[])
        } else if of_interface("template") {
            ("template-plugin-any", &[])
        } else if ROW_METRIC.iter().any(|name| exports(name)) {
            ("row-metric", &ROW_METRIC)
        } else {
            return Err(Error::CoreModule);
        };
        let missing: Vec<&str> = needed.iter().chain(&PLUMBING).copied().filter(|name| !exports(name)).collect();
        if missing.is_empty() {
            return Ok(world);
        }
        Err(Error::Misfit { world, detail: format!("it does not export {}", missing.join(", ")) })
    }
}

#[cfg(test)]
mod tests;
