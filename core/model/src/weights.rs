//! Named tensors, where their values are, and a decoder's whole set of them.

use crate::layout::Layout;
use crate::ops::linear::Weight;
use crate::real::Real;

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
}

impl<T> Storage<T> {
    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        match self {
            Storage::Owned(values) => values.len(),
        }
    }

    /// The values.
    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Storage::Owned(values) => values,
        }
    }

    /// The values, to be changed.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        match self {
            Storage::Owned(values) => values,
        }
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

    /// Tensor `index` as the weight of a linear layer: `[in, out]` if `transposed`, else `[out, in]`.
    pub(crate) fn matrix(&self, index: usize, transposed: bool) -> Weight<'_, T> {
        match (&self.tensors[index].values, transposed) {
            (Storage::Owned(values), false) => Weight::Dense(values),
            (Storage::Owned(values), true) => Weight::Transposed(values),
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
        let values: Vec<U> = self.values.as_slice().iter().map(|x| U::from_f64(x.to_f64())).collect();
        NamedTensor { name: self.name.clone(), shape: self.shape.clone(), values: values.into() }
    }
}
