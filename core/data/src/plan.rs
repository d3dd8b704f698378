use crate::Example;

/// Sequences back to back: same layout as the model's `SequenceBatch`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenBatch {
    /// All ids.
    pub input_ids: Vec<u32>,
    /// Aligned to `input_ids`.
    pub labels: Vec<i32>,
    /// n_sequences + 1.
    pub offsets: Vec<u32>,
}

impl TokenBatch {
    /// Puts examples back to back.
    pub fn assemble<'a>(examples: impl IntoIterator<Item = &'a Example>) -> Self {
        let _ = examples.into_iter();
        unimplemented!()
    }
}

/// Which examples make which batch in one epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPlan {
    /// Indices of examples, by batch, in the order of steps.
    pub batches: Vec<Vec<usize>>,
}

impl BatchPlan {
    /// Every index once; a function of its arguments alone.
    pub fn new(lengths: &[usize], batch_size: usize, seed: u64, epoch: u64) -> Self {
        let _ = (lengths, batch_size, seed, epoch);
        unimplemented!()
    }
}
