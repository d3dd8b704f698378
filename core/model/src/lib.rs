//! Decoders of today's open language models on the CPU: weights, gradients, low-rank adapters, generation.

mod adapter;
#[cfg(test)]
mod architecture_tests;
mod batch;
mod block;
mod buffers;
mod config;
mod decoder;
mod error;
mod fidelity;
mod generate;
pub mod gguf;
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "writes files that nobody depends on")]
mod hostile_tests;
mod infer;
mod io;
mod layout;
pub mod math;
mod matmul;
mod merge;
mod model;
mod ops;
#[cfg(test)]
mod oracle_tests;
mod plan;
mod processor;
pub mod profile;
mod quant;
mod real;
pub mod rng;
mod score;
mod simd;
#[cfg(test)]
mod testing;
mod trainable;
mod weights;

pub use adapter::{ALL_LINEAR, Adapter, AdapterConfig, AdapterKind, Bias, Combination, LoraInit, QuantizationError};
pub use batch::{IGNORE_INDEX, SequenceBatch};
pub use buffers::release_buffers;
pub use config::{Activation, Architecture, LayerRope, ModelConfig, MoeConfig, NormKind, RopeConfig, RopeScaling};
pub use error::{Error, Result};
pub use fidelity::Fidelity;
pub use generate::{Control, FinishReason, GenerateInput, GenerateOptions, Generated, generate};
pub use model::{Model, SaveDtype};
pub use plan::{BatchShape, TrainingPlan, TrainingPlanner, TrainingShape, largest_that_fits, training_seconds};
pub use processor::{Instructions, PortableArithmetic};
pub use score::{SequenceScore, logits, loglikelihood};
pub use trainable::{BatchLoss, DropoutKey, ParameterInfo, TrainableModel};
