//! Whether the person has asked to stop. In a cell process the kernel sets the flag; in an
//! ordinary program nobody does, unless the program calls [`request`].
//!
//! Requests to the engine look at it by themselves. A long loop of one's own can, too:
//!
//! ```
//! fn work() -> luthier::Result<()> {
//!     for _ in 0..3 {
//!         luthier::interrupt::check()?;
//!         // … one piece of work …
//!     }
//!     Ok(())
//! }
//! # work().unwrap();
//! ```

use std::sync::atomic::{AtomicBool, Ordering};

use luthier_protocol::{Failure, FailureKind};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// The flag itself, for [`crate::engine::Connection::request`].
pub fn flag() -> &'static AtomicBool {
    &REQUESTED
}

/// An interrupt was asked for and not yet forgotten.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Ask for an interrupt.
pub fn request() {
    REQUESTED.store(true, Ordering::Relaxed);
}

/// Forget it: the next cell begins.
pub fn clear() {
    REQUESTED.store(false, Ordering::Relaxed);
}

/// An `Interrupted` error if an interrupt was asked for; for `?` in a long loop.
pub fn check() -> crate::Result<()> {
    if requested() {
        return Err(Failure::new(FailureKind::Interrupted, "interrupted").into());
    }
    Ok(())
}
