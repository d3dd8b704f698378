//! The typed client of the Luthier engine, for Rust cells and for ordinary Rust programs.
//!
//! ```no_run
//! use luthier::prelude::*;
//!
//! # fn main() -> Result<(), luthier::Error> {
//! let base = load("pico")?;
//! let shop = dataset("shop")?;
//! let run = base.finetune(&shop, Lora::new(8).alpha(16.0), Train::default().epochs(3))?;
//! for step in run.steps() {
//!     println!("{} {:.3}", step.global_step, step.loss);
//! }
//! println!("{}", run.adapter().evaluate(&shop.split("test"), ["execution-accuracy"])?);
//! # Ok(())
//! # }
//! ```
//!
//! Everything expensive happens in the engine, a process of its own that [`engine`] finds or
//! starts; this crate sends requests and shows what comes back. It blocks, and knows no async
//! runtime, no tensors, no Jupyter.

pub mod cell;
pub mod dataset;
pub mod display;
pub mod engine;
pub mod error;
pub mod evaluation;
pub mod interrupt;
pub mod model;
pub mod notebook;
pub mod prelude;
pub mod run;
pub mod session;

pub use error::{Error, Result};
pub use luthier_protocol as protocol;
