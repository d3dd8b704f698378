//! Where pre-training starts: random weights, with two circuits laid in that copying needs.
//!
//! Text-to-SQL is copying names that the model has never seen. A decoder discovers how only after
//! millions of tokens on a plateau: some head must look one token back, a later one must look for
//! the token that now stands there ("induction heads", Olsson et al., 2022). Laying both in costs
//! nothing, fixes nothing (all weights are trained) and saves most of the time. Besides, what blocks
//! add starts at zero, so that the embeddings are not drowned in random sums.
//!
//! ```text
//! residual coordinates   [ 0: constant | identity of the token | … | last quarter: identity of the token before ]
//! block 0, heads of groups 0, 1:  attend to position i − 1 by the fastest rotations; copy identity → last quarter
//! block 1, one head per group:    query = identity here, key = last quarter there; copy identity → identity
//! ```

#[cfg(test)]
mod tests;

use anyhow::{Context, Result, ensure};
use luthier_model::{ModelConfig, TrainableModel};

/// Standard deviation of embeddings over that of the initial weights.
const EMBEDDING_SCALE: f32 = 2.5;
/// The constant coordinate of every embedding; its value after RMSNorm is about [`CONSTANT_NORMED`].
const CONSTANT: f32 = 0.15;
const CONSTANT_NORMED: f32 = 2.95;
/// What the last quarter of an embedding is scaled with: room for the token before.
const QUIET: f32 = 0.2;
/// Weights of the fastest rotations in the head that looks one back, and its sharpness (logit).
const ROTATIONS: &[f32] = &[3.0, 1.5, 1.0];
const SHARPNESS: f32 = 4.0;
/// Gain of query and key in the matching heads.
const MATCH_GAIN: f32 = 2.0;
/// What the copying heads add, per unit of a normed coordinate.
const BEFORE_GAIN: f32 = 0.1;
const COPY_GAIN: f32 = 0.15;

/// One weight matrix, row-major `[rows, columns]`.
struct Matrix<'a> {
    values: &'a mut [f32],
    columns: usize,
}

impl Matrix<'_> {
    fn set(&mut self, row: usize, column: usize, value: f32) {
        self.values[row * self.columns + column] = value;
    }

    fn clear_rows(&mut self, from: usize, n: usize) {
        self.values[from * self.columns..(from + n) * self.columns].fill(0.0);
    }
}

/// Rewrites freshly initialized weights.
///
/// # Errors
/// A shape without room for the circuits.
pub(super) fn lay_circuits(trainable: &mut TrainableModel, config: &ModelConfig) -> Result<()> {
    let (width, head) = (config.hidden_size, config.head_dim);
    let room = config.n_layers >= 2
        && width >= 8 * head
        && head >= 16
        && config.n_kv_heads >= 2
        && config.n_kv_heads * head < width - width / 4;
    ensure!(room, "the copying circuits need two blocks and a width of eight heads or more");
    for layer in 0..config.n_layers {
        matrix(trainable, &format!("model.layers.{layer}.self_attn.o_proj.weight"))?.values.fill(0.0);
        matrix(trainable, &format!("model.layers.{layer}.mlp.down_proj.weight"))?.values.fill(0.0);
    }
    embeddings(trainable, width)?;
    let per_group = config.n_heads / config.n_kv_heads * head;
    for group in 0..2 {
        look_back(trainable, config, group, group * per_group)?;
    }
    for group in 0..config.n_kv_heads {
        match_and_copy(trainable, config, group, group * per_group)?;
    }
    Ok(())
}

fn matrix<'a>(trainable: &'a mut TrainableModel, name: &str) -> Result<Matrix<'a>> {
    let parameters = trainable.parameters();
    let index = parameters
        .iter()
        .position(|parameter| parameter.name == name)
        .with_context(|| format!("the model has no `{name}`"))?;
    Ok(Matrix { columns: parameters[index].shape[1], values: trainable.values_mut(index) })
}

fn embeddings(trainable: &mut TrainableModel, width: usize) -> Result<()> {
    let table = matrix(trainable, "model.embed_tokens.weight")?;
    for row in table.values.chunks_mut(width) {
        row.iter_mut().for_each(|value| *value *= EMBEDDING_SCALE);
        row[0] = CONSTANT;
        row[width - width / 4..].iter_mut().for_each(|value| *value *= QUIET);
    }
    Ok(())
}

/// Angle per position of rotation `pair`.
fn angle(config: &ModelConfig, pair: usize) -> f32 {
    let theta = config.rope.theta as f32;
    theta.powf(-((2 * pair) as f32) / config.head_dim as f32)
}

/// The head whose query rows start at `query_row` attends one position back and writes what it finds.
fn look_back(trainable: &mut TrainableModel, config: &ModelConfig, group: usize, query_row: usize) -> Result<()> {
    let (head, half) = (config.head_dim, config.head_dim / 2);
    let name = |part: &str| format!("model.layers.0.self_attn.{part}_proj.weight");
    let gains: Vec<f32> =
        ROTATIONS.iter().map(|weight| (SHARPNESS * weight * (head as f32).sqrt()).sqrt() / CONSTANT_NORMED).collect();
    let mut query = matrix(trainable, &name("q"))?;
    query.clear_rows(query_row, head);
    gains.iter().enumerate().for_each(|(pair, gain)| query.set(query_row + pair, 0, *gain));
    let mut key = matrix(trainable, &name("k"))?;
    key.clear_rows(group * head, head);
    for (pair, gain) in gains.iter().enumerate() {
        // Turned ahead by one position: the product peaks where the key is one position earlier.
        let angle = angle(config, pair);
        key.set(group * head + pair, 0, gain * angle.cos());
        key.set(group * head + half + pair, 0, gain * angle.sin());
    }
    let before = config.hidden_size - config.hidden_size / 4 + group * head;
    copy(trainable, config, 0, group, query_row, before, BEFORE_GAIN)
}

/// The head attends where the token before equals the token here, and adds what it finds there.
fn match_and_copy(trainable: &mut TrainableModel, config: &ModelConfig, group: usize, query_row: usize) -> Result<()> {
    let (head, half) = (config.head_dim, config.head_dim / 2);
    let quarter = config.hidden_size / 4;
    // Only slow rotations: a match must count at any distance. 9 of 16 pairs turn too fast.
    let slow = half * 9 / 16..half;
    let dimensions: Vec<usize> = slow.clone().chain(slow.map(|pair| pair + half)).collect();
    let name = |part: &str| format!("model.layers.1.self_attn.{part}_proj.weight");
    let first = group * quarter / config.n_kv_heads;
    let mut query = matrix(trainable, &name("q"))?;
    query.clear_rows(query_row, head);
    dimensions.iter().enumerate().for_each(|(index, row)| query.set(query_row + row, 1 + first + index, MATCH_GAIN));
    let mut key = matrix(trainable, &name("k"))?;
    key.clear_rows(group * head, head);
    let before = config.hidden_size - quarter + first;
    dimensions.iter().enumerate().for_each(|(index, row)| key.set(group * head + row, before + index, MATCH_GAIN));
    copy(trainable, config, 1, group, query_row, 1 + group * head, COPY_GAIN)
}

/// Values of a group read their share of the identity; the head writes it from coordinate `target` on.
fn copy(
    trainable: &mut TrainableModel,
    config: &ModelConfig,
    layer: usize,
    group: usize,
    query_row: usize,
    target: usize,
    gain: f32,
) -> Result<()> {
    let head = config.head_dim;
    let mut value = matrix(trainable, &format!("model.layers.{layer}.self_attn.v_proj.weight"))?;
    value.clear_rows(group * head, head);
    (0..head).for_each(|index| value.set(group * head + index, 1 + group * head + index, 1.0));
    let mut output = matrix(trainable, &format!("model.layers.{layer}.self_attn.o_proj.weight"))?;
    (0..head).for_each(|index| output.set(target + index, query_row + index, gain));
    Ok(())
}
