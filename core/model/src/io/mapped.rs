//! Values that stay in a mapped file, so that processes which use the same file share their memory.
#![allow(unsafe_code, reason = "reads mapped bytes as floats")]

#[cfg(test)]
mod tests;

use memmap2::Mmap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// Files below this size are copied: sharing them saves nothing.
const LEAST_BYTES: usize = 16 << 20;

/// Some values of a mapped file. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Mapped<T> {
    file: Arc<Mmap>,
    /// In bytes.
    start: usize,
    /// In values.
    len: usize,
    values: PhantomData<T>,
}

impl Mapped<f32> {
    /// The little-endian floats `bytes`, which are a part of `file`; `None` if they cannot be used where
    /// they are, or the file is small.
    pub(super) fn of(file: &Arc<Mmap>, bytes: &[u8]) -> Option<Self> {
        Mapped::of_file(file, bytes, LEAST_BYTES)
    }

    fn of_file(file: &Arc<Mmap>, bytes: &[u8], least_bytes: usize) -> Option<Self> {
        let start = (bytes.as_ptr() as usize).checked_sub(file.as_ptr() as usize)?;
        let fits = start + bytes.len() <= file.len() && bytes.len().is_multiple_of(size_of::<f32>());
        let is_aligned = (bytes.as_ptr() as usize).is_multiple_of(align_of::<f32>());
        let is_worth_it = file.len() >= least_bytes && cfg!(target_endian = "little");
        (fits && is_aligned && is_worth_it).then(|| Mapped {
            file: Arc::clone(file),
            start,
            len: bytes.len() / size_of::<f32>(),
            values: PhantomData,
        })
    }
}

impl<T> Mapped<T> {
    /// The values.
    pub(crate) fn as_slice(&self) -> &[T] {
        // SAFETY: `of_file`, which alone makes these and only of f32, saw that the values lie in the
        // mapping and are aligned; any bytes are floats; the mapping is read-only and lives as long as
        // `file`. That another process truncates or writes over the file is the hazard of every mapping
        // (see `tensors::map`).
        unsafe { std::slice::from_raw_parts(self.file.as_ptr().add(self.start).cast::<T>(), self.len) }
    }
}

impl<T> fmt::Debug for Mapped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapped({} values at {})", self.len, self.start)
    }
}

impl<T: PartialEq> PartialEq for Mapped<T> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}
