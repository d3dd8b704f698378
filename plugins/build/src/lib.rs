//! From a plugin's source to one file.
//!
//! * [`toolchain`]: a Rust that can build for `wasm32-unknown-unknown` on this machine, whatever is
//!   installed, and clang for C.
//! * [`sdk`]: the sources that an author's folder is given.
//! * [`sections`]: what travels inside a component besides code, as custom sections.
//!
//! Light on purpose: `cargo xtask` compiles it before anything else. Knows nothing of wasmtime, Arrow
//! or the engine.

#![warn(missing_docs)]

mod error;
pub mod sdk;
pub mod sections;
pub mod toolchain;

pub use error::Error;
pub use toolchain::Toolchain;
