//! A low-rank update added into the weights it was trained beside: `W' = W + scaling * B A`.

use rayon::prelude::*;

use crate::{LoraAdapter, Model};

#[cfg(test)]
mod tests;

impl Model {
    /// This model with `adapter` merged into its weights; the model itself stays as it is.
    ///
    /// Sums are in f32, row by row, in the order of the rank: the same bits for any number of threads.
    #[must_use]
    pub fn merged(&self, adapter: &LoraAdapter) -> Model {
        let mut merged = self.clone();
        let weights = merged.weights_mut();
        let lora = &adapter.weights;
        let scaling = lora.scaling as f32;
        let modules = weights.layout.modules.clone();
        for (module, matrices) in modules.iter().zip(&lora.layout) {
            let Some((a, b)) = *matrices else { continue };
            let (a, b) = (lora.tensors[a].values.as_slice(), lora.tensors[b].values.as_slice());
            let rank = b.len() / module.out_size;
            let values = weights.tensors[module.weight].values.as_mut_slice();
            if module.transposed {
                // `[in, out]`: row i gets sum_r a[r, i] * scaling * b[:, r].
                values.par_chunks_mut(module.out_size).enumerate().for_each(|(i, row)| {
                    for r in 0..rank {
                        let factor = a[r * module.in_size + i] * scaling;
                        row.iter_mut().enumerate().for_each(|(o, w)| *w += factor * b[o * rank + r]);
                    }
                });
            } else {
                values.par_chunks_mut(module.in_size).zip(b.par_chunks(rank)).for_each(|(row, b)| {
                    for (factor, a) in b.iter().map(|b| b * scaling).zip(a.chunks(module.in_size)) {
                        row.iter_mut().zip(a).for_each(|(w, a)| *w += factor * a);
                    }
                });
            }
        }
        merged
    }
}
