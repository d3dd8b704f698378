//! Packs the sources of the client crate and of everything it is built from into one archive, which
//! the kernel carries: a person's machine builds the Rust cells' prelude from it, without a network.
//!
//! The archive is a sequence of (path, content), each a little-endian `u32` length and that many
//! bytes, deflated as a whole. `packages.json` in it says which package lies where and which
//! packages it depends on.

#![allow(clippy::disallowed_methods, reason = "cargo runs a build script alone in its own directory")]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

/// Directories of a package that a build does not need.
const SKIPPED_DIRS: [&str; 7] = ["tests", "benches", "examples", "target", "fuzz", "ci", "crates"];

/// A file that is larger is data of tests, not source.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The package whose closure is packed.
const ROOT: &str = "luthier";

fn main() {
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../Cargo.lock");

    let metadata = metadata(&manifest_dir);
    let mut files = BTreeMap::new();
    let mut packages = Map::new();
    for package in closure(&metadata) {
        let name = text(&package.json, "name");
        let dir_name = format!("{name}-{}", text(&package.json, "version"));
        let source = Path::new(text(&package.json, "manifest_path")).parent().expect("a manifest lies in a directory");
        let ours = package.json["source"].is_null();
        collect(source, source, &dir_name, ours, &mut files);
        if ours {
            println!("cargo:rerun-if-changed={}", source.display());
            // The workspace that it inherits from stays behind.
            files.insert(format!("{dir_name}/Cargo.toml"), manifest(&package.json).into_bytes());
        }
        packages.insert(dir_name, json!({ "name": name, "dependencies": package.dependencies }));
    }
    let index = serde_json::to_vec_pretty(&Value::Object(packages)).expect("plain JSON");
    files.insert("packages.json".into(), index);

    let plain = archive(&files);
    let digest = fnv1a(&plain);
    fs::write(out_dir.join("prelude.bin"), miniz_oxide::deflate::compress_to_vec(&plain, 7))
        .expect("OUT_DIR can be written");
    println!("cargo:rustc-env=LUTHIER_PRELUDE_DIGEST={digest:016x}");
    println!("cargo:rustc-env=LUTHIER_PRELUDE_BYTES={}", plain.len());
}

/// What cargo knows about the very resolution that this build uses. The network is asked only if
/// it must be: cargo wants every package of the lock file to be there, and a build without tests has
/// not downloaded what only tests need.
fn metadata(manifest_dir: &Path) -> Value {
    let output = run_metadata(manifest_dir, "--offline").or_else(|_| run_metadata(manifest_dir, "--locked"));
    let output = output.unwrap_or_else(|error| panic!("cargo metadata failed: {error}"));
    serde_json::from_slice(&output).expect("cargo metadata prints JSON")
}

fn run_metadata(manifest_dir: &Path, mode: &str) -> Result<Vec<u8>, String> {
    let cargo = env::var_os("CARGO").expect("cargo sets CARGO");
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", mode, "--filter-platform", &target, "--manifest-path"])
        .arg(manifest_dir.join("Cargo.toml"))
        .output()
        .expect("cargo can be started");
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

struct Package {
    json: Value,
    /// Directory name of each package it is built with, by that package's name.
    dependencies: BTreeMap<String, String>,
}

/// The root and all it needs to be built, host side (derive macros, build scripts) included.
fn closure(metadata: &Value) -> Vec<Package> {
    let packages: BTreeMap<&str, &Value> =
        list(&metadata["packages"]).iter().map(|package| (text(package, "id"), package)).collect();
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).iter().map(|node| (text(node, "id"), node)).collect();
    let root =
        packages.iter().find(|(_, package)| text(package, "name") == ROOT).expect("the client is in the workspace").0;
    let mut found: BTreeMap<&str, Package> = BTreeMap::new();
    let mut waiting = vec![*root];
    while let Some(id) = waiting.pop() {
        if found.contains_key(id) {
            continue;
        }
        let mut dependencies = BTreeMap::new();
        for dependency in list(&nodes[id]["deps"]) {
            let needed = list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev");
            if needed {
                let package = packages[text(dependency, "pkg")];
                let dir_name = format!("{}-{}", text(package, "name"), text(package, "version"));
                dependencies.insert(text(package, "name").to_owned(), dir_name);
                waiting.push(text(dependency, "pkg"));
            }
        }
        found.insert(id, Package { json: packages[id].clone(), dependencies });
    }
    found.into_values().collect()
}

/// A manifest of one of our own crates that stands alone.
fn manifest(package: &Value) -> String {
    let mut lines = vec![
        "[package]".to_owned(),
        format!("name = {}", package["name"]),
        format!("version = {}", package["version"]),
        format!("edition = {}", package["edition"]),
        "[dependencies]".to_owned(),
    ];
    for dependency in list(&package["dependencies"]) {
        if dependency["kind"].is_null() {
            lines.push(format!(
                "{} = {{ version = \"*\", features = {}, default-features = {} }}",
                text(dependency, "name"),
                dependency["features"],
                dependency["uses_default_features"]
            ));
        }
    }
    lines.join("\n") + "\n"
}

fn collect(root: &Path, dir: &Path, dir_name: &str, ours: bool, files: &mut BTreeMap<String, Vec<u8>>) {
    let mut entries: Vec<_> = fs::read_dir(dir).expect("a package can be read").flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let metadata = entry.metadata().expect("a file has metadata");
        if metadata.is_dir() {
            let skipped = name.starts_with('.') || (dir == root && SKIPPED_DIRS.contains(&name.as_str()));
            if !skipped {
                collect(root, &path, dir_name, ours, files);
            }
        } else if metadata.len() <= MAX_FILE_BYTES && is_source(&name, ours) {
            let relative = path.strip_prefix(root).expect("inside the package").to_string_lossy().into_owned();
            files.insert(format!("{dir_name}/{relative}"), fs::read(&path).expect("a source can be read"));
        }
    }
}

/// What a build reads (documentation can be included in it), and the licences.
fn is_source(name: &str, ours: bool) -> bool {
    let tests = ours && name == "tests.rs";
    let kept = [".rs", ".toml", ".md", ".txt"].iter().any(|ending| name.ends_with(ending));
    (kept && !tests && name != "Cargo.toml.orig" && name != "CHANGELOG.md") || name.starts_with("LICEN")
}

fn archive(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (path, content) in files {
        for part in [path.as_bytes(), content] {
            let length = u32::try_from(part.len()).expect("files are smaller than 4 GiB");
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(part);
        }
    }
    bytes
}

/// FNV-1a, 64 bits: tells one archive from another, protects nothing.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
