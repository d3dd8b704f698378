//! SwiGLU: `out = silu(gate) * up`, elementwise over `[n, intermediate]`.

use super::ELEMENTS_PER_TASK;
use crate::buffers;
use crate::real::Real;
use rayon::prelude::*;

/// `silu(gate) * up`.
pub(crate) fn forward<T: Real>(gate: &[T], up: &[T]) -> Vec<T> {
    let mut out = buffers::take(gate.len());
    out.par_chunks_mut(ELEMENTS_PER_TASK)
        .zip(gate.par_chunks(ELEMENTS_PER_TASK))
        .zip(up.par_chunks(ELEMENTS_PER_TASK))
        .for_each(|((out, gate), up)| T::swiglu(gate, up, out));
    out
}

/// In place: `d` (the output's gradient) becomes the output itself, `gate` and `up` become their
/// gradients. The output is recomputed because saving it would cost another `[n, intermediate]`.
pub(crate) fn backward<T: Real>(gate: &mut [T], up: &mut [T], d: &mut [T]) {
    gate.par_chunks_mut(ELEMENTS_PER_TASK)
        .zip(up.par_chunks_mut(ELEMENTS_PER_TASK))
        .zip(d.par_chunks_mut(ELEMENTS_PER_TASK))
        .for_each(|((gate, up), d)| T::swiglu_backward(gate, up, d));
}
