//! GGUF, llama.cpp's file format: one file with metadata, tokenizer and (quantized) tensors.
//!
//! ```text
//! "GGUF" version n_tensors n_metadata | key type value … | name dims type offset … | padding | data
//! ```
//!
//! Little endian. Dimensions are stored innermost first, so a weight `[out, in]` has dims `in, out`.
//! Everything a file says about itself is checked against its length before memory is asked for.
//! Block formats are decoded and encoded by candle.

mod blocks;
mod metadata;
mod names;
mod pretokenize;
mod read;
mod tokenizer;
mod unpack;
mod value;
mod write;

pub use blocks::Quant;
pub use read::{Header, TensorEntry};
pub use tokenizer::Tokens;
pub use unpack::unpack;
pub use value::Value;
pub use write::{Gguf, write_model};

pub(crate) use unpack::read_weights;

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "writes files that nobody depends on")]
mod tests;
