//! What an author's folder is given: the Rust SDK and the interface, so that a plugin builds anywhere.

/// Files of the Rust SDK: path within its crate, and text. Its bindings read `wit/plugin.wit` in the crate.
pub fn files() -> impl Iterator<Item = (&'static str, String)> {
    let sources = SOURCES.iter().map(|(path, text)| (*path, text.replace("\"../../wit\"", "\"wit\"")));
    sources.chain([("wit/plugin.wit", WIT.to_owned()), ("Cargo.toml", MANIFEST.to_owned())])
}

/// The interface.
pub const WIT: &str = include_str!("../../../wit/plugin.wit");

/// How to write a plugin against the interface alone.
pub const WIT_README: &str = include_str!("../../../wit/README.md");

/// Versions of everything that a Rust plugin builds with: those of this repository.
pub const LOCK: &str = include_str!("../../../Cargo.lock");

static SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

const MANIFEST: &str = r#"[package]
name = "luthier-plugin"
description = "What the author of a Luthier plugin depends on."
version = "0.1.0"
edition = "2024"
license = "MIT OR Apache-2.0"

[lints.rust]
unexpected_cfgs = "allow"

[dependencies]
serde_json = { version = "1", features = ["preserve_order"] }

[target.'cfg(target_arch = "wasm32")'.dependencies]
wit-bindgen = { version = "0.61", default-features = false, features = ["macros", "realloc", "bitflags"] }
"#;
