//! Which training rows are shown as examples: a function of the seed and the rows alone, the same
//! for every question.

use arrow_array::RecordBatch;
use luthier_data::Dataset;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::error::AtExt;

/// The split that examples come from, and no other: the test split must not leak into prompts.
const SHOTS_SPLIT: &str = "train";

/// `num_fewshot` rows of the training split, chosen by the seed, in the dataset's order.
pub(crate) fn shots(dataset: &Dataset, num_fewshot: usize, seed: u64) -> Result<RecordBatch, Error> {
    if num_fewshot == 0 {
        return Ok(empty(dataset));
    }
    let rows = dataset.split(SHOTS_SPLIT).at("/num_fewshot")?;
    if num_fewshot > rows.num_rows() {
        let expected = format!("at most {}, the rows of the training split", rows.num_rows());
        return Err(Error::invalid("num_fewshot", num_fewshot, &expected)).at("/num_fewshot");
    }
    let chosen = choose(rows.num_rows(), num_fewshot, seed);
    let slices: Vec<RecordBatch> = chosen.into_iter().map(|row| rows.slice(row, 1)).collect();
    arrow_select::concat::concat_batches(&rows.schema(), &slices)
        .map_err(|error| Error::Data(luthier_data::Error::Arrow(error)))
}

/// No rows, with the dataset's columns.
pub(crate) fn empty(dataset: &Dataset) -> RecordBatch {
    dataset.batch.slice(0, 0)
}

/// The `n` indices with the smallest hashes of (seed, index), ascending.
fn choose(n_rows: usize, n: usize, seed: u64) -> Vec<usize> {
    let hash = |row: &usize| -> [u8; 32] {
        Sha256::new().chain_update(seed.to_le_bytes()).chain_update((*row as u64).to_le_bytes()).finalize().into()
    };
    let mut rows: Vec<usize> = (0..n_rows).collect();
    rows.sort_by_cached_key(hash);
    rows.truncate(n);
    rows.sort_unstable();
    rows
}

#[cfg(test)]
mod tests;
