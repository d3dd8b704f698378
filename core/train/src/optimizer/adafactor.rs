//! Adafactor (Shazeer & Stern, 2018) with an external learning rate and without momentum: what
//! `transformers.Adafactor(scale_parameter=False, relative_step=False)`, Hugging Face's
//! `optim="adafactor"`, does. A matrix `[n, m]` keeps `n + m` numbers.
//!
//! ```text
//! β  = 1 − t^−0.8            s = g² + 1e-30
//! R ← β·R + (1 − β)·mean of s over columns       C ← β·C + (1 − β)·mean of s over rows
//! u  = g / √(R / mean(R)) / √C                   (a vector keeps s itself:  u = g / √S)
//! u  = u / max(1, rms(u))
//! w ← w − lr·λ·w;  w ← w − lr·u                  λ on matrices only
//! ```
//!
//! Sums run over rows in a fixed order and over fixed blocks of rows: the same bits on any number
//! of threads.

use luthier_model::ParameterInfo;
use rayon::prelude::*;

use super::{Optimizer, StateData, StateTensor, TensorUpdate, expect_pieces, restore_f32};

/// Exponent of the second moment's decay (the paper's −0.8).
const DECAY_RATE: f64 = -0.8;
/// Added to squared gradients.
const EPSILON: f32 = 1e-30;
/// Root mean square above which an update is scaled down.
const CLIP_THRESHOLD: f64 = 1.0;
/// Rows (or values of a vector) that one task sums. Part of the result.
const ROWS_PER_TASK: usize = 64;
const VALUES_PER_TASK: usize = 1 << 14;

/// Second moments of one tensor.
#[derive(Debug, Clone, PartialEq)]
enum Second {
    /// Of a matrix: means over columns `[n]` and over rows `[m]`.
    Factored { rows: Vec<f32>, columns: Vec<f32> },
    /// Of a vector, as it is.
    Whole(Vec<f32>),
}

/// Adafactor and its state.
#[derive(Debug, Clone, PartialEq)]
pub struct Adafactor {
    weight_decay: f64,
    step: u64,
    second: Vec<Second>,
}

impl Adafactor {
    /// An optimizer that has seen nothing, for these tensors. One of more than two dimensions counts
    /// as a matrix of its last dimension.
    pub fn new(weight_decay: f64, parameters: &[ParameterInfo]) -> Self {
        let of = |parameter: &ParameterInfo| {
            let n: usize = parameter.shape.iter().product();
            match parameter.shape.last() {
                Some(&width) if parameter.shape.len() > 1 && width > 0 => {
                    Second::Factored { rows: vec![0.0; n / width], columns: vec![0.0; width] }
                }
                _ => Second::Whole(vec![0.0; n]),
            }
        };
        Adafactor { weight_decay, step: 0, second: parameters.iter().map(of).collect() }
    }
}

impl Optimizer for Adafactor {
    fn step(&self) -> u64 {
        self.step
    }

    fn begin_step(&mut self) {
        self.step += 1;
    }

    fn update(&mut self, update: TensorUpdate<'_>) {
        let TensorUpdate { index, values, gradient, gradient_scale, learning_rate, decays } = update;
        let beta = (1.0 - luthier_model::math::pow(self.step as f64, DECAY_RATE)) as f32;
        let direction = match &mut self.second[index] {
            Second::Factored { rows, columns } => factored(rows, columns, gradient, gradient_scale, beta),
            Second::Whole(second) => whole(second, gradient, gradient_scale, beta),
        };
        let rms = (sum_of_squares(&direction) / direction.len().max(1) as f64).sqrt();
        let clip = (rms / CLIP_THRESHOLD).max(1.0) as f32;
        let rate = learning_rate as f32;
        let decay = if decays { (self.weight_decay * learning_rate) as f32 } else { 0.0 };
        let chunks = values.par_chunks_mut(VALUES_PER_TASK).zip(direction.par_chunks(VALUES_PER_TASK));
        chunks.for_each(|(values, direction)| {
            for (w, &u) in values.iter_mut().zip(direction) {
                *w -= *w * decay;
                *w -= u / clip * rate;
            }
        });
    }

    fn state(&self) -> Vec<StateTensor<'_>> {
        let mut state = Vec::new();
        for (index, second) in self.second.iter().enumerate() {
            match second {
                Second::Factored { rows, columns } => {
                    state.push(StateTensor::f32("second_moment_rows", index, rows));
                    state.push(StateTensor::f32("second_moment_columns", index, columns));
                }
                Second::Whole(second) => state.push(StateTensor::f32("second_moment", index, second)),
            }
        }
        state
    }

    fn restore(&mut self, step: u64, data: Vec<StateData<'static>>) -> Result<(), String> {
        expect_pieces(data.len(), self.state().len())?;
        let mut data = data.iter();
        let mut next = |to: &mut [f32]| data.next().map_or(Ok(()), |data| restore_f32(to, data));
        for second in &mut self.second {
            match second {
                Second::Factored { rows, columns } => {
                    next(rows)?;
                    next(columns)?;
                }
                Second::Whole(second) => next(second)?,
            }
        }
        self.step = step;
        Ok(())
    }
}

/// The unclipped update of a matrix; moves its moments.
fn factored(rows: &mut [f32], columns: &mut [f32], gradient: &[f32], scale: f32, beta: f32) -> Vec<f32> {
    let width = columns.len();
    let square = |g: &f32| (g * scale) * (g * scale) + EPSILON;
    // Row means and, by block of rows, column sums.
    let column_sums: Vec<Vec<f64>> = rows
        .par_chunks_mut(ROWS_PER_TASK)
        .zip(gradient.par_chunks(ROWS_PER_TASK * width))
        .map(|(rows, gradient)| {
            let mut sums = vec![0.0f64; width];
            for (row, gradient) in rows.iter_mut().zip(gradient.chunks(width)) {
                let mut total = 0.0f64;
                for (sum, g) in sums.iter_mut().zip(gradient) {
                    let square = f64::from(square(g));
                    total += square;
                    *sum += square;
                }
                *row = *row * beta + (total / width as f64) as f32 * (1.0 - beta);
            }
            sums
        })
        .collect();
    for (j, column) in columns.iter_mut().enumerate() {
        let mean = column_sums.iter().map(|sums| sums[j]).sum::<f64>() / rows.len() as f64;
        *column = *column * beta + mean as f32 * (1.0 - beta);
    }
    let mean = (rows.iter().map(|&row| f64::from(row)).sum::<f64>() / rows.len() as f64) as f32;
    let column_factors: Vec<f32> = columns.iter().map(|&column| 1.0 / column.sqrt()).collect();
    let mut direction = vec![0.0f32; gradient.len()];
    direction.par_chunks_mut(width).zip(gradient.par_chunks(width)).zip(&*rows).for_each(|((out, gradient), &row)| {
        let row_factor = 1.0 / (row / mean).sqrt();
        for ((out, &g), &factor) in out.iter_mut().zip(gradient).zip(&column_factors) {
            *out = row_factor * factor * (g * scale);
        }
    });
    direction
}

/// The unclipped update of a vector; moves its moments.
fn whole(second: &mut [f32], gradient: &[f32], scale: f32, beta: f32) -> Vec<f32> {
    let step = |(s, &g): (&mut f32, &f32)| {
        let g = g * scale;
        *s = *s * beta + (g * g + EPSILON) * (1.0 - beta);
        g / s.sqrt()
    };
    second.iter_mut().zip(gradient).map(step).collect()
}

fn sum_of_squares(values: &[f32]) -> f64 {
    crate::gradients::squared_norm(values)
}
