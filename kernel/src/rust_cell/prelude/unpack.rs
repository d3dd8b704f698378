//! The archive that `build.rs` packs, read back.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::PreludeError;

pub(super) struct Unpacked {
    /// Content by path, `<package>-<version>/src/lib.rs`.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// In the order of their names.
    pub(super) packages: Vec<Package>,
}

pub(super) struct Package {
    pub(super) name: String,
    /// `<name>-<version>`.
    pub(super) dir_name: String,
    /// Directory names of the packages it is built with, by their names.
    dependencies: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct IndexEntry {
    name: String,
    dependencies: BTreeMap<String, String>,
}

fn damaged(what: impl ToString) -> PreludeError {
    PreludeError::Archive { what: what.to_string() }
}

impl Unpacked {
    /// `n_bytes` is the size once inflated: no more is ever reserved.
    pub(super) fn new(archive: &[u8], n_bytes: usize) -> Result<Self, PreludeError> {
        let plain = miniz_oxide::inflate::decompress_to_vec_with_limit(archive, n_bytes).map_err(damaged)?;
        let mut rest = plain.as_slice();
        let mut files = BTreeMap::new();
        while !rest.is_empty() {
            let path = String::from_utf8(take(&mut rest)?.to_vec()).map_err(damaged)?;
            if path.starts_with('/') || path.split('/').any(|part| part == "..") {
                return Err(damaged(format!("a file is called {path}")));
            }
            let content = take(&mut rest)?.to_vec();
            files.insert(path, content);
        }
        let index = files.remove("packages.json").ok_or_else(|| damaged("no packages.json"))?;
        let index: BTreeMap<String, IndexEntry> = serde_json::from_slice(&index).map_err(damaged)?;
        let packages = index
            .into_iter()
            .map(|(dir_name, entry)| Package { name: entry.name, dir_name, dependencies: entry.dependencies })
            .collect();
        Ok(Unpacked { files, packages })
    }

    /// A package's manifest with its dependencies rewritten to sibling directories, so that cargo
    /// asks no registry, and without what only its own tests need.
    pub(super) fn manifest(&self, path: &str, content: &[u8]) -> Result<String, PreludeError> {
        let dir_name = path.split('/').next().unwrap_or_default();
        let package = self.packages.iter().find(|package| package.dir_name == dir_name);
        let package = package.ok_or_else(|| damaged(format!("{path} belongs to no package")))?;
        let text = std::str::from_utf8(content).map_err(damaged)?;
        let mut manifest: toml::Table = text.parse().map_err(|error| damaged(format!("{path}: {error}")))?;
        for section in ["dev-dependencies", "lints", "test", "bench", "example", "bin", "workspace", "profile"] {
            manifest.remove(section);
        }
        // Otherwise cargo takes the prelude's workspace for theirs, or looks for one above.
        manifest.insert("workspace".into(), toml::Value::Table(toml::Table::new()));
        // Path packages show their warnings, and a person's cell is no place for them.
        let allow = [("warnings".to_owned(), toml::Value::String("allow".into()))].into_iter().collect();
        let lints = [("rust".to_owned(), toml::Value::Table(allow))].into_iter().collect();
        manifest.insert("lints".into(), toml::Value::Table(lints));
        rewrite_dependencies(&mut manifest, |name| package.dependencies.get(name));
        if let Some(toml::Value::Table(targets)) = manifest.get_mut("target") {
            for (_, target) in targets.iter_mut() {
                if let toml::Value::Table(target) = target {
                    target.remove("dev-dependencies");
                    self.rewrite_target(target);
                }
            }
        }
        drop_features_of_removed_dependencies(&mut manifest);
        Ok(manifest.to_string())
    }

    /// Cargo resolves the dependencies of every platform, and would look for those of others in the
    /// registry: what is not here is not needed here.
    fn rewrite_target(&self, target: &mut toml::Table) {
        let by_name =
            |name: &str| self.packages.iter().find(|package| package.name == name).map(|package| &package.dir_name);
        rewrite_dependencies(target, by_name);
        for section in ["dependencies", "build-dependencies"] {
            if let Some(toml::Value::Table(dependencies)) = target.get_mut(section) {
                dependencies.retain(|_, dependency| dependency.get("path").is_some());
            }
        }
    }
}

/// Dependencies of one table become paths where `dir_name_of` knows one.
fn rewrite_dependencies<'a>(table: &mut toml::Table, dir_name_of: impl Fn(&str) -> Option<&'a String>) {
    for section in ["dependencies", "build-dependencies"] {
        let Some(toml::Value::Table(dependencies)) = table.get_mut(section) else { continue };
        for (key, dependency) in dependencies.iter_mut() {
            if let toml::Value::String(version) = dependency {
                let version = toml::Value::String(std::mem::take(version));
                *dependency = toml::Value::Table([("version".to_owned(), version)].into_iter().collect());
            }
            let toml::Value::Table(dependency) = dependency else { continue };
            let name = dependency.get("package").and_then(toml::Value::as_str).unwrap_or(key);
            // One that is optional and was not chosen stays as it is: cargo never looks for it.
            if let Some(dir_name) = dir_name_of(name) {
                dependency.insert("path".into(), toml::Value::String(format!("../{dir_name}")));
            }
        }
    }
}

/// `nightly = ["bumpalo/allocator_api"]` is an error once the dev-dependency `bumpalo` is gone.
fn drop_features_of_removed_dependencies(manifest: &mut toml::Table) {
    let mut names = BTreeSet::new();
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let tables = targets.into_iter().flat_map(|targets| targets.values().filter_map(toml::Value::as_table));
    for table in std::iter::once(&*manifest).chain(tables) {
        for section in ["dependencies", "build-dependencies"] {
            let dependencies = table.get(section).and_then(toml::Value::as_table);
            names.extend(dependencies.into_iter().flat_map(toml::Table::keys).cloned());
        }
    }
    let Some(toml::Value::Table(features)) = manifest.get_mut("features") else { return };
    for (_, enabled) in features.iter_mut() {
        if let toml::Value::Array(enabled) = enabled {
            enabled.retain(|feature| {
                let feature = feature.as_str().unwrap_or_default();
                let of_dependency = feature.strip_prefix("dep:").or(feature.split_once('/').map(|(name, _)| name));
                of_dependency.is_none_or(|name| names.contains(name.trim_end_matches('?')))
            });
        }
    }
}

/// The next length and that many bytes.
fn take<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], PreludeError> {
    let cut = || damaged("the archive ends too early");
    let (length, after) = rest.split_at_checked(4).ok_or_else(cut)?;
    let length = length.try_into().map(u32::from_le_bytes).map_err(damaged)?;
    let (part, after) = after.split_at_checked(length as usize).ok_or_else(cut)?;
    *rest = after;
    Ok(part)
}
