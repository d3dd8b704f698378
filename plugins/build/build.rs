//! The SDK's sources and the interface, as `plugin new` writes them: whatever files there are.

use std::fmt::Write;
use std::path::{Path, PathBuf};

#[allow(clippy::disallowed_methods, reason = "what a build script makes is cargo's")]
fn main() {
    let manifest = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let sdk = manifest.join("../sdk/src");
    let mut files = Vec::new();
    collect(&sdk, &mut files);
    files.sort();
    let mut text = String::from("&[\n");
    for file in &files {
        let name = file.strip_prefix(&sdk).unwrap_or(file);
        let path = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        let _ = writeln!(text, "    ({:?}, include_str!({:?})),", Path::new("src").join(name), path);
    }
    text.push(']');
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("sdk.rs");
    if let Err(error) = std::fs::write(&out, text) {
        println!("cargo::error=cannot write {}: {error}", out.display());
    }
    println!("cargo::rerun-if-changed={}", sdk.display());
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path.file_name() != Some("tests.rs".as_ref())
        {
            files.push(path);
        }
    }
}
