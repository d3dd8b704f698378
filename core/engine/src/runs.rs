//! Runs that are live in this engine, what they said so far, and what became of those that are not.
//!
//! A run belongs to the engine, not to the cell that started it: whoever follows it is shown
//! everything from its beginning.

mod journal;
mod live;
mod status;

pub use journal::Journal;
pub(crate) use journal::replay;
pub(crate) use live::Registration;
pub use live::{LiveRun, LiveRuns};
pub(crate) use status::current;
