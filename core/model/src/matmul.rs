//! Matrix products on strided views, through the `gemm` crate.
//!
//! [`product`] runs on the calling thread. [`par_product`] cuts the output into tiles whose size
//! depends on the shape alone and computes each with [`product`], so the bits do not depend on the
//! number of threads.
#![allow(
    unsafe_code,
    reason = "the gemm crate takes raw pointers; tiles of one output are written from several threads"
)]

#[cfg(test)]
mod tests;

use crate::real::Real;
use rayon::prelude::*;

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

    /// Whether the last element lies within `data`.
    fn is_in_bounds(&self) -> bool {
        self.rows == 0
            || self.cols == 0
            || (self.rows - 1) * self.row_stride + (self.cols - 1) * self.col_stride < self.data.len()
    }
}

/// A row-major output `rows x cols` with `row_stride` elements from one row to the next.
#[derive(Debug)]
pub(crate) struct MatMut<'a, T> {
    data: &'a mut [T],
    rows: usize,
    cols: usize,
}

impl<'a, T> MatMut<'a, T> {
    /// A row-major matrix that fills `data`.
    pub(crate) fn new(data: &'a mut [T], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "matrix size");
        MatMut { data, rows, cols }
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

/// The output's address, shared by threads that write disjoint tiles.
#[derive(Clone, Copy)]
struct Output<T>(*mut T);

// SAFETY: the pointer is only used by `tile`, whose callers write disjoint tiles.
unsafe impl<T: Send> Send for Output<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Output<T> {}

impl<T> Output<T> {
    fn get(&self) -> *mut T {
        self.0
    }
}

fn check<T>(out: &MatMut<T>, a: &Mat<T>, b: &Mat<T>) {
    assert_eq!((out.rows, out.cols, a.cols), (a.rows, b.cols, b.rows), "product shape");
    assert!(a.is_in_bounds() && b.is_in_bounds(), "product operands");
}

/// `out (+)= scale * a b` on the calling thread. Shapes `[m, n] = [m, k] [k, n]`.
pub(crate) fn product<T: Real>(out: MatMut<T>, update: Update, scale: T, a: Mat<T>, b: Mat<T>) {
    check(&out, &a, &b);
    let (m, n) = (out.rows, out.cols);
    // SAFETY: `check` established the shapes; the whole output is borrowed mutably.
    unsafe { tile(out.data.as_mut_ptr(), n, 0..m, 0..n, update, scale, a, b) }
}

/// `out (+)= scale * a b` on the current thread pool. Shapes `[m, n] = [m, k] [k, n]`.
pub(crate) fn par_product<T: Real>(out: MatMut<T>, update: Update, scale: T, a: Mat<T>, b: Mat<T>) {
    check(&out, &a, &b);
    let (m, n) = (out.rows, out.cols);
    let (tile_rows, tile_cols) = tile_shape(m, n, a.cols);
    let (down, across) = (m.div_ceil(tile_rows), n.div_ceil(tile_cols));
    let base = Output(out.data.as_mut_ptr());
    (0..down * across).into_par_iter().for_each(|index| {
        let (i, j) = (index / across * tile_rows, index % across * tile_cols);
        let (rows, cols) = (i..(i + tile_rows).min(m), j..(j + tile_cols).min(n));
        // SAFETY: `check` established the shapes; tiles of different indices are disjoint and the
        // output stays mutably borrowed until all of them are done.
        unsafe { tile(base.get(), n, rows, cols, update, scale, a, b) }
    });
}

/// Tile of an `m x n` output with inner dimension `k`: about sixteen along the longer side, none so
/// small that packing the operands outweighs the product.
fn tile_shape(m: usize, n: usize, k: usize) -> (usize, usize) {
    const TILES: usize = 16;
    const SMALL_WORK: usize = 1 << 17;
    let size = |length: usize, least: usize| length.div_ceil(TILES).max(least).next_multiple_of(16);
    if m * n * k <= SMALL_WORK {
        (m.max(1), n.max(1))
    } else if m >= n {
        (size(m, 32), n)
    } else {
        (m, size(n, 32))
    }
}

/// Writes the tile `rows x cols` of the product.
///
/// # Safety
/// `out` is valid for writes of a row-major matrix of width `out_cols` that contains the tile, no
/// other thread accesses the tile, `a` has the tile's rows, `b` its columns, both lie in bounds.
#[expect(clippy::too_many_arguments, reason = "one call site per flavor; all are matrix geometry")]
unsafe fn tile<T: Real>(
    out: *mut T,
    out_cols: usize,
    rows: std::ops::Range<usize>,
    cols: std::ops::Range<usize>,
    update: Update,
    scale: T,
    a: Mat<T>,
    b: Mat<T>,
) {
    if rows.is_empty() || cols.is_empty() {
        return;
    }
    let keep = if update == Update::Add { T::ONE } else { T::ZERO };
    // SAFETY: by this function's contract all three matrices are in bounds; strides are those of the
    // views, and an empty inner dimension reads nothing.
    unsafe {
        gemm::gemm(
            rows.len(),
            cols.len(),
            a.cols,
            out.add(rows.start * out_cols + cols.start),
            1,
            out_cols as isize,
            update == Update::Add,
            a.data.as_ptr().add(rows.start * a.row_stride),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr().add(cols.start * b.col_stride),
            b.col_stride as isize,
            b.row_stride as isize,
            keep,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
