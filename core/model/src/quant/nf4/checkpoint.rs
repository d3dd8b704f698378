//! Tensors that bitsandbytes has quantized: `W` in packed bytes with `W.absmax`, `W.quant_map`, for
//! double quantization `W.nested_absmax` and `W.nested_quant_map`, and settings as JSON in
//! `W.quant_state.bitsandbytes__nf4`.

use super::{CODES, Nested, Nf4, Rounding, Scales};
use crate::{Error, Result};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::Deserialize;
use std::path::Path;

/// Ends of the names of the tensors that belong to a quantized one.
const PARTS: [&str; 6] = [
    ".absmax",
    ".quant_map",
    ".nested_absmax",
    ".nested_quant_map",
    ".quant_state.bitsandbytes__nf4",
    ".quant_state.bitsandbytes__fp4",
];

/// The quantized tensor that a tensor called `name` is a part of.
pub(crate) fn is_part(name: &str) -> Option<&str> {
    PARTS.iter().find_map(|part| name.strip_suffix(part)).filter(|whole| whole.ends_with(".weight"))
}

/// The JSON beside a quantized tensor.
#[derive(Deserialize)]
struct State {
    quant_type: String,
    blocksize: usize,
    dtype: String,
    shape: Vec<usize>,
    nested_blocksize: Option<usize>,
    nested_offset: Option<f32>,
}

/// Reads tensor `name` of shape `shape`; `part` finds a tensor of the file by its name.
pub(crate) fn read<'a>(
    path: &Path,
    name: &str,
    shape: &[usize],
    part: impl Fn(&str) -> Option<TensorView<'a>>,
) -> Result<Nf4> {
    let reader = Reader { path, name, part };
    if (reader.part)(&format!("{name}.quant_state.bitsandbytes__fp4")).is_some() {
        return Err(reader.corrupt("quant_type is fp4, expected nf4".to_owned()));
    }
    let state: State = serde_json::from_slice(reader.part(".quant_state.bitsandbytes__nf4")?.data())
        .map_err(|e| reader.corrupt(format!("quant_state: {e}")))?;
    reader.check(state.quant_type == "nf4", "quant_type", "nf4", &state.quant_type)?;
    let known_sizes = [32, 64, 128, 256, 512, 1024, 2048, 4096];
    reader.check(
        known_sizes.contains(&state.blocksize),
        "blocksize",
        "a power of two from 32 to 4096",
        state.blocksize,
    )?;
    if state.shape != shape {
        return Err(Error::WrongShape {
            path: path.to_path_buf(),
            tensor: name.to_owned(),
            expected: shape.to_vec(),
            found: state.shape,
        });
    }
    let len: usize = shape.iter().product();
    let n_blocks = len.div_ceil(state.blocksize);
    let packed = reader.bytes("", len.div_ceil(2))?;
    let map = reader.floats(".quant_map", CODES.len())?;
    reader.check(map == CODES, "quant_map", "the sixteen values of NF4", format!("{map:?}"))?;
    let scales = match (state.nested_blocksize, state.nested_offset) {
        (Some(block_size), Some(offset)) if block_size > 0 => Scales::Nested(Nested {
            codes: reader.bytes(".absmax", n_blocks)?,
            map: reader.floats(".nested_quant_map", 256)?,
            absmax: reader.floats(".nested_absmax", n_blocks.div_ceil(block_size))?,
            block_size,
            offset,
        }),
        (None, None) => Scales::Plain(reader.floats(".absmax", n_blocks)?),
        _ => return Err(reader.corrupt("nested_blocksize and nested_offset come together".to_owned())),
    };
    let rounding = match state.dtype.as_str() {
        "float32" => Rounding::F32,
        "float16" => Rounding::F16,
        "bfloat16" => Rounding::Bf16,
        other => return Err(reader.corrupt(format!("dtype is {other}, expected float32, float16 or bfloat16"))),
    };
    Ok(Nf4 { len, packed, scales, block_size: state.blocksize, rounding })
}

struct Reader<'p, F> {
    path: &'p Path,
    name: &'p str,
    part: F,
}

impl<'a, F: Fn(&str) -> Option<TensorView<'a>>> Reader<'_, F> {
    fn part(&self, suffix: &str) -> Result<TensorView<'a>> {
        let name = format!("{}{suffix}", self.name);
        (self.part)(&name).ok_or_else(|| Error::MissingTensor {
            path: self.path.to_path_buf(),
            tensor: name,
            shape: Vec::new(),
        })
    }

    fn bytes(&self, suffix: &str, len: usize) -> Result<Vec<u8>> {
        let view = self.part(suffix)?;
        self.check(view.dtype() == Dtype::U8, suffix, "U8", format!("{:?}", view.dtype()))?;
        self.check(view.data().len() == len, suffix, &format!("{len} bytes"), view.data().len())?;
        Ok(view.data().to_vec())
    }

    fn floats(&self, suffix: &str, len: usize) -> Result<Vec<f32>> {
        let view = self.part(suffix)?;
        self.check(view.dtype() == Dtype::F32, suffix, "F32", format!("{:?}", view.dtype()))?;
        self.check(view.data().len() == 4 * len, suffix, &format!("{len} values"), view.data().len() / 4)?;
        let (values, _) = view.data().as_chunks::<4>();
        Ok(values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    fn check(&self, holds: bool, what: &str, expected: &str, found: impl ToString) -> Result<()> {
        match holds {
            true => Ok(()),
            false => Err(self.corrupt(format!("{what} is {}, expected {expected}", found.to_string()))),
        }
    }

    fn corrupt(&self, reason: String) -> Error {
        Error::CorruptQuantization { path: self.path.to_path_buf(), tensor: self.name.to_owned(), reason }
    }
}
