//! f32 products: how the work is cut so that panels stay in the caches.
//!
//! ```text
//! B is packed once, in slabs of columns, by all threads           (last-level cache)
//! a task takes some rows of A, packs a depth of them              (second level)
//!   and runs over the slab: blocks of B's panels x panels of A    (second level x first level)
//! ```
//!
//! An element is summed over blocks of depth whose bounds depend on the inner dimension alone, within
//! a block in order. How rows and columns are cut therefore does not show in the bits: they are the
//! same for any number of threads, and a row's result does not depend on the other rows.

use super::kernel::{Kernels, ROW_STRIDE, Tile, kernels};
use super::{MatMut, Output, Term, Update, narrow, pack};
use rayon::prelude::*;
use std::ops::Range;

/// Most depth that is packed as one block: a panel of A then takes half of a 48 KiB cache. Part of
/// the results.
pub(super) const MAX_DEPTH: usize = 384;

/// Floats of packed B held at one time: 4 MiB.
const SLAB: usize = 1 << 20;

/// Columns of a slab that one pass over A's panels uses: with the depth above 590 KB.
const BLOCK_COLS: usize = 384;

/// Panels of A that a task packs at most.
const MAX_PANELS: usize = 8;

/// Most rows of an output for which tasks pack B's panels for themselves.
const FEW_ROWS: usize = 64;

/// Multiply-adds below which one thread does it all.
pub(super) const SMALL_WORK: usize = 1 << 17;

/// A product, cut into blocks.
struct Plan<'t, 'a> {
    terms: &'t [Term<'a, f32>],
    kernels: Kernels,
    by_row: bool,
    m: usize,
    n: usize,
    depth: usize,
    /// Depth of a block; the last may be shorter.
    block: usize,
    update: Update,
    c: Output<f32>,
    /// From one row of the output to the next.
    c_stride: usize,
}

/// A slab of packed B: columns, and which blocks of depth.
#[derive(Clone)]
struct Slab {
    cols: Range<usize>,
    blocks: Range<usize>,
}

/// `out (+)= sum of scale * a b` over the terms, on one thread or on the current pool.
pub(crate) fn multiply(out: MatMut<f32>, update: Update, terms: &[Term<f32>], parallel: bool) {
    if let [term] = terms
        && narrow::applies(&out, term)
    {
        return narrow::multiply(out, update, term, parallel);
    }
    multiply_with(kernels(out.rows, out.cols), out, update, terms, parallel);
}

pub(super) fn multiply_with(
    kernels: Kernels,
    mut out: MatMut<f32>,
    update: Update,
    terms: &[Term<f32>],
    parallel: bool,
) {
    let depth: usize = terms.iter().map(|term| term.a.cols).sum();
    let (m, n) = (out.rows, out.cols);
    if depth == 0 || m == 0 || n == 0 {
        if update == Update::Set {
            out.clear();
        }
        return;
    }
    let block = depth.div_ceil(depth.div_ceil(MAX_DEPTH));
    let c = Output(out.data.as_mut_ptr());
    let by_row = pack::is_by_row(terms);
    let plan = Plan { terms, kernels, by_row, m, n, depth, block, update, c, c_stride: out.row_stride };
    let parallel = parallel && m * n * depth > SMALL_WORK;
    match (m <= FEW_ROWS, parallel) {
        (true, _) => plan.few_rows(parallel),
        (false, true) => pack::with_shared(|buffer| plan.slabs().for_each(|slab| plan.in_parallel(&slab, buffer))),
        (false, false) => pack::with_b(|buffer| plan.slabs().for_each(|slab| plan.on_this_thread(&slab, buffer))),
    }
}

/// A panel of B and how far its rows are apart.
#[derive(Clone, Copy)]
struct B<'a> {
    data: &'a [f32],
    stride: usize,
}

impl<'a> Plan<'_, 'a> {
    fn n_blocks(&self) -> usize {
        self.depth.div_ceil(self.block)
    }

    fn depths(&self, block: usize) -> Range<usize> {
        block * self.block..((block + 1) * self.block).min(self.depth)
    }

    /// Floats of one packed panel of B.
    fn panel(&self) -> usize {
        self.block * self.kernels.nr
    }

    /// Slabs in the order in which they must be worked on: depth after depth for the same columns.
    fn slabs(&self) -> impl Iterator<Item = Slab> + use<> {
        let (n, n_blocks) = (self.n, self.n_blocks());
        let cols = (SLAB / self.depth).max(512).min(n).next_multiple_of(self.kernels.nr);
        let blocks = (SLAB / (cols * self.block)).max(1);
        (0..n).step_by(cols).flat_map(move |first| {
            (0..n_blocks).step_by(blocks).map(move |block| Slab {
                cols: first..(first + cols).min(n),
                blocks: block..(block + blocks).min(n_blocks),
            })
        })
    }

    fn pack_b(&self, slab: &Slab, index: usize, panel: &mut [f32]) {
        let nr = self.kernels.nr;
        let n_panels = slab.cols.len().div_ceil(nr);
        let first = slab.cols.start + index % n_panels * nr;
        let depths = self.depths(slab.blocks.start + index / n_panels);
        pack::b(self.terms, depths, first..(first + nr).min(slab.cols.end), nr, panel);
    }

    /// A product of few rows: nothing is gained from a copy of B that many tasks share. Each task packs
    /// one panel after the other for itself, or reads it where it lies.
    fn few_rows(&self, parallel: bool) {
        let n_panels = self.n.div_ceil(self.kernels.nr);
        let run = |panels: Range<usize>| pack::with_a(|a| pack::with_b(|b| self.few_rows_of_panels(panels, a, b)));
        if !parallel {
            return run(0..n_panels);
        }
        let width = n_panels.div_ceil(4 * rayon::current_num_threads());
        let starts: Vec<usize> = (0..n_panels).step_by(width).collect();
        starts.into_par_iter().for_each(|start| run(start..(start + width).min(n_panels)));
    }

    fn few_rows_of_panels(&self, panels: Range<usize>, a: &mut pack::Buffer, b: &mut pack::Buffer) {
        let nr = self.kernels.nr;
        let a = a.floats(self.m.div_ceil(self.kernels.mr) * self.a_size());
        let own = b.floats(self.panel());
        for block in 0..self.n_blocks() {
            let depths = self.depths(block);
            self.pack_a(0..self.m, depths.clone(), a);
            for panel in panels.clone() {
                let cols = panel * nr..((panel + 1) * nr).min(self.n);
                let b = match self.in_place(&depths, &cols) {
                    Some(b) => b,
                    None => {
                        pack::b(self.terms, depths.clone(), cols.clone(), nr, own);
                        B { data: own, stride: nr }
                    }
                };
                self.column_of_tiles(0..self.m, cols, a, b, depths.len(), self.keeps(block));
            }
        }
    }

    /// B where it lies, if its rows are contiguous and reach over the whole panel.
    fn in_place(&self, depths: &Range<usize>, cols: &Range<usize>) -> Option<B<'a>> {
        let [term] = self.terms else { return None };
        let b = term.b;
        let fits = b.col_stride == 1 && cols.len() == self.kernels.nr;
        fits.then(|| B { data: &b.data[depths.start * b.row_stride + cols.start..], stride: b.row_stride })
    }

    fn keeps(&self, block: usize) -> bool {
        self.update == Update::Add || block > 0
    }

    /// Floats of one packed panel of A.
    fn a_size(&self) -> usize {
        self.kernels.mr * if self.by_row { ROW_STRIDE } else { self.block }
    }

    fn pack_a(&self, rows: Range<usize>, depths: Range<usize>, a: &mut [f32]) {
        let mr = self.kernels.mr;
        for (first, panel) in rows.clone().step_by(mr).zip(a.chunks_mut(self.a_size())) {
            let rows = first..(first + mr).min(rows.end);
            match self.by_row {
                true => pack::a_by_row(self.terms, rows, depths.clone(), panel),
                false => pack::a_by_column(self.terms, rows, depths.clone(), mr, panel),
            }
        }
    }

    fn on_this_thread(&self, slab: &Slab, buffer: &mut pack::Buffer) {
        let n_panels = slab.cols.len().div_ceil(self.kernels.nr);
        let packed = buffer.floats(slab.blocks.len() * n_panels * self.panel());
        packed.chunks_mut(self.panel()).enumerate().for_each(|(index, panel)| self.pack_b(slab, index, panel));
        let rows = self.kernels.mr * MAX_PANELS;
        for first in (0..self.m).step_by(rows) {
            self.rows(first..(first + rows).min(self.m), slab, 0..n_panels, packed);
        }
    }

    fn in_parallel(&self, slab: &Slab, buffer: &mut pack::Buffer) {
        let n_panels = slab.cols.len().div_ceil(self.kernels.nr);
        let packed = buffer.floats(slab.blocks.len() * n_panels * self.panel());
        packed.par_chunks_mut(self.panel()).enumerate().for_each(|(index, panel)| self.pack_b(slab, index, panel));
        let packed = &*packed;
        // The cut may depend on the number of threads: the bits do not depend on the cut.
        let wanted = 4 * rayon::current_num_threads();
        let a_panels = self.m.div_ceil(self.kernels.mr);
        let per_task = (a_panels / wanted).clamp(1, MAX_PANELS);
        let down = a_panels.div_ceil(per_task);
        let across = wanted.div_ceil(down).min(n_panels);
        let width = n_panels.div_ceil(across);
        let rows = per_task * self.kernels.mr;
        (0..down * across).into_par_iter().for_each(|task| {
            let (i, j) = (task / across * rows, task % across * width);
            if j < n_panels {
                self.rows(i..(i + rows).min(self.m), slab, j..(j + width).min(n_panels), packed);
            }
        });
    }

    /// Some rows of the output, some panels of the slab.
    fn rows(&self, rows: Range<usize>, slab: &Slab, panels: Range<usize>, packed: &[f32]) {
        let Kernels { mr, nr, .. } = self.kernels;
        let n_panels = slab.cols.len().div_ceil(nr);
        pack::with_a(|buffer| {
            let a = buffer.floats(rows.len().div_ceil(mr) * self.a_size());
            for block in slab.blocks.clone() {
                let depths = self.depths(block);
                self.pack_a(rows.clone(), depths.clone(), a);
                let b = &packed[(block - slab.blocks.start) * n_panels * self.panel()..];
                for some in panels.clone().step_by(BLOCK_COLS / nr) {
                    let some = some..(some + BLOCK_COLS / nr).min(panels.end);
                    // A's panel stays in the first-level cache while B's panels pass.
                    for (i, a) in rows.clone().step_by(mr).zip(a.chunks(self.a_size())) {
                        for panel in some.clone() {
                            let j = slab.cols.start + panel * nr;
                            let b = B { data: &b[panel * self.panel()..], stride: nr };
                            let tile_rows = i..(i + mr).min(rows.end);
                            self.tile(tile_rows, j..(j + nr).min(slab.cols.end), a, b, depths.len(), self.keeps(block));
                        }
                    }
                }
            }
        });
    }

    /// All panels of A times one of B.
    fn column_of_tiles(&self, rows: Range<usize>, cols: Range<usize>, a: &[f32], b: B, depth: usize, keep: bool) {
        let mr = self.kernels.mr;
        for (i, a) in rows.clone().step_by(mr).zip(a.chunks(self.a_size())) {
            self.tile(i..(i + mr).min(rows.end), cols.clone(), a, b, depth, keep);
        }
    }

    #[inline]
    fn tile(&self, rows: Range<usize>, cols: Range<usize>, a: &[f32], b: B, depth: usize, keep: bool) {
        let Kernels { nr, by_row, by_column, .. } = self.kernels;
        let kernel = if self.by_row { by_row } else { by_column };
        let b_data = &b.data[..(depth - 1) * b.stride + nr];
        // SAFETY: the tile lies in the output, which is mutably borrowed for the product, and tasks write
        // disjoint tiles; A's panel was packed for this kernel, of B every row of the panel was just
        // seen to be there; the kernel was chosen for this processor.
        unsafe {
            kernel(Tile {
                depth,
                a: a.as_ptr(),
                b: b_data.as_ptr(),
                b_stride: b.stride,
                c: self.c.get().add(rows.start * self.c_stride + cols.start),
                row_stride: self.c_stride,
                keep,
                rows: rows.len(),
                cols: cols.len(),
            });
        }
    }
}
