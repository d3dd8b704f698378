//! The envelope: who speaks, and about which request.

use serde::{Deserialize, Serialize};

use crate::{Event, Failure, Request, Response};

/// Raised whenever the JSON form of a message changes incompatibly.
pub const PROTOCOL_VERSION: u32 = 1;

/// One message from a client to the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientMessage {
    /// Chosen by the client, unique on its connection; every answer carries it.
    pub id: u64,
    /// What is said.
    pub body: ClientBody,
}

/// What a client may say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "one lives at a time, and a box would show in every match")]
pub enum ClientBody {
    /// First message on every connection.
    Hello { protocol_version: u32, build: String },
    /// Do this, in that project.
    Request { project_dir: String, request: Request },
    /// Stop the request with this id: a run is checkpointed and paused, anything else ends.
    Cancel { request: u64 },
    /// The client goes away, and what it started goes on (a kernel restart).
    Detach,
}

/// One message from the engine to a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineMessage {
    /// The id of the client's message that this answers.
    pub id: u64,
    /// What is said.
    pub body: EngineBody,
}

/// What the engine may say. Each request ends with exactly one `Result` or `Error`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EngineBody {
    /// Answer to `Hello`.
    Hello { protocol_version: u32, build: String, device: String, pid: u32 },
    /// Something happened on the way.
    Event { event: Event },
    /// The request is done.
    Result { response: Box<Response> },
    /// The request failed, or was cancelled.
    Error { failure: Failure },
}
