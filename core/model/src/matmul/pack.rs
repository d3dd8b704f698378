//! Copies of operands in the order in which the kernel reads them, and the memory for them.

mod transpose;

use super::Term;
use super::kernel::ROW_STRIDE;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Mutex;
use transpose::transpose;

/// A cache line, so that buffers are aligned to one.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line([f32; 16]);

/// Aligned memory that is used again and again; its old content is meaningless.
#[derive(Debug, Default)]
pub(super) struct Buffer(Vec<Line>);

impl Buffer {
    /// `n` floats, whatever they were.
    pub(super) fn floats(&mut self, n: usize) -> &mut [f32] {
        let lines = n.div_ceil(16);
        if self.0.len() < lines {
            self.0.resize(lines, Line([0.0; 16]));
        }
        // SAFETY: a line is sixteen floats without padding, and at least `n` floats are initialized.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast::<f32>(), n) }
    }
}

/// Buffers for packed B, shared by the threads of a product; as many as products ran at one time.
static POOL: Mutex<Vec<Buffer>> = Mutex::new(Vec::new());

/// Runs `work` with a buffer from the pool.
pub(super) fn with_shared<R>(work: impl FnOnce(&mut Buffer) -> R) -> R {
    let mut buffer = POOL.lock().map_or_else(|_| Buffer::default(), |mut pool| pool.pop().unwrap_or_default());
    let result = work(&mut buffer);
    if let Ok(mut pool) = POOL.lock() {
        pool.push(buffer);
    }
    result
}

thread_local! {
    static A_PANELS: RefCell<Buffer> = RefCell::default();
    static B_PANELS: RefCell<Buffer> = RefCell::default();
}

/// Runs `work` with this thread's buffer for packed A.
pub(super) fn with_a<R>(work: impl FnOnce(&mut Buffer) -> R) -> R {
    A_PANELS.with_borrow_mut(work)
}

/// Runs `work` with this thread's buffer for packed B (a product on one thread).
pub(super) fn with_b<R>(work: impl FnOnce(&mut Buffer) -> R) -> R {
    B_PANELS.with_borrow_mut(work)
}

/// The parts of the terms that lie in `depths` of all inner dimensions laid end to end: term, its own
/// range, first depth within `depths`.
fn parts<'t, 'a>(
    terms: &'t [Term<'a, f32>],
    depths: Range<usize>,
) -> impl Iterator<Item = (&'t Term<'a, f32>, Range<usize>, usize)> {
    let mut start = 0;
    terms.iter().filter_map(move |term| {
        let first = start;
        start += term.a.cols;
        let (from, to) = (depths.start.max(first), depths.end.min(start));
        (from < to).then(|| (term, from - first..to - first, from - depths.start))
    })
}

/// Whether A is packed row by row (its inner dimension is contiguous in all terms).
pub(super) fn is_by_row(terms: &[Term<f32>]) -> bool {
    terms.iter().all(|term| term.a.col_stride == 1)
}

/// Packs `scale * A[rows, depths]`, at most `mr` rows, [`ROW_STRIDE`] apart.
pub(super) fn a_by_row(terms: &[Term<f32>], rows: Range<usize>, depths: Range<usize>, panel: &mut [f32]) {
    for (term, range, at) in parts(terms, depths) {
        for (row, to) in rows.clone().zip(panel.chunks_mut(ROW_STRIDE)) {
            let from = row * term.a.row_stride;
            let from = &term.a.data[from + range.start..from + range.end];
            let to = &mut to[at..at + range.len()];
            match term.scale == 1.0 {
                true => to.copy_from_slice(from),
                false => to.iter_mut().zip(from).for_each(|(to, &x)| *to = term.scale * x),
            }
        }
    }
}

/// Packs `scale * A[rows, depths]` as columns of `mr` elements; missing rows are zero.
pub(super) fn a_by_column(terms: &[Term<f32>], rows: Range<usize>, depths: Range<usize>, mr: usize, panel: &mut [f32]) {
    for (term, range, at) in parts(terms, depths) {
        let (row_stride, col_stride) = (term.a.row_stride, term.a.col_stride);
        for (k, column) in range.zip(panel[at * mr..].chunks_mut(mr)) {
            let (some, rest) = column.split_at_mut(rows.len());
            if row_stride == 1 {
                let from = k * col_stride + rows.start;
                some.copy_from_slice(&term.a.data[from..from + rows.len()]);
            } else {
                let from = rows.clone().map(|i| term.a.data[i * row_stride + k * col_stride]);
                some.iter_mut().zip(from).for_each(|(to, x)| *to = x);
            }
            if term.scale != 1.0 {
                some.iter_mut().for_each(|x| *x *= term.scale);
            }
            rest.fill(0.0);
        }
    }
}

/// Packs `B[depths, cols]`, at most `nr` columns, as rows of `nr` elements; missing columns are zero.
pub(super) fn b(terms: &[Term<f32>], depths: Range<usize>, cols: Range<usize>, nr: usize, panel: &mut [f32]) {
    for (term, range, at) in parts(terms, depths) {
        let (row_stride, col_stride) = (term.b.row_stride, term.b.col_stride);
        let panel = &mut panel[at * nr..(at + range.len()) * nr];
        if col_stride == 1 {
            for (k, row) in range.zip(panel.chunks_mut(nr)) {
                let from = k * row_stride + cols.start;
                let (some, rest) = row.split_at_mut(cols.len());
                some.copy_from_slice(&term.b.data[from..from + cols.len()]);
                rest.fill(0.0);
            }
            continue;
        }
        match row_stride {
            1 => transpose(&term.b.data[cols.start * col_stride + range.start..], col_stride, cols.len(), panel, nr),
            _ => {
                for (j, col) in cols.clone().enumerate() {
                    let from = &term.b.data[col * col_stride..];
                    for (row, k) in panel.chunks_mut(nr).zip(range.clone()) {
                        row[j] = from[k * row_stride];
                    }
                }
            }
        }
        if cols.len() < nr {
            panel.chunks_mut(nr).for_each(|row| row[cols.len()..].fill(0.0));
        }
    }
}
