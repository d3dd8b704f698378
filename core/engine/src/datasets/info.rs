//! What clients are shown of a dataset.

use luthier_data::Dataset;
use luthier_protocol::response::DatasetInfo;

/// Rows in the sample.
const N_SAMPLE_ROWS: usize = 5;

pub(super) fn describe(dataset: &Dataset) -> DatasetInfo {
    DatasetInfo {
        name: dataset.name.clone(),
        fingerprint: dataset.fingerprint.clone(),
        n_rows: dataset.batch.num_rows() as u64,
        splits: dataset.split_counts(),
        columns: dataset.columns(),
        template: dataset.template.as_ref().map(|template| template.id.clone()),
        source: dataset.source.clone(),
        accounting: dataset.accounting.clone(),
        sample: Dataset::sample(&dataset.batch, N_SAMPLE_ROWS),
        warnings: dataset.warnings.clone(),
    }
}
