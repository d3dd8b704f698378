//! f64 products through the `gemm` crate, for gradient checks. The output is cut into tiles whose size
//! depends on the shape alone, so the bits do not depend on the number of threads.

use super::{Mat, MatMut, Output, Term, Update};
use rayon::prelude::*;
use std::ops::Range;

/// `out (+)= sum of scale * a b` over the terms, one after the other.
pub(crate) fn multiply(mut out: MatMut<f64>, update: Update, terms: &[Term<f64>], parallel: bool) {
    if terms.is_empty() && update == Update::Set {
        out.clear();
        return;
    }
    let (m, n, row_stride) = (out.rows, out.cols, out.row_stride);
    let base = Output(out.data.as_mut_ptr());
    for (index, term) in terms.iter().enumerate() {
        let update = if index == 0 { update } else { Update::Add };
        let (tile_rows, tile_cols) = if parallel { tile_shape(m, n, term.a.cols) } else { (m.max(1), n.max(1)) };
        let (down, across) = (m.div_ceil(tile_rows), n.div_ceil(tile_cols));
        let run = |index: usize| {
            let (i, j) = (index / across * tile_rows, index % across * tile_cols);
            let (rows, cols) = (i..(i + tile_rows).min(m), j..(j + tile_cols).min(n));
            // SAFETY: the callers checked the shapes; tiles of different indices are disjoint and the
            // output stays mutably borrowed until all of them are done.
            unsafe { tile(base.get(), row_stride, rows, cols, update, term.scale, term.a, term.b) }
        };
        match parallel {
            true => (0..down * across).into_par_iter().for_each(run),
            false => (0..down * across).for_each(run),
        }
    }
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
/// `out` is valid for writes of a row-major matrix with rows `row_stride` apart that contains the tile, no
/// other thread accesses the tile, `a` has the tile's rows, `b` its columns, both lie in bounds.
#[expect(clippy::too_many_arguments, reason = "one call site; all are matrix geometry")]
unsafe fn tile(
    out: *mut f64,
    row_stride: usize,
    rows: Range<usize>,
    cols: Range<usize>,
    update: Update,
    scale: f64,
    a: Mat<f64>,
    b: Mat<f64>,
) {
    if rows.is_empty() || cols.is_empty() {
        return;
    }
    let keep = if update == Update::Add { 1.0 } else { 0.0 };
    // SAFETY: by this function's contract all three matrices are in bounds; strides are those of the
    // views, and an empty inner dimension reads nothing.
    unsafe {
        gemm::gemm(
            rows.len(),
            cols.len(),
            a.cols,
            out.add(rows.start * row_stride + cols.start),
            1,
            row_stride as isize,
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
