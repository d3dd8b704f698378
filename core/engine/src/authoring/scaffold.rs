//! `plugin new`: a folder with a small plugin that builds, has golden cases, and is easily changed.

use std::path::{Path, PathBuf};

use luthier_plugin_build::sdk;

use super::languages::Language;
use crate::Error;
use crate::project::{Project, check_name};

const CARGO_TOML: &str = include_str!("templates/Cargo.toml.txt");
const METRIC_RS: &str = include_str!("templates/metric.rs.txt");
const TEMPLATE_RS: &str = include_str!("templates/template.rs.txt");
const METRIC_GOLDEN: &str = include_str!("templates/metric.golden.jsonl");
const TEMPLATE_GOLDEN: &str = include_str!("templates/template.golden.jsonl");
const PLUGIN_C: &str = include_str!("templates/plugin.c.txt");
const LUTHIER_H: &str = include_str!("templates/luthier.h");
const PLUGIN_PY: &str = include_str!("templates/plugin.py.txt");
const PLUGIN_JS: &str = include_str!("templates/plugin.js.txt");
const BUILD_MJS: &str = include_str!("templates/build.mjs.txt");
const PACKAGE_JSON: &str = include_str!("templates/package.json.txt");
const PLUGIN_TOML: &str = include_str!("templates/plugin.toml.txt");
const README: &str = include_str!("templates/README.md.txt");

/// Makes `<project>/<name>`. The finding, if it is there already or the language has no such plugins.
pub(crate) fn scaffold(project: &Project, name: &str, kind: &str, lang: &str) -> Result<PathBuf, Error> {
    check_name("plugin", name)?;
    let folder = project.resolve(name);
    if folder.exists() {
        return Err(Error::Exists { what: "folder", name: name.to_owned() });
    }
    let language = Language::parse(lang).ok_or_else(|| Error::invalid("lang", lang, "rust, python, c or js"))?;
    let is_template = match kind {
        "metric" => false,
        "template" => true,
        other => return Err(Error::invalid("kind", other, "metric or template")),
    };
    if is_template && language != Language::Rust {
        return Err(Error::invalid(
            "lang",
            lang,
            "rust: templates are written in Rust, row metrics in any of the four",
        ));
    }
    let files: Vec<(&str, &str)> = match language {
        Language::Rust if is_template => vec![("src/lib.rs", TEMPLATE_RS), ("golden.jsonl", TEMPLATE_GOLDEN)],
        Language::Rust => vec![("src/lib.rs", METRIC_RS), ("golden.jsonl", METRIC_GOLDEN)],
        Language::C => vec![("plugin.c", PLUGIN_C), ("luthier.h", LUTHIER_H), ("golden.jsonl", METRIC_GOLDEN)],
        Language::Python => vec![("plugin.py", PLUGIN_PY), ("golden.jsonl", METRIC_GOLDEN)],
        Language::JavaScript => vec![
            ("plugin.js", PLUGIN_JS),
            ("build.mjs", BUILD_MJS),
            ("package.json", PACKAGE_JSON),
            ("golden.jsonl", METRIC_GOLDEN),
        ],
    };
    for (path, text) in files {
        write(&folder.join(path), &text.replace("{{name}}", name))?;
    }
    write(&folder.join("README.md"), &README.replace("{{name}}", name))?;
    match language {
        Language::Rust => rust_crate(&folder, name)?,
        _ => write(&folder.join("plugin.toml"), &PLUGIN_TOML.replace("{{name}}", name))?,
    }
    Ok(folder)
}

/// A folder for the source of a cell, in the project's `.luthier`.
pub(crate) fn cell_folder(project: &Project, name: &str, source: &str) -> Result<PathBuf, Error> {
    check_name("plugin", name)?;
    let folder = project.subdir("cells")?.join(name);
    rust_crate(&folder, name)?;
    write(&folder.join("src/lib.rs"), source)?;
    Ok(folder)
}

/// The manifest and the SDK that it builds with.
fn rust_crate(folder: &Path, name: &str) -> Result<(), Error> {
    write(&folder.join("Cargo.toml"), &CARGO_TOML.replace("{{name}}", name))?;
    let lock = folder.join("Cargo.lock");
    if !lock.exists() {
        write(&lock, sdk::LOCK)?;
    }
    write(&folder.join(".gitignore"), "/target\n*.wasm\n")?;
    for (path, text) in sdk::files() {
        write(&folder.join("luthier-plugin").join(path), &text)?;
    }
    Ok(())
}

/// Only what changes is written, so that cargo builds nothing anew.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    if std::fs::read(path).is_ok_and(|found| found == text.as_bytes()) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|source| Error::io("make", parent, source))?;
    }
    luthier_data::atomic::write(path, text.as_bytes()).map_err(|source| Error::io("write", path, source))
}
