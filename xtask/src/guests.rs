//! Builds the first-party plugins from source, or compares them with the committed components.
//!
//! Built with Debian's compiler (`luthier_plugin_build::toolchain`), because its bytes are reproducible: they are
//! those that were committed, with the toolchain in `plugins/digests.json`. `golden.jsonl` and `README.md` of a
//! plugin's folder travel inside its component.

mod component;
mod python;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::shell;
use luthier_plugin_build::toolchain::Build;
use luthier_plugin_build::{Toolchain, sections};

/// Every guest: its name and the directory of its source and of its component, `<name>.wasm`. Its crate is `luthier-<name>`.
const GUESTS: [(&str, &str); 21] = [
    ("exact-match", "plugins/exact-match"),
    ("execution-accuracy", "plugins/execution-accuracy"),
    ("text-to-sql", "plugins/text-to-sql"),
    ("f1", "plugins/f1"),
    ("precision-recall-f1", "plugins/precision-recall-f1"),
    ("bleu", "plugins/bleu"),
    ("chrf", "plugins/chrf"),
    ("rouge", "plugins/rouge"),
    ("levenshtein", "plugins/levenshtein"),
    ("regex", "plugins/regex"),
    ("json-validity", "plugins/json-validity"),
    ("pass-at-k", "plugins/pass-at-k"),
    ("perplexity", "plugins/perplexity"),
    ("bits-per-byte", "plugins/bits-per-byte"),
    ("multiple-choice", "plugins/multiple-choice"),
    ("custom", "plugins/custom"),
    ("code-generation", "plugins/code-generation"),
    ("hostile", "tests/guests/hostile"),
    ("columns", "tests/guests/columns"),
    ("echo", "tests/guests/echo"),
    ("reducer", "tests/guests/reducer"),
];
/// What a plugin may import; the same list as the host's audit.
const ALLOWED_IMPORTS: &str = "luthier:plugin/";

/// One line of `plugins/digests.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Digest {
    path: String,
    sha256: String,
    size: usize,
    toolchain: String,
}

/// `cargo xtask guests [--check | --python]`
pub(crate) fn run(args: &[String]) -> Result<()> {
    let check = match args {
        [] => false,
        [flag] if flag == "--check" => true,
        [flag] if flag == "--python" => return python::build(),
        _ => bail!("usage: cargo xtask guests [--check | --python]"),
    };
    let root = shell::root();
    let toolchain = Toolchain::debian(&shell::target_dir().join("guest-toolchain"), &mut shell::say)?;
    let built = build(&root, &toolchain)?;
    let committed = read_digests(&root)?;
    if check { compare(&root, &built, &committed, &toolchain) } else { commit(&root, &built, &toolchain) }
}

/// The interpreter of generated programs, unless it is there from the same source already.
pub(crate) fn python() -> Result<()> {
    python::ensure()
}

/// Name and component of every guest.
fn build(root: &Path, toolchain: &Toolchain) -> Result<BTreeMap<&'static str, Vec<u8>>> {
    let target = shell::target_dir().join("guests");
    let packages = GUESTS.map(|(name, _)| format!("luthier-{name}"));
    shell::run(&mut toolchain.cargo_build(Build { root, target_dir: &target, packages: &packages, locked: true }))?;
    GUESTS
        .into_iter()
        .map(|(name, directory)| {
            let path = Toolchain::artifact(&target, &format!("luthier-{name}"));
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let names = component::names(&bytes).with_context(|| format!("{name} is not a component"))?;
            let stranger = names.imports.iter().find(|import| !import.starts_with(ALLOWED_IMPORTS));
            ensure!(stranger.is_none(), "{name} imports {}", stranger.map_or("", String::as_str));
            Ok((name, package(&root.join(directory), &bytes)?))
        })
        .collect()
}

/// The component with what its folder says of it.
fn package(folder: &Path, component: &[u8]) -> Result<Vec<u8>> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let about = serde_json::json!({ "license": "MIT OR Apache-2.0", "authors": ["The Luthier authors"] });
    let (golden, readme) = (read("golden.jsonl"), read("README.md"));
    Ok(sections::package(component, &about.to_string(), golden.as_deref(), readme.as_deref())?)
}

fn commit(root: &Path, built: &BTreeMap<&str, Vec<u8>>, toolchain: &Toolchain) -> Result<()> {
    let mut digests = BTreeMap::new();
    for (name, bytes) in built {
        write(&root.join(component_path(name)), bytes)?;
        let digest = Digest {
            path: component_path(name),
            sha256: component::sha256(bytes),
            size: bytes.len(),
            toolchain: toolchain.name().to_owned(),
        };
        shell::say(&format!("{name}: {} bytes, sha256 {}", digest.size, digest.sha256));
        digests.insert((*name).to_owned(), digest);
    }
    let text = serde_json::to_string_pretty(&digests)? + "\n";
    write(&digests_path(root), text.as_bytes())
}

/// Equal bytes where the toolchain is the recorded one; elsewhere equal imports and exports.
fn compare(
    root: &Path,
    built: &BTreeMap<&str, Vec<u8>>,
    committed: &BTreeMap<String, Digest>,
    toolchain: &Toolchain,
) -> Result<()> {
    let mut problems = Vec::new();
    for (name, bytes) in built {
        let path = root.join(component_path(name));
        let stored = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let Some(digest) = committed.get(*name) else {
            problems.push(format!("{name}: not in plugins/digests.json"));
            continue;
        };
        if component::sha256(&stored) != digest.sha256 || stored.len() != digest.size {
            problems.push(format!("{name}: the committed component is not the one in plugins/digests.json"));
        }
        if digest.toolchain == toolchain.name() {
            if *bytes == stored {
                shell::say(&format!("{name}: rebuilt, equal bytes"));
            } else {
                problems.push(format!("{name}: its source gives other bytes than the committed ones"));
            }
            continue;
        }
        if component::names(bytes)? == component::names(&stored)? {
            shell::say(&format!(
                "{name}: rebuilt with another toolchain ({}), equal imports and exports",
                toolchain.name()
            ));
        } else {
            problems.push(format!("{name}: its source gives other imports or exports than the committed component"));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{}\nrun `cargo xtask guests` and commit the result", problems.join("\n"))
}

fn read_digests(root: &Path) -> Result<BTreeMap<String, Digest>> {
    let path = digests_path(root);
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| format!("cannot read {}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// From the root of the repository.
fn component_path(name: &str) -> String {
    let directory = GUESTS.iter().find(|(guest, _)| *guest == name).map_or("plugins", |(_, directory)| directory);
    format!("{directory}/{name}.wasm")
}

fn digests_path(root: &Path) -> PathBuf {
    root.join("plugins/digests.json")
}

/// A sibling, then a rename: an interrupted build leaves the old component.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let sibling = path.with_extension("new");
    #[allow(clippy::disallowed_methods, reason = "this is the sibling that is renamed")]
    std::fs::write(&sibling, bytes).with_context(|| format!("cannot write {}", sibling.display()))?;
    std::fs::rename(&sibling, path).with_context(|| format!("cannot write {}", path.display()))
}
