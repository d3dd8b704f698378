//! What can go wrong with a model: each variant names the thing, the expectation and the finding.

use std::path::{Path, PathBuf};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A JSON file does not parse, or a key has the wrong type.
    #[error("{what}: {reason}")]
    Json {
        /// The file or text that was parsed.
        what: String,
        /// Parser message with line and column, or the key with what was expected.
        reason: String,
    },
    /// The configuration asks for something that this decoder does not implement.
    #[error("config.json: {feature} = {found} is not supported (supported: {supported})")]
    Unsupported {
        /// The configuration key.
        feature: String,
        /// Its value.
        found: String,
        /// What would be accepted.
        supported: String,
    },
    /// The configuration contradicts itself.
    #[error("config.json: {key} is {found}, expected {expected}")]
    InvalidConfig {
        /// The configuration key.
        key: String,
        /// What would be accepted.
        expected: String,
        /// Its value.
        found: String,
    },
    /// A weights file is truncated or not a safetensors file.
    #[error("{}: not a complete safetensors file: {reason}", path.display())]
    CorruptWeights {
        /// The file.
        path: PathBuf,
        /// What the parser found.
        reason: String,
    },
    /// A GGUF file does not hold together, or holds something that is not read.
    #[error("{}: not a usable GGUF file: {reason}", path.display())]
    CorruptGguf {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A format cannot say what this model is.
    #[error("this model cannot be written as {format}: {what}")]
    Export {
        /// `GGUF`.
        format: &'static str,
        /// What it has no word for.
        what: String,
    },
    /// A model or adapter directory has no weights.
    #[error("{}: no weights found (looked for {expected})", path.display())]
    NoWeights {
        /// The directory.
        path: PathBuf,
        /// The file names that were tried.
        expected: String,
    },
    /// A tensor that the configuration requires is absent.
    #[error("{}: tensor `{tensor}` (shape {shape:?}) is missing", path.display())]
    MissingTensor {
        /// The file, or the directory when there are several shards.
        path: PathBuf,
        /// Name in the file.
        tensor: String,
        /// The shape that was expected.
        shape: Vec<usize>,
    },
    /// A tensor that the configuration has no place for.
    #[error("{}: tensor `{tensor}` has no place in this architecture ({architecture})", path.display())]
    UnexpectedTensor {
        /// The file.
        path: PathBuf,
        /// Name in the file.
        tensor: String,
        /// The architecture that config.json names.
        architecture: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error("{}: tensor `{tensor}` has shape {found:?}, expected {expected:?}", path.display())]
    WrongShape {
        /// The file.
        path: PathBuf,
        /// Name in the file.
        tensor: String,
        /// The shape that follows from the configuration.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A tensor has a data type that is not read as floating point.
    #[error("{}: tensor `{tensor}` has dtype {found}, expected F32, F16 or BF16", path.display())]
    WrongDtype {
        /// The file.
        path: PathBuf,
        /// Name in the file.
        tensor: String,
        /// The dtype in the file.
        found: String,
    },
    /// A module that an adapter is asked for does not exist in the model.
    #[error("module `{module}` does not exist in the model (known: {known})")]
    UnknownModule {
        /// The name that was asked for.
        module: String,
        /// The names that exist.
        known: String,
    },
    /// An adapter's setting is out of range, or it uses a feature that is not implemented.
    #[error("adapter: {setting} is {found}, expected {expected}")]
    InvalidAdapter {
        /// The setting or the key of adapter_config.json.
        setting: String,
        /// What would be accepted.
        expected: String,
        /// Its value.
        found: String,
    },
    /// A tensor that is to be quantized has a value that is not a number or infinite.
    #[error("tensor `{tensor}` has {value} at position {position}, expected finite values")]
    NotFinite {
        /// The tensor.
        tensor: String,
        /// Index of the first such value.
        position: usize,
        /// What it is.
        value: String,
    },
    /// A quantized tensor or what belongs to it is malformed.
    #[error("{}: quantized tensor `{tensor}`: {reason}", path.display())]
    CorruptQuantization {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// What was found, and what was expected.
        reason: String,
    },
    /// A quantized model is asked for something that needs plain weights.
    #[error("a quantized model cannot be {what}: {hint}")]
    Quantized {
        /// What was asked for.
        what: String,
        /// What to do instead.
        hint: String,
    },
    /// A batch is malformed.
    #[error("token batch: {what} is {found}, expected {expected}")]
    InvalidBatch {
        /// The offending part.
        what: String,
        /// What would be accepted.
        expected: String,
        /// Its value.
        found: String,
    },
    /// A generation setting is out of range, or a prompt cannot be continued.
    #[error("generation: {what} is {found}, expected {expected}")]
    InvalidGeneration {
        /// The option, or the input by its index.
        what: String,
        /// What would be accepted.
        expected: String,
        /// Its value.
        found: String,
    },
    /// A conversion at the tensor library's boundary failed.
    #[error("tensor `{tensor}`: {source}")]
    Tensor {
        /// The tensor.
        tensor: String,
        /// The tensor library's reason.
        source: candle_core::Error,
    },
    /// The cancel token was set.
    #[error("interrupted")]
    Interrupted,
}

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Attaches a path to an IO error.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
        move |source| Error::Io { path: path.to_path_buf(), source }
    }
}
