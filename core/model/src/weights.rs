//! Named tensors, where their values are, and a decoder's whole set of them.

use crate::io::Mapped;
use crate::layout::Layout;
use crate::ops::linear::Weight;
use crate::quant::Nf4;
use crate::real::Real;
use std::borrow::Cow;
use std::sync::Arc;

/// A named tensor, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NamedTensor<T> {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Storage<T>,
}

/// Where a tensor's values are and in which form. What computes with a form that is not plain numbers
/// asks for it by name ([`Weights::matrix`]); all other code sees slices.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub(crate) enum Storage<T> {
    /// In memory, in the element type of the arithmetic.
    Owned(Vec<T>),
    /// In a mapped file, whose memory all processes share.
    Mapped(Mapped<T>),
    /// The matrix `[out, in]` of a linear layer in four bits, shared between models.
    Nf4(Arc<Nf4>),
}

impl<T> Storage<T> {
    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        match self {
            Storage::Owned(values) => values.len(),
            Storage::Mapped(values) => values.as_slice().len(),
            Storage::Nf4(matrix) => matrix.len(),
        }
    }

    /// The values.
    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Storage::Owned(values) => values,
            Storage::Mapped(values) => values.as_slice(),
            Storage::Nf4(_) => unreachable!("only linear layers are quantized, and they ask for a matrix"),
        }
    }

    /// The values, to be changed: those of a file are copied first.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [T]
    where
        T: Copy,
    {
        if let Storage::Mapped(values) = self {
            *self = Storage::Owned(values.as_slice().to_vec());
        }
        match self {
            Storage::Owned(values) => values,
            Storage::Mapped(_) => unreachable!("copied above"),
            Storage::Nf4(_) => unreachable!("quantized weights are frozen"),
        }
    }

    /// Whether the values are not plain numbers.
    pub(crate) fn is_quantized(&self) -> bool {
        matches!(self, Storage::Nf4(_))
    }
}

impl<T> From<Vec<T>> for Storage<T> {
    fn from(values: Vec<T>) -> Self {
        Storage::Owned(values)
    }
}

/// Name and shape of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TensorSpec {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
}

impl TensorSpec {
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// All tensors of a decoder.
#[derive(Debug, Clone)]
pub(crate) struct Weights<T> {
    pub(crate) tensors: Vec<NamedTensor<T>>,
    pub(crate) layout: Layout,
}

impl<T: Real> Weights<T> {
    /// The values of tensor `index`.
    pub(crate) fn values(&self, index: usize) -> &[T] {
        self.tensors[index].values.as_slice()
    }

    /// Tensor `index` in the checkpoint's orientation, whatever it is held in.
    pub(crate) fn dense(&self, index: usize) -> Cow<'_, [T]> {
        match &self.tensors[index].values {
            Storage::Owned(values) => Cow::Borrowed(values),
            Storage::Mapped(values) => Cow::Borrowed(values.as_slice()),
            Storage::Nf4(matrix) => {
                let module = self.layout.modules.iter().find(|module| module.weight == index);
                let values = matrix.to_vec();
                Cow::Owned(match module {
                    Some(module) if module.transposed => transposed(&values, module.in_size),
                    _ => values,
                })
            }
        }
    }

    /// Tensor `index` as the weight of a linear layer: `[in, out]` if `transposed`, else `[out, in]`.
    pub(crate) fn matrix(&self, index: usize, transposed: bool) -> Weight<'_, T> {
        match (&self.tensors[index].values, transposed) {
            (Storage::Nf4(matrix), _) => Weight::Nf4(matrix),
            (values, false) => Weight::Dense(values.as_slice()),
            (values, true) => Weight::Transposed(values.as_slice()),
        }
    }

    /// The same weights in another element type.
    #[cfg(test)]
    pub(crate) fn cast<U: Real>(&self) -> Weights<U> {
        Weights { tensors: self.tensors.iter().map(NamedTensor::cast).collect(), layout: self.layout.clone() }
    }
}

impl<T: Real> NamedTensor<T> {
    #[cfg(test)]
    pub(crate) fn cast<U: Real>(&self) -> NamedTensor<U> {
        let values = match &self.values {
            Storage::Nf4(matrix) => Storage::Nf4(Arc::clone(matrix)),
            values => Storage::Owned(values.as_slice().iter().map(|x| U::from_f64(x.to_f64())).collect()),
        };
        NamedTensor { name: self.name.clone(), shape: self.shape.clone(), values }
    }
}

/// The transpose of a row-major matrix with rows of `cols` values.
pub(crate) fn transposed<T: Copy>(values: &[T], cols: usize) -> Vec<T> {
    (0..cols).flat_map(|j| values.iter().skip(j).step_by(cols)).copied().collect()
}
