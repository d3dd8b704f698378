//! Llama-family decoders on the CPU: weights, gradients, low-rank adapters, generation.

mod batch;
mod config;
mod error;
mod generate;
mod lora;
mod model;
pub mod rng;
mod score;
mod trainable;

pub use batch::{IGNORE_INDEX, SequenceBatch};
pub use config::{Architecture, ModelConfig, RopeConfig, RopeScaling};
pub use error::{Error, Result};
pub use generate::{Control, FinishReason, GenerateInput, GenerateOptions, Generated, generate};
pub use lora::{LoraAdapter, LoraConfig};
pub use model::{Model, SaveDtype};
pub use score::{SequenceScore, loglikelihood};
pub use trainable::{BatchLoss, DropoutKey, ParameterInfo, TrainableModel};
