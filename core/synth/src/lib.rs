//! Synthetic data: rows that a template makes, judged, deduplicated and accounted for.
//!
//! ```text
//! generate ─► validate ─► dedup ─► kept            requested = kept + rejected + failed, always
//! ```
//!
//! Must not know: candle, models, training, wasmtime.

mod error;
pub mod synthesize;
pub mod template;

pub use error::{Error, Result};
pub use synthesize::{Synthesis, SynthesisOptions, synthesize};
pub use template::{TaskTemplate, TemplateDescriptor, Verdict};
