//! Synthetic data: rows that a template makes, judged, deduplicated and accounted for.
//!
//! ```text
//! generate (the template itself)  ─┐
//! ask, parse (a language model)   ─┴► validate ─► dedup ─► kept        requested = kept + rejected + failed
//! ```
//!
//! Must not know: candle, models, training, wasmtime.

pub mod asked;
pub mod chunk;
mod error;
pub mod journal;
pub mod near;
pub mod synthesize;
pub mod template;

pub use asked::{Asked, Plan, TopicYield, Usage, preview, synthesize_asking};
pub use error::{Error, Result};
pub use journal::Journal;
pub use luthier_lm::Message;
pub use synthesize::{Synthesis, SynthesisOptions, synthesize};
pub use template::{Asking, ModelOutput, ParsedOutput, Reject, Seed, TaskTemplate, TemplateDescriptor, Verdict};
