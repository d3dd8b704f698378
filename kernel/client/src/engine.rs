//! Finding, starting and talking to the engine: one blocking connection, one request at a time.
//!
//! ```no_run
//! use luthier::{engine, protocol::Request};
//! let mut connection = engine::connect_or_spawn(engine::ConnectOptions::from_env("."))?;
//! let response = connection.request(Request::Device, &mut |event| eprintln!("{event:?}"), None)?;
//! # Ok::<(), luthier::protocol::Failure>(())
//! ```

mod connection;
mod options;
mod spawn;
mod transport;

pub use connection::{Connection, EngineIdentity, connect_or_spawn};
pub use options::{ConnectOptions, effective_uid};

/// This client's build, compared with the engine's in the handshake.
pub const BUILD: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
mod tests;
