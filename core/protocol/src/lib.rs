//! Everything that crosses a process boundary, and nothing else: requests, events, responses,
//! errors, ids, and the framing that carries them.
//!
//! Must not know: tokio, candle, wasmtime, arrow, Jupyter. A type in here is plain data with a
//! stable JSON form; what it *does* lives in the engine.
//!
//! ```
//! use luthier_protocol::{ClientBody, ClientMessage, Request, frame};
//! let message = ClientMessage { id: 1, body: ClientBody::Request { project_dir: "/p".into(), request: Request::Device } };
//! let mut wire = Vec::new();
//! frame::write(&mut wire, &message).unwrap();
//! let back: ClientMessage = frame::read(&mut wire.as_slice()).unwrap().unwrap();
//! assert_eq!(back, message);
//! ```

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests create files as they please"))]

pub mod event;
pub mod failure;
pub mod frame;
pub mod message;
pub mod paths;
pub mod plugin;
pub mod private_dir;
pub mod request;
pub mod response;
pub mod spec;

pub use event::{EvalEvent, Event, StepEvent};
pub use failure::{Failure, FailureKind, Location};
pub use message::{ClientBody, ClientMessage, EngineBody, EngineMessage, PROTOCOL_VERSION};
pub use request::Request;
pub use response::Response;
