//! The Hugging Face hub: models, adapters and datasets by id, in the cache that Python's client uses.
//!
//! ```text
//! org/name@revision ─revision call─► commit ─per file: HEAD, GET with Range─► blobs/ ◄─link─ snapshots/<commit>/
//! ```
//!
//! Written on `ureq` and not on the `hf-hub` crate, whose downloader (0.5) cannot be interrupted, has
//! no timeouts, takes a server's ETag for a file name as it comes, and keeps a file whose length or
//! hash is wrong; and which only downloads.
//!
//! Must not know: models in memory, projects, requests.

mod cache;
mod client;
mod download;
mod id;
mod problem;
mod select;
mod settings;
mod transfer;
mod upload;
mod verify;

pub use client::Hub;
pub use download::Snapshot;
pub use id::{RepoId, RepoKind, is_hub_name};
pub use problem::HubProblem;
pub use settings::{HubSettings, Token};
pub use upload::{Pushed, Upload};

use std::sync::atomic::{AtomicBool, Ordering};

use crate::Error;

/// Who asked for a transfer: told how it goes, and able to end it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Set when the transfer should end.
    pub cancel: &'a AtomicBool,
    /// Told a stage (`download model.safetensors`), bytes done, bytes in all.
    pub progress: &'a dyn Fn(&str, u64, u64),
    /// Told what the user should know though it stops nothing.
    pub warn: &'a dyn Fn(String),
}

impl Watch<'_> {
    fn check(&self) -> Result<(), Error> {
        match self.cancel.load(Ordering::SeqCst) {
            false => Ok(()),
            true => Err(Error::Interrupted {
                saved: "what was downloaded so far is kept".into(),
                advice: Some("run it again: the transfer goes on where it stopped".into()),
            }),
        }
    }
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Watch").field("cancel", self.cancel).finish_non_exhaustive()
    }
}
