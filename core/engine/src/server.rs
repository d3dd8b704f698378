//! The engine's door: one protocol over any byte stream.
//!
//! ```text
//! reader thread ──► calls in flight ──► worker thread (device) or a thread of their own
//!                                            │ events, one result
//! writer thread ◄── outbox ◄─────────────────┘
//! ```
//!
//! Must not know what a request does.

mod connection;
mod socket;

pub use connection::serve;
pub use socket::{BindError, Bound, bind};

use std::sync::Arc;

use crate::engine::Engine;

/// Accept connections on a bound socket for as long as the process lives, one thread each.
pub fn accept(engine: Arc<Engine>, bound: &Bound) -> std::io::Result<()> {
    let listener = bound.listener().try_clone()?;
    std::thread::Builder::new().name("accept".into()).spawn(move || {
        for stream in listener.incoming() {
            let served = stream.and_then(|stream| spawn_connection(&engine, stream));
            if let Err(error) = served {
                eprintln!("luthier-engine: a connection could not be served: {error}");
                // Out of file descriptors, mostly: the next try would fail at once, too.
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
        }
    })?;
    Ok(())
}

fn spawn_connection(engine: &Arc<Engine>, stream: std::os::unix::net::UnixStream) -> std::io::Result<()> {
    let writer = stream.try_clone()?;
    let engine = Arc::clone(engine);
    std::thread::Builder::new().name("connection".into()).spawn(move || serve(&engine, stream, writer))?;
    Ok(())
}
