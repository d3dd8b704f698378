//! Which examples go into which batch, and how a batch lies in memory.
//!
//! The order is a function of `(seed, epoch)` and the lengths alone: a resumed run computes it
//! again instead of storing it. Batches hold sequences of similar length, drawn from windows of the
//! shuffled order, so that a step costs about the same work in every place; which batch comes when
//! is random.

use crate::Example;

/// Batches per window that is sorted by length (the figure of transformers' `group_by_length`).
const WINDOW_BATCHES: usize = 50;

/// Sequences back to back, without padding: the layout of the model's `SequenceBatch`. Positions
/// restart at every sequence; attention never crosses from one into another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenBatch {
    /// Ids of all sequences, `[n_tokens]`.
    pub input_ids: Vec<u32>,
    /// `[n_tokens]`; `input_ids[i]` or [`crate::IGNORE_INDEX`].
    pub labels: Vec<i32>,
    /// `[n_sequences + 1]`: sequence `i` is `input_ids[offsets[i]..offsets[i + 1]]`.
    pub offsets: Vec<u32>,
}

impl TokenBatch {
    /// Puts examples back to back, in their order. Empty ones are sequences of no tokens.
    ///
    /// # Panics
    /// If the batch has 2^32 tokens or more.
    pub fn assemble<'a>(examples: impl IntoIterator<Item = &'a Example>) -> Self {
        let mut batch = TokenBatch { offsets: vec![0], ..TokenBatch::default() };
        for example in examples {
            batch.input_ids.extend_from_slice(&example.input_ids);
            batch.labels.extend_from_slice(&example.labels);
            batch.offsets.push(u32::try_from(batch.input_ids.len()).expect("a batch has fewer than 2^32 tokens"));
        }
        batch
    }

    /// Sequences in it.
    pub fn n_sequences(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }
}

/// The batches of one epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPlan {
    /// Indices of examples by batch, in the order of steps. Every index occurs once; every batch
    /// but one has `batch_size` of them.
    pub batches: Vec<Vec<usize>>,
}

impl BatchPlan {
    /// Plans an epoch over examples of these lengths, in tokens. A `batch_size` of 0 counts as 1.
    pub fn new(lengths: &[usize], batch_size: usize, seed: u64, epoch: u64) -> Self {
        let batch_size = batch_size.max(1);
        let mut random = CounterRandom::new(seed, epoch);
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        random.shuffle(&mut order);
        for window in order.chunks_mut(batch_size.saturating_mul(WINDOW_BATCHES)) {
            // Stable: equal lengths stay in their random order.
            window.sort_by_key(|index| lengths[*index]);
        }
        let mut batches: Vec<Vec<usize>> = order.chunks(batch_size).map(<[usize]>::to_vec).collect();
        random.shuffle(&mut batches);
        BatchPlan { batches }
    }
}

/// Random numbers as a function of key and counter. SplitMix64's output function (Steele, Lea and
/// Flood 2014) over a keyed counter: good enough to shuffle with, and nothing to store.
#[derive(Debug)]
struct CounterRandom {
    key: u64,
    counter: u64,
}

impl CounterRandom {
    fn new(seed: u64, stream: u64) -> Self {
        // Mixed one after the other: (seed, epoch) and (epoch, seed) differ.
        CounterRandom { key: mix(mix(seed ^ 0x6c75_7468_6965_7201).wrapping_add(stream)), counter: 0 }
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        mix(self.key.wrapping_add(self.counter.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// Uniform below `bound` (Lemire's multiplication with rejection).
    fn below(&mut self, bound: u64) -> u64 {
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let wide = u128::from(self.next()) * u128::from(bound);
            if wide as u64 >= threshold {
                return (wide >> 64) as u64;
            }
        }
    }

    /// Fisher and Yates.
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let chosen = self.below(last as u64 + 1) as usize;
            items.swap(last, chosen);
        }
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
