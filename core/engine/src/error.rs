//! Why the engine could not do what it was asked. [`crate::failure`] turns these into the
//! protocol's failures, with advice.

use std::path::{Path, PathBuf};

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every error of the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The project directory of a request is none.
    #[error("the project directory must be absolute and exist, {path:?} is not")]
    ProjectDir {
        /// What was given.
        path: PathBuf,
    },
    /// A name cannot be a directory's name.
    #[error(
        "{name:?} cannot be the name of a {what}: letters, digits, `-`, `_` and `.`, at most 100, not starting with `-` or `.`"
    )]
    BadName {
        /// `dataset`, `adapter`, `evaluation`, `model`.
        what: &'static str,
        /// What was given.
        name: String,
    },
    /// A file or directory could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `read`, `write`, `make`, `move`, …
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("the project's store {} failed: {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// An SQLite file, but of another program.
    #[error("{} is not a luthier store", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// Written by a later engine.
    #[error("the project's store {} has version {found}, this engine reads up to version {supported}", path.display())]
    StoreTooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The latest version read.
        supported: i64,
    },
    /// A stored file does not hold what it must.
    #[error("{} does not hold {expected}: {found}", path.display())]
    Stored {
        /// The file.
        path: PathBuf,
        /// `a run's recipe`.
        expected: &'static str,
        /// What is wrong.
        found: String,
    },
    /// Nothing of that name.
    #[error("there is no {what} named {name:?}")]
    Unknown {
        /// `model`, `dataset`, `run`, …
        what: &'static str,
        /// What was asked for.
        name: String,
        /// Names that exist.
        known: Vec<String>,
    },
    /// A repository of the Hugging Face hub cannot be used.
    #[error("{repo} on the hub: {problem}")]
    Hub {
        /// `org/name` or `org/name@revision`.
        repo: String,
        /// Why not.
        problem: Box<crate::hub::HubProblem>,
    },
    /// A name is taken.
    #[error("{} {what} named {name:?} exists already", article(what))]
    Exists {
        /// `dataset`, `adapter`, `model`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A value is outside of what is possible.
    #[error("{what} is {found}, expected {expected}")]
    Invalid {
        /// The value's name.
        what: String,
        /// What was given.
        found: String,
        /// What would be accepted.
        expected: String,
    },
    /// A plugin could not be fetched.
    #[error("cannot fetch {address}: {finding}")]
    Fetch {
        /// Where it should be.
        address: String,
        /// What happened.
        finding: String,
    },
    /// A plugin's source does not build.
    #[error("{} does not build:\n{log}", path.display())]
    Build {
        /// Its folder.
        path: PathBuf,
        /// What the compiler says.
        log: String,
    },
    /// Compiling a plugin took too much, or the compiler ended.
    #[error("compiling the plugin {finding}")]
    Compile {
        /// What happened.
        finding: String,
    },
    /// A plugin's file is not the one in plugins.lock.
    #[error("plugin {plugin:?} has the digest {found}, plugins.lock says {expected}")]
    Digest {
        /// Its id.
        plugin: String,
        /// As locked.
        expected: String,
        /// As found.
        found: String,
    },
    /// A plugin is not signed by a key that the project trusts.
    #[error("plugin {plugin:?} is {found}, and this project's {file} asks for a signature by a key that it lists")]
    NotTrusted {
        /// Its id.
        plugin: String,
        /// `not signed`, or by whom.
        found: String,
        /// The list.
        file: &'static str,
    },
    /// No toolchain, or it failed.
    #[error(transparent)]
    GuestBuild(#[from] luthier_plugin_build::Error),
    /// A run is not in a state in which this can be done.
    #[error("run {run:?} is {status}{}", message.as_ref().map(|m| format!(": {m}")).unwrap_or_default())]
    RunState {
        /// The run.
        run: String,
        /// Its status.
        status: &'static str,
        /// Why.
        message: Option<String>,
        /// What to do.
        advice: String,
    },
    /// An adapter was trained through another prompt than the one it is asked through.
    #[error("adapter {adapter:?} was trained with another {what}: it has {trained}, this request has {found}")]
    PromptMismatch {
        /// The adapter.
        adapter: String,
        /// `prompt renderer`, `chat template`, `tokenizer`, `base model`.
        what: &'static str,
        /// Fingerprint in the adapter.
        trained: String,
        /// Fingerprint of the request.
        found: String,
    },
    /// A resumed run would train on something else.
    #[error("run {run:?} cannot go on: its {what} was {was}, it is {is}")]
    RunChanged {
        /// The run.
        run: String,
        /// `dataset`, `base model`, …
        what: &'static str,
        /// Fingerprint at its start.
        was: String,
        /// Fingerprint now.
        is: String,
    },
    /// Exported files do not predict what they were made of predicts.
    #[error(
        "the {format} files ({dtype}) are not what they were made of: on {} the largest |Δlogit| is {:.3e} (limit {:.3e}), \
         the mean divergence {:.3e} nats (limit {:.3e}), {:.1} % of positions agree on the most likely token",
        proof.prompts, proof.max_difference, proof.max_difference_limit, proof.mean_kl, proof.mean_kl_limit,
        100.0 * proof.top1_agreement
    )]
    NotTheSame {
        /// `gguf`.
        format: &'static str,
        /// `Q4_K_M`.
        dtype: &'static str,
        /// What was measured.
        proof: Box<luthier_protocol::response::Proof>,
    },
    /// Rows that a person should have judged were not.
    #[error("{left} of {n_rows} rows of {data:?}, split {split:?}, were not reviewed: `require_review` is set")]
    NotReviewed {
        /// The dataset.
        data: String,
        /// The split that is trained on.
        split: String,
        /// Rows without a verdict.
        left: usize,
        /// Rows of the split.
        n_rows: usize,
    },
    /// Cancelled; what is safe is said.
    #[error("interrupted: {saved}")]
    Interrupted {
        /// What was saved.
        saved: String,
        /// How to go on.
        advice: Option<String>,
    },
    /// The engine is about to end.
    #[error("the engine is shutting down")]
    ShuttingDown,
    /// The model crate's.
    #[error(transparent)]
    Model(#[from] luthier_model::Error),
    /// The data crate's.
    #[error(transparent)]
    Data(#[from] luthier_data::Error),
    /// The train crate's.
    #[error(transparent)]
    Train(#[from] luthier_train::Error),
    /// A loss or gradient is infinite or not a number.
    #[error("{source}; rows of {data} ({split}): {}", rows.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    NotFinite {
        /// Step, tensor, and which checkpoint is safe.
        source: Box<luthier_train::Error>,
        /// The dataset.
        data: String,
        /// The split trained on.
        split: String,
        /// Rows of the step, from 1.
        rows: Vec<usize>,
    },
    /// The synth crate's.
    #[error(transparent)]
    Synth(#[from] luthier_synth::Error),
    /// The eval crate's.
    #[error(transparent)]
    Eval(#[from] luthier_eval::Error),
    /// The lm crate's.
    #[error(transparent)]
    LanguageModel(#[from] luthier_lm::Error),
    /// The plugin host's.
    #[error(transparent)]
    Plugin(#[from] luthier_plugin_host::Error),
    /// Another error, and the key of the cell that is to blame.
    #[error("{source}")]
    At {
        /// JSON Pointer.
        pointer: &'static str,
        /// What happened.
        source: Box<Error>,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Error {
        Error::Io { action, path: path.to_path_buf(), source }
    }

    pub(crate) fn unknown(what: &'static str, name: &str, known: Vec<String>) -> Error {
        Error::Unknown { what, name: name.to_owned(), known }
    }

    pub(crate) fn invalid(what: &str, found: impl ToString, expected: &str) -> Error {
        Error::Invalid { what: what.to_owned(), found: found.to_string(), expected: expected.to_owned() }
    }

    /// The same error, pointing at a key of the cell; an inner pointer is more exact and wins.
    pub(crate) fn at(self, pointer: &'static str) -> Error {
        match self {
            inner @ Error::At { .. } => inner,
            source => Error::At { pointer, source: Box::new(source) },
        }
    }

    /// The same error, pointing nowhere.
    pub(crate) fn anywhere(self) -> Error {
        match self {
            Error::At { source, .. } => source.anywhere(),
            other => other,
        }
    }
}

/// Point at a key of the cell.
pub(crate) trait AtExt<T> {
    fn at(self, pointer: &'static str) -> Result<T>;
}

impl<T, E: Into<Error>> AtExt<T> for Result<T, E> {
    fn at(self, pointer: &'static str) -> Result<T> {
        self.map_err(|error| error.into().at(pointer))
    }
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" }
}
