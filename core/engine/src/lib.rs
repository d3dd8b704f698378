//! The engine: owns the device, models, runs, datasets and plugins, behind a socket.
//!
//! ```text
//! server ─► service ─► commands ─► datasets, models, task, training, scoring ─► store, files
//! ```
//!
//! The composition root: every other core crate is wired together here, and nothing here is known
//! to them. Must not know: Jupyter, cells, how results are shown.

#![warn(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::disallowed_methods,
        reason = "a test may panic, and writes files that nobody depends on"
    )
)]

mod answering;
mod authoring;
mod call;
pub mod clock;
mod commands;
pub mod config;
mod datasets;
pub mod engine;
pub mod error;
mod export;
mod failure;
mod files;
pub mod generation;
mod hash;
pub mod hub;
pub mod models;
pub mod os;
mod outbox;
mod plugins;
pub mod presence;
pub mod project;
pub mod runs;
mod scoring;
pub mod server;
mod service;
pub mod store;
mod task;
mod training;
mod worker;

pub use error::{Error, Result};
pub use plugins::compile_plugin;
