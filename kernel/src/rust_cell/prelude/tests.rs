#![allow(clippy::disallowed_methods, reason = "files of a test need no atomic writer")]

use super::*;

#[test]
fn the_archive_holds_the_client_and_what_it_is_built_from() {
    let unpacked = Unpacked::new(ARCHIVE, env!("LUTHIER_PRELUDE_BYTES").parse().unwrap()).unwrap();
    let names: Vec<&str> = unpacked.packages.iter().map(|package| package.name.as_str()).collect();
    for expected in ["luthier", "luthier-protocol", "serde", "serde_derive", "serde_json", "syn"] {
        assert!(names.contains(&expected), "{names:?}");
    }
    // Each of them is compiled on a person's machine before the first Rust cell.
    assert!(names.len() <= 24, "{names:?}");
    assert!(!unpacked.files.keys().any(|path| path.starts_with("luthier") && path.ends_with("tests.rs")));
}

#[test]
fn every_chosen_dependency_is_a_path() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path()).unwrap();
    for entry in std::fs::read_dir(dir.path().join("vendor")).unwrap() {
        let path = entry.unwrap().path().join("Cargo.toml");
        let manifest: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        assert!(manifest.get("dev-dependencies").is_none(), "{path:?}");
        let Some(toml::Value::Table(dependencies)) = manifest.get("dependencies") else { continue };
        for (name, dependency) in dependencies {
            let optional = dependency.get("optional").and_then(toml::Value::as_bool) == Some(true);
            assert!(optional || dependency.get("path").is_some(), "{name} in {path:?}");
        }
    }
}

#[test]
fn preparing_again_touches_nothing_and_repairs_what_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let crate_dir = prepare(dir.path()).unwrap();
    let source = crate_dir.join("src/lib.rs");
    let made = source.metadata().unwrap().modified().unwrap();
    assert_eq!(prepare(dir.path()).unwrap(), crate_dir);
    assert_eq!(source.metadata().unwrap().modified().unwrap(), made);
    // What an interrupted preparation leaves: no digest, half a file.
    std::fs::remove_file(dir.path().join("digest")).unwrap();
    std::fs::write(&source, "half").unwrap();
    prepare(dir.path()).unwrap();
    assert!(std::fs::read_to_string(&source).unwrap().contains("pub use luthier"));
}

#[test]
fn a_damaged_archive_is_an_error() {
    let plain = [5u32.to_le_bytes().as_slice(), b"ab"].concat();
    let archive = miniz_oxide::deflate::compress_to_vec(&plain, 1);
    assert!(matches!(Unpacked::new(&archive, 100), Err(PreludeError::Archive { .. })));
    assert!(matches!(Unpacked::new(b"no deflate", 100), Err(PreludeError::Archive { .. })));
    let escape = [2u32.to_le_bytes().as_slice(), b"..", &0u32.to_le_bytes()].concat();
    let archive = miniz_oxide::deflate::compress_to_vec(&escape, 1);
    assert!(matches!(Unpacked::new(&archive, 100), Err(PreludeError::Archive { .. })));
}

#[test]
fn the_default_directory_needs_an_absolute_home() {
    let dir = default_dir(Some("/c".into()), Some("/home/a".into())).unwrap();
    assert_eq!(dir, Path::new("/c/luthier").join(format!("rust-{}", &DIGEST[..8])));
    assert!(
        default_dir(Some("relative".into()), Some("/home/a".into())).unwrap().starts_with("/home/a/.cache/luthier")
    );
    assert!(matches!(default_dir(None, None), Err(PreludeError::NoCacheDir)));
}

/// Compiles some twenty crates, in half a minute: the only proof that nothing is missing.
#[test]
fn the_prelude_builds_without_network_and_registry() {
    let dir = tempfile::tempdir().unwrap();
    let crate_dir = prepare(dir.path()).unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args(["build", "--offline"])
        .current_dir(&crate_dir)
        .env("CARGO_HOME", dir.path().join("empty-cargo-home"))
        .env("CARGO_TARGET_DIR", dir.path().join("target"))
        .env("RUSTFLAGS", "-Cprefer-dynamic")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(dir.path().join("target/debug/libluthier_prelude.so").exists());
    // A patch for a package that only others of our workspace switch on goes unused; nothing else is said.
    let stderr = String::from_utf8_lossy(&output.stderr);
    let warnings: Vec<&str> = stderr.lines().filter(|line| line.starts_with("warning")).collect();
    assert!(warnings.iter().all(|line| line.contains("was not used in the crate graph")), "{warnings:?}");
}
