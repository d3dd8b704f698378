//! Matrix products on strided views: `out (+)= sum of scale * a b` over one or more terms.
//!
//! A list of terms is one product with the inner dimensions laid end to end: a low-rank update, or the
//! input gradients of layers that share an input, cost no further pass over the output.
//!
//! f32 runs on our own kernels ([`blocking`], [`kernel`]): an element's bits depend on its row, its
//! column and the inner dimension, not on the number of threads, the processor's vector width or the
//! other rows (outputs of a few columns and many rows excepted, [`narrow`]). f64, for gradient checks, goes through the `gemm` crate ([`double`]).
#![allow(
    unsafe_code,
    reason = "vector instructions and raw output pointers: tiles of one output are written from several threads"
)]

mod blocking;
mod double;
mod kernel;
mod narrow;
mod pack;
#[cfg(test)]
mod tests;

pub(crate) use blocking::multiply as multiply_f32;
pub(crate) use double::multiply as multiply_f64;

use crate::real::Real;

/// A read-only matrix: `rows x cols`, element (i, j) at `i * row_stride + j * col_stride`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mat<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T> Mat<'a, T> {
    /// A row-major matrix that fills `data`.
    pub(crate) fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "matrix size");
        Mat { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The transpose, without copying.
    pub(crate) fn t(self) -> Self {
        Mat {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    /// Some columns, without copying.
    pub(crate) fn columns(self, range: std::ops::Range<usize>) -> Self {
        assert!(range.end <= self.cols, "columns of a matrix");
        let data = self.data.get(range.start * self.col_stride..).unwrap_or(&[]);
        Mat { data, cols: range.len(), ..self }
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub(crate) fn cols(&self) -> usize {
        self.cols
    }

    /// Whether the last element lies within `data`.
    fn is_in_bounds(&self) -> bool {
        self.rows == 0
            || self.cols == 0
            || (self.rows - 1) * self.row_stride + (self.cols - 1) * self.col_stride < self.data.len()
    }
}

/// A row-major output `rows x cols`, or some columns of one.
#[derive(Debug)]
pub(crate) struct MatMut<'a, T> {
    data: &'a mut [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
}

impl<'a, T: Copy + Default> MatMut<'a, T> {
    /// A row-major matrix that fills `data`.
    pub(crate) fn new(data: &'a mut [T], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "matrix size");
        MatMut { data, rows, cols, row_stride: cols }
    }

    /// Some columns.
    pub(crate) fn columns(self, range: std::ops::Range<usize>) -> Self {
        assert!(range.end <= self.cols, "columns of a matrix");
        let data = self.data.get_mut(range.start..).unwrap_or(&mut []);
        MatMut { data, cols: range.len(), ..self }
    }

    fn is_contiguous(&self) -> bool {
        self.row_stride == self.cols
    }

    /// Sets all elements to zero.
    fn clear(&mut self) {
        let (rows, cols) = (self.rows, self.cols);
        self.data.chunks_mut(self.row_stride.max(1)).take(rows).for_each(|row| row[..cols].fill(T::default()));
    }
}

/// What happens with the output's old values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Update {
    /// They are overwritten.
    Set,
    /// The product is added to them.
    Add,
}

/// One product of a sum: `scale * a b`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term<'a, T> {
    pub(crate) scale: T,
    pub(crate) a: Mat<'a, T>,
    pub(crate) b: Mat<'a, T>,
}

impl<'a, T: Copy> Term<'a, T> {
    /// `scale * a b`.
    pub(crate) fn scaled(scale: T, a: Mat<'a, T>, b: Mat<'a, T>) -> Self {
        Term { scale, a, b }
    }

    /// The inner dimension.
    pub(crate) fn depth(&self) -> usize {
        self.a.cols
    }

    /// The term of some columns of the output.
    pub(crate) fn columns(&self, range: std::ops::Range<usize>) -> Self {
        Term { b: self.b.columns(range), ..*self }
    }
}

/// The output's address, shared by threads that write disjoint tiles.
#[derive(Clone, Copy)]
struct Output<T>(*mut T);

// SAFETY: the pointer is only used for tiles, and tasks write disjoint ones.
unsafe impl<T: Send> Send for Output<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Output<T> {}

impl<T> Output<T> {
    fn get(&self) -> *mut T {
        self.0
    }
}

fn check<T>(out: &MatMut<T>, terms: &[Term<T>]) {
    for Term { a, b, .. } in terms {
        assert_eq!((out.rows, out.cols, a.cols), (a.rows, b.cols, b.rows), "product shape");
        assert!(a.is_in_bounds() && b.is_in_bounds(), "product operands");
    }
}

/// `out (+)= scale * a b` on the calling thread. Shapes `[m, n] = [m, k] [k, n]`.
pub(crate) fn product<T: Real>(out: MatMut<T>, update: Update, scale: T, a: Mat<T>, b: Mat<T>) {
    let terms = [Term::scaled(scale, a, b)];
    check(&out, &terms);
    T::multiply(out, update, &terms, false);
}

/// `out (+)= scale * a b` on the current thread pool. Shapes `[m, n] = [m, k] [k, n]`.
pub(crate) fn par_product<T: Real>(out: MatMut<T>, update: Update, scale: T, a: Mat<T>, b: Mat<T>) {
    par_products(out, update, &[Term::scaled(scale, a, b)]);
}

/// `out = a b` on the current thread pool, never by the paths for narrow outputs: a row of `out` has the
/// same bits whatever the other rows are, and however many.
pub(crate) fn rows_product(out: MatMut<f32>, a: Mat<f32>, b: Mat<f32>) {
    let terms = [Term::scaled(1.0, a, b)];
    check(&out, &terms);
    blocking::multiply_with(kernel::kernels(out.rows, out.cols), out, Update::Set, &terms, true);
}

/// `out (+)= sum of the terms` on the current thread pool.
pub(crate) fn par_products<T: Real>(out: MatMut<T>, update: Update, terms: &[Term<T>]) {
    check(&out, terms);
    T::multiply(out, update, terms, true);
}
