//! Weights of less than sixteen bits: bitsandbytes' NF4 with double quantization.

mod blockwise;
pub(crate) mod nf4;

pub(crate) use nf4::Nf4;
