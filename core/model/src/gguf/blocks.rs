//! Block formats: which type a tensor gets, how many bytes that is, and the way there and back.

use std::borrow::Cow;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Tensor};
use half::{bf16, f16};

/// How an exported model's matrices are stored. Vectors (norms, biases) are always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quant {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// bfloat16.
    Bf16,
    /// Blocks of 32 values of 8 bits with one scale.
    Q8_0,
    /// Super-blocks of 256 values of 4 bits; the tensors that matter most get 6 (llama.cpp's mix).
    Q4KM,
}

impl Quant {
    /// All of them.
    pub const ALL: [Quant; 5] = [Quant::F32, Quant::F16, Quant::Bf16, Quant::Q8_0, Quant::Q4KM];

    /// As llama.cpp calls it.
    pub fn name(self) -> &'static str {
        match self {
            Quant::F32 => "F32",
            Quant::F16 => "F16",
            Quant::Bf16 => "BF16",
            Quant::Q8_0 => "Q8_0",
            Quant::Q4KM => "Q4_K_M",
        }
    }

    /// `general.file_type`: `llama_ftype` of llama.h.
    pub(super) fn file_type(self) -> u64 {
        match self {
            Quant::F32 => 0,
            Quant::F16 => 1,
            Quant::Q8_0 => 7,
            Quant::Q4KM => 15,
            Quant::Bf16 => 32,
        }
    }

    /// The type of a tensor `[…, row]` called `name`, in block `layer` of `n_layers`.
    pub(super) fn type_of(self, name: &str, shape: &[usize], layer: Option<usize>, n_layers: usize) -> BlockType {
        if shape.len() < 2 {
            return BlockType::F32;
        }
        let wanted = match self {
            Quant::F32 => BlockType::F32,
            Quant::F16 => BlockType::F16,
            Quant::Bf16 => BlockType::Bf16,
            Quant::Q8_0 => BlockType::Q8_0,
            Quant::Q4KM => {
                let is_sensitive = name.contains(".attn_v.") || name.contains(".ffn_down.");
                let more = layer.is_some_and(|layer| is_sensitive && uses_more_bits(layer, n_layers));
                if more || name == "output.weight" { BlockType::Q6K } else { BlockType::Q4K }
            }
        };
        wanted.fitting(shape.last().copied().unwrap_or(0))
    }
}

/// llama.cpp's choice of layers that get more bits: the first and last eighth, and every third between.
fn uses_more_bits(layer: usize, n_layers: usize) -> bool {
    let eighth = n_layers / 8;
    layer < eighth || layer >= 7 * n_layers / 8 || (layer - eighth) % 3 == 2
}

/// Types of tensors that are read; those of [`Quant`] are also written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockType {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
}

/// Type, number in the file, name, values per block, bytes per block (ggml.h, ggml-common.h).
const TYPES: [(BlockType, u32, &str, usize, usize); 13] = [
    (BlockType::F32, 0, "F32", 1, 4),
    (BlockType::F16, 1, "F16", 1, 2),
    (BlockType::Q4_0, 2, "Q4_0", 32, 18),
    (BlockType::Q4_1, 3, "Q4_1", 32, 20),
    (BlockType::Q5_0, 6, "Q5_0", 32, 22),
    (BlockType::Q5_1, 7, "Q5_1", 32, 24),
    (BlockType::Q8_0, 8, "Q8_0", 32, 34),
    (BlockType::Q2K, 10, "Q2_K", 256, 84),
    (BlockType::Q3K, 11, "Q3_K", 256, 110),
    (BlockType::Q4K, 12, "Q4_K", 256, 144),
    (BlockType::Q5K, 13, "Q5_K", 256, 176),
    (BlockType::Q6K, 14, "Q6_K", 256, 210),
    (BlockType::Bf16, 30, "BF16", 1, 2),
];

impl BlockType {
    /// The type with this number.
    pub(super) fn from_number(number: u32) -> Option<BlockType> {
        TYPES.iter().find(|entry| entry.1 == number).map(|entry| entry.0)
    }

    fn entry(self) -> &'static (BlockType, u32, &'static str, usize, usize) {
        let position = TYPES.iter().position(|entry| entry.0 == self);
        &TYPES[position.unwrap_or(0)]
    }

    /// Its number in the file.
    pub(super) fn number(self) -> u32 {
        self.entry().1
    }

    /// As llama.cpp calls it.
    pub fn name(self) -> &'static str {
        self.entry().2
    }

    /// Values of one block.
    pub(super) fn block_len(self) -> usize {
        self.entry().3
    }

    /// Bytes of `n_values`; `None` if they do not fill whole blocks, or overflow.
    pub(super) fn n_bytes(self, n_values: usize) -> Option<usize> {
        let (_, _, _, block_len, block_bytes) = *self.entry();
        (n_values.is_multiple_of(block_len)).then(|| (n_values / block_len).checked_mul(block_bytes)).flatten()
    }

    /// This type, or the next larger one whose blocks fit rows of this length (llama.cpp's fallbacks).
    fn fitting(self, row: usize) -> BlockType {
        let fits = |kind: BlockType| row.is_multiple_of(kind.block_len());
        let fallback = match self {
            kind if fits(kind) => kind,
            BlockType::Q4K => BlockType::Q5_0,
            BlockType::Q6K => BlockType::Q8_0,
            _ => BlockType::F16,
        };
        if fits(fallback) { fallback } else { BlockType::F16 }
    }

    fn library(self) -> GgmlDType {
        match self {
            BlockType::F32 => GgmlDType::F32,
            BlockType::F16 => GgmlDType::F16,
            BlockType::Bf16 => GgmlDType::BF16,
            BlockType::Q4_0 => GgmlDType::Q4_0,
            BlockType::Q4_1 => GgmlDType::Q4_1,
            BlockType::Q5_0 => GgmlDType::Q5_0,
            BlockType::Q5_1 => GgmlDType::Q5_1,
            BlockType::Q8_0 => GgmlDType::Q8_0,
            BlockType::Q2K => GgmlDType::Q2K,
            BlockType::Q3K => GgmlDType::Q3K,
            BlockType::Q4K => GgmlDType::Q4K,
            BlockType::Q5K => GgmlDType::Q5K,
            BlockType::Q6K => GgmlDType::Q6K,
        }
    }

    /// Values as the bytes of this type; whole blocks.
    pub(super) fn encode(self, values: &[f32]) -> candle_core::Result<Vec<u8>> {
        match self {
            BlockType::F32 => Ok(values.iter().flat_map(|x| x.to_le_bytes()).collect()),
            BlockType::F16 => Ok(values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect()),
            BlockType::Bf16 => Ok(values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect()),
            _ => {
                let tensor = Tensor::from_slice(values, values.len(), &Device::Cpu)?;
                Ok(QTensor::quantize(&tensor, self.library())?.data()?.into_owned())
            }
        }
    }

    /// The values of bytes of this type.
    pub(super) fn decode(self, bytes: &[u8], n_values: usize) -> candle_core::Result<Vec<f32>> {
        match self {
            BlockType::F32 => Ok(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            BlockType::F16 => Ok(bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()),
            BlockType::Bf16 => Ok(bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()),
            _ => {
                let storage = QStorage::from_data(Cow::Borrowed(bytes), &Device::Cpu, self.library())?;
                QTensor::new(storage, n_values)?.dequantize(&Device::Cpu)?.to_vec1()
            }
        }
    }
}
