//! A model or adapter as files that other programs load, with a proof that they are what they were
//! made of.
//!
//! ```text
//! base + adapter ─► sibling directory ─► load again ─► compare on held-out prompts ─► rename, or remove
//! ```
//!
//! Must not know: sockets, requests.

mod consumer;
mod directory;
mod format;
mod prompts;
mod proof;
mod write;

pub(crate) use consumer::Consumer;
pub(crate) use directory::NewDirectory;
pub(crate) use format::{Format, Plan};
pub(crate) use prompts::HeldOut;
pub(crate) use proof::prove;
pub(crate) use write::{file_stem, name_base, write};

/// What our own training says beside an adapter.
const RECORD_OF_TRAINING: &str = crate::models::RECORD_FILE_NAME;

/// The record that is written beside exported files.
pub(crate) const RECORD_FILE_NAME: &str = "luthier-export.json";
