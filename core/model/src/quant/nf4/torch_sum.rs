//! The sum of many f32 values in the order in which torch adds them (with AVX2 or AVX-512 and one
//! thread): identical bytes of double quantization need the identical mean.
//!
//! Four accumulators of eight lanes each read every fourth vector; each cascades into three higher
//! levels, so that the rounding error grows with the logarithm of the length. Source: the comments in
//! torch's aten/src/ATen/native/cpu/SumKernel.cpp.

/// Values of one vector.
const LANES: usize = 8;

/// Vectors that are added side by side.
const WAYS: usize = 4;

/// Levels of the cascade.
const LEVELS: usize = 4;

/// The mean.
pub(super) fn mean(values: &[f32]) -> f32 {
    sum(values) / values.len() as f32
}

fn sum(values: &[f32]) -> f32 {
    let (vectors, rest) = values.as_chunks::<LANES>();
    let lanes = sum_vectors(vectors);
    let tail = rest.iter().fold(0.0, |sum, x| sum + x);
    lanes.iter().fold(tail, |sum, x| sum + x)
}

fn sum_vectors(vectors: &[[f32; LANES]]) -> [f32; LANES] {
    let (groups, rest) = vectors.as_chunks::<WAYS>();
    let [mut first, others @ ..] = cascade(groups);
    rest.iter().for_each(|vector| add(&mut first, vector));
    others.iter().for_each(|vector| add(&mut first, vector));
    first
}

fn cascade(groups: &[[[f32; LANES]; WAYS]]) -> [[f32; LANES]; WAYS] {
    let level_power = (ceil_log2(groups.len()) / LEVELS).max(4);
    let (level_step, level_mask) = (1 << level_power, (1 << level_power) - 1);
    let mut levels = [[[0.0f32; LANES]; WAYS]; LEVELS];
    let (steps, rest) = groups.split_at(groups.len() / level_step * level_step);
    for (step, groups) in steps.chunks(level_step).enumerate() {
        groups.iter().for_each(|group| add_group(&mut levels[0], group));
        let done = (step + 1) * level_step;
        for level in 1..LEVELS {
            let below = std::mem::take(&mut levels[level - 1]);
            add_group(&mut levels[level], &below);
            if done & (level_mask << (level * level_power)) != 0 {
                break;
            }
        }
    }
    let [mut total, higher @ ..] = levels;
    rest.iter().for_each(|group| add_group(&mut total, group));
    higher.iter().for_each(|group| add_group(&mut total, group));
    total
}

fn add_group(sums: &mut [[f32; LANES]; WAYS], group: &[[f32; LANES]; WAYS]) {
    sums.iter_mut().zip(group).for_each(|(sum, vector)| add(sum, vector));
}

fn add(sum: &mut [f32; LANES], vector: &[f32; LANES]) {
    sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
}

fn ceil_log2(n: usize) -> usize {
    if n <= 2 { 1 } else { (n - 1).ilog2() as usize + 1 }
}
