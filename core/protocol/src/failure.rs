//! Failures as data: the thing, the expectation, the finding, and a separate hint.

use serde::{Deserialize, Serialize};

/// Why a request failed. Rendered by the kernel as one Jupyter `error`, by the command line on
/// standard error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind of failure; becomes Jupyter's `ename` in CamelCase.
    pub kind: FailureKind,
    /// Names the thing, what was expected and what was found. One sentence or a few lines.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The key in the cell that is to blame, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

/// Where in the cell or recipe the fault lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// JSON Pointer into the TOML body, as `/train/epochs`.
    pub pointer: String,
}

/// The closed set of failure kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The request itself is wrong: a bad value, an unknown key.
    InvalidRequest,
    /// A model, dataset, adapter, run or plugin of that name does not exist.
    NotFound,
    /// A name is taken and would be overwritten.
    AlreadyExists,
    /// A model's files are missing, damaged or not supported.
    Model,
    /// Rows are missing, malformed or of the wrong type.
    Data,
    /// Training stopped: no gradient, not finite, nothing to train on.
    Training,
    /// A plugin asked for what it may not have, looped, or returned nonsense.
    Plugin,
    /// The Hugging Face hub refused, could not be reached, or sent something else than it announced.
    Hub,
    /// A file could not be read or written.
    Storage,
    /// Somebody interrupted it; what was saved is in the message.
    Interrupted,
    /// The engine went away in the middle.
    EngineLost,
    /// The other side speaks another protocol version.
    Protocol,
    /// A fault of ours.
    Internal,
}

impl Failure {
    /// A failure without hint or location.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Failure { kind, message: message.into(), hint: None, location: None }
    }

    /// The same failure with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure, pointing at a key of the cell.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.location = Some(Location { pointer: pointer.into() });
        self
    }
}

impl FailureKind {
    /// Jupyter's `ename`.
    pub fn ename(self) -> &'static str {
        match self {
            FailureKind::InvalidRequest => "InvalidRequest",
            FailureKind::NotFound => "NotFound",
            FailureKind::AlreadyExists => "AlreadyExists",
            FailureKind::Model => "ModelError",
            FailureKind::Data => "DataError",
            FailureKind::Training => "TrainingError",
            FailureKind::Plugin => "PluginError",
            FailureKind::Hub => "HubError",
            FailureKind::Storage => "StorageError",
            FailureKind::Interrupted => "Interrupted",
            FailureKind::EngineLost => "EngineLost",
            FailureKind::Protocol => "ProtocolError",
            FailureKind::Internal => "InternalError",
        }
    }
}
