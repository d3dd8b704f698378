//! Tensors of a checkpoint as a safetensors file, written without a second copy in memory.

use std::io::{self, BufWriter, Write};

use safetensors::{Dtype, SafeTensors};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::fs::SyncFile;
use crate::optimizer::StateData;

/// A tensor to be written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tensor<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
    U8(&'a [u8]),
}

impl Tensor<'_> {
    fn dtype(self) -> &'static str {
        match self {
            Tensor::F32(_) => "F32",
            Tensor::F64(_) => "F64",
            Tensor::U8(_) => "U8",
        }
    }

    fn len(self) -> usize {
        match self {
            Tensor::F32(values) => values.len(),
            Tensor::F64(values) => values.len(),
            Tensor::U8(values) => values.len(),
        }
    }

    fn size_bytes(self) -> usize {
        match self {
            Tensor::F32(values) => size_of_val(values),
            Tensor::F64(values) => size_of_val(values),
            Tensor::U8(values) => values.len(),
        }
    }

    fn write(self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Tensor::F32(values) => values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes())),
            Tensor::F64(values) => values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes())),
            Tensor::U8(values) => out.write_all(values),
        }
    }
}

/// Write named tensors, all one-dimensional, in the given order.
pub(super) fn write(out: &mut impl Write, tensors: &[(String, Tensor<'_>)]) -> io::Result<()> {
    let mut header = serde_json::Map::new();
    let mut offset = 0;
    for (name, tensor) in tensors {
        let end = offset + tensor.size_bytes();
        let entry = json!({"dtype": tensor.dtype(), "shape": [tensor.len()], "data_offsets": [offset, end]});
        header.insert(name.clone(), entry);
        offset = end;
    }
    let mut header = serde_json::to_vec(&header)?;
    // The format asks for data aligned to 8 bytes; spaces after JSON mean nothing.
    header.resize(header.len().next_multiple_of(8), b' ');
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    tensors.iter().try_for_each(|(_, tensor)| tensor.write(out))
}

/// A tensor of f32 by name.
pub(super) fn read_f32(file: &SafeTensors<'_>, name: &str) -> Result<Vec<f32>, String> {
    let data = view(file, name, Dtype::F32)?;
    Ok(data.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap_or_default())).collect())
}

/// A tensor of f64 by name.
pub(super) fn read_f64(file: &SafeTensors<'_>, name: &str) -> Result<Vec<f64>, String> {
    let data = view(file, name, Dtype::F64)?;
    Ok(data.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap_or_default())).collect())
}

/// A tensor of bytes by name, or of f32: as it was written.
pub(super) fn read_state(file: &SafeTensors<'_>, name: &str) -> Result<StateData<'static>, String> {
    let view = file.tensor(name).map_err(|error| format!("tensor {name}: {error}"))?;
    match view.dtype() {
        Dtype::U8 => Ok(StateData::U8(view.data().to_vec().into())),
        _ => read_f32(file, name).map(|values| StateData::F32(values.into())),
    }
}

fn view<'a>(file: &SafeTensors<'a>, name: &str, dtype: Dtype) -> Result<&'a [u8], String> {
    let view = file.tensor(name).map_err(|error| format!("tensor {name}: {error}"))?;
    if view.dtype() != dtype {
        return Err(format!("tensor {name} has dtype {:?}, expected {dtype:?}", view.dtype()));
    }
    Ok(view.data())
}

/// A buffered file that knows the hash of what went into it.
pub(super) struct HashingWriter {
    file: BufWriter<Box<dyn SyncFile>>,
    hasher: BufWriter<Sha256>,
}

impl HashingWriter {
    pub(super) fn new(file: Box<dyn SyncFile>) -> Self {
        let capacity = 1 << 18;
        HashingWriter {
            file: BufWriter::with_capacity(capacity, file),
            hasher: BufWriter::with_capacity(capacity, Sha256::new()),
        }
    }

    /// Flush and sync; the hash in hexadecimal.
    pub(super) fn finish(mut self) -> io::Result<String> {
        self.flush()?;
        self.file.get_mut().sync()?;
        let hasher = self.hasher.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(format!("{:x}", hasher.finalize()))
    }
}

impl Write for HashingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.hasher.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hasher.flush()?;
        self.file.flush()
    }
}
