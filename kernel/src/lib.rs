//! The Jupyter kernel and command line of Luthier: cells in, requests to the engine, displays out.
//!
//! Reading order follows a cell: [`server`] receives it, [`cell`] parses it, [`command`] says what it
//! means, [`session`] runs it against the engine or the Rust evaluator, [`display`] shows the result.
//! Must not know: tensors, model files, plugins' insides. Nothing here is slow to start.

pub mod assist;
pub mod cell;
pub mod cli;
pub mod command;
pub mod display;
pub mod engine;
pub mod error;
pub mod kernelspec;
pub mod run;
pub mod rust_cell;
pub mod screen;
pub mod server;
pub mod session;
pub mod wire;
