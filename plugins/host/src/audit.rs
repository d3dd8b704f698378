//! What a component is and asks for, read from its bytes before anything is compiled or run.

use sha2::{Digest, Sha256};
use wasmparser::{ComponentTypeRef, Encoding, Parser, Payload};

use crate::limits::Limits;
use crate::{Error, text};

/// Version of the interface that this host speaks.
pub const INTERFACE_VERSION: &str = "0.1.0";

/// What a component's exports make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Exports `metric`.
    Metric,
    /// Exports `describe` and `score-row`.
    RowMetric,
    /// Exports `template`.
    Template,
}

/// What is known of a component before it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// What it is.
    pub kind: Kind,
    /// The world that it fits, by its exports and imports.
    pub world: &'static str,
    /// What it asks for, in order: what it may do.
    pub imports: Vec<String>,
    /// `sha256:…` of its bytes.
    pub digest: String,
    /// Its size.
    pub size_bytes: usize,
}

/// Reads a component's imports and exports; refuses what no host of this version would run.
pub fn audit(bytes: &[u8], limits: &Limits) -> Result<Audit, Error> {
    if bytes.len() > limits.component_bytes {
        return Err(Error::Oversize { found: bytes.len(), limit: limits.component_bytes });
    }
    let names = read_names(bytes)?;
    let imports: Vec<_> = names.imports.iter().map(|name| text::clean(name, limits.text_bytes)).collect();
    check_imports(&imports)?;
    let kind = kind_of(&names.exports, limits)?;
    Ok(Audit { kind, world: world_of(kind, &imports), imports, digest: digest(bytes), size_bytes: bytes.len() })
}

/// What a component imports, by name; nothing else of it is judged.
pub(crate) fn imports(bytes: &[u8]) -> Result<Vec<String>, Error> {
    Ok(read_names(bytes)?.imports)
}

/// `sha256:…`
pub fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

#[derive(Default)]
struct Names {
    imports: Vec<String>,
    exports: Vec<String>,
}

/// Names in the outermost component. Nested modules and components import from it alone.
fn read_names(bytes: &[u8]) -> Result<Names, Error> {
    let malformed = |error: wasmparser::BinaryReaderError| Error::Malformed { detail: error.to_string() };
    let mut names = Names::default();
    let mut depth = 0u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => return Err(Error::CoreModule),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(malformed)?;
                    // A type that is imported by name (`use` in a world) gives a plugin nothing to call.
                    if !matches!(import.ty, ComponentTypeRef::Type(_)) {
                        names.imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    names.exports.push(export.map_err(malformed)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

fn check_imports(imports: &[String]) -> Result<(), Error> {
    let strangers: Vec<_> = imports.iter().filter(|name| !name.starts_with("luthier:plugin/")).cloned().collect();
    if !strangers.is_empty() {
        let wasi = strangers.iter().any(|name| name.starts_with("wasi:"));
        let reason = if wasi {
            "luthier gives plugins no WASI; build for wasm32-unknown-unknown instead of wasm32-wasip1 or wasip2 \
             (Python: componentize-py --stub-wasi)"
        } else {
            "luthier gives plugins luthier:plugin/log, sql and exec, and nothing else"
        };
        return Err(Error::ForbiddenImport { imports: strangers, reason: reason.to_owned() });
    }
    for import in imports {
        check_version(import)?;
        let interface = interface(import);
        if !matches!(interface, "data" | "log" | "sql" | "exec" | "metric" | "template") {
            return Err(Error::ForbiddenImport {
                imports: vec![import.clone()],
                reason: "luthier:plugin@0.1 has no such interface".to_owned(),
            });
        }
    }
    Ok(())
}

/// `luthier:plugin/metric@0.1.0` → `metric`
fn interface(name: &str) -> &str {
    let name = name.strip_prefix("luthier:plugin/").unwrap_or(name);
    name.split_once('@').map_or(name, |(interface, _)| interface)
}

/// The minor version of a 0.x package breaks; see wit/README.md.
fn check_version(name: &str) -> Result<(), Error> {
    let version = name.split_once('@').map(|(_, version)| version).unwrap_or_default();
    let compatible = version.strip_prefix("0.1.").is_some_and(|patch| patch.parse::<u32>().is_ok());
    if compatible {
        Ok(())
    } else {
        Err(Error::InterfaceVersion { found: name.to_owned(), supported: INTERFACE_VERSION })
    }
}

fn kind_of(exports: &[String], limits: &Limits) -> Result<Kind, Error> {
    for export in exports.iter().filter(|name| name.starts_with("luthier:plugin/")) {
        check_version(export)?;
        match interface(export) {
            "metric" => return Ok(Kind::Metric),
            "template" => return Ok(Kind::Template),
            _ => {}
        }
    }
    let has = |name: &str| exports.iter().any(|export| export == name);
    if has("describe") && has("score-row") {
        return Ok(Kind::RowMetric);
    }
    let exports = exports.iter().take(8).map(|name| text::clean(name, limits.text_bytes)).collect();
    Err(Error::NoWorld { exports })
}

fn world_of(kind: Kind, imports: &[String]) -> &'static str {
    let has = |wanted: &str| imports.iter().any(|name| interface(name) == wanted);
    match (kind, has("sql"), has("exec")) {
        (Kind::Metric, false, false) => "metric-plugin",
        (Kind::Metric, true, false) => "metric-plugin-sql",
        (Kind::Metric, false, true) => "metric-plugin-exec",
        (Kind::Metric, true, true) => "metric-plugin-any",
        (Kind::Template, false, false) => "template-plugin",
        (Kind::Template, true, false) => "template-plugin-sql",
        (Kind::Template, false, true) => "template-plugin-exec",
        (Kind::Template, true, true) => "template-plugin-any",
        (Kind::RowMetric, _, _) => "row-metric",
    }
}
