//! The gate before training: what the data lint finds stops the run, unless the recipe allows it.

use arrow_array::RecordBatch;
use luthier_data::{Dataset, lint};
use luthier_protocol::response::Finding;
use luthier_protocol::spec::FinetuneSpec;

use super::rows::TrainingRows;
use crate::Error;
use crate::datasets;
use crate::error::AtExt;
use crate::service::Context;
use crate::task::Task;

/// The examples with the findings that may pass; warnings are told to the client.
pub(super) fn pass(
    context: Context<'_>,
    dataset: &Dataset,
    spec: &FinetuneSpec,
    task: &mut Task,
    rows: &RecordBatch,
    mut built: TrainingRows,
) -> Result<TrainingRows, Error> {
    let findings = std::mem::take(&mut built.findings);
    built.findings = check(dataset, spec, task, rows, findings)?;
    for finding in &built.findings {
        context.call.warn(finding.to_string());
    }
    Ok(built)
}

/// `findings` and those across splits, if all of them may pass.
pub(super) fn check(
    dataset: &Dataset,
    spec: &FinetuneSpec,
    task: &mut Task,
    rows: &RecordBatch,
    mut findings: Vec<Finding>,
) -> Result<Vec<Finding>, Error> {
    lint::check_names(&spec.allow).at("/allow")?;
    findings.extend(across_splits(dataset, &spec.split, task, rows)?);
    findings.sort_by_key(|finding| !finding.is_error);
    lint::gate(findings, &spec.allow).at("/data")
}

/// Rows of the trained split that stand in another one too.
pub(crate) fn across_splits(
    dataset: &Dataset,
    split: &str,
    task: &mut Task,
    rows: &RecordBatch,
) -> Result<Vec<Finding>, Error> {
    let counts = dataset.split_counts();
    // `all` trains on every row; there is no other split.
    if !counts.iter().any(|(name, _)| name == split) {
        return Ok(Vec::new());
    }
    let mut others = Vec::new();
    for (name, _) in counts.into_iter().filter(|(name, _)| name != split) {
        let taught = task.training_rows(&dataset.split(&name)?)?;
        others.push((name, taught));
    }
    Ok(lint::across_splits(&task.training_rows(rows)?, &others))
}

/// Refuse a split with rows that nobody has judged.
pub(super) fn require_review(context: Context<'_>, dataset: &Dataset, split: &str) -> Result<(), Error> {
    let source = datasets::review::source(context.project, dataset.clone())?;
    let left = datasets::review::n_unreviewed(context.project, dataset, split)?;
    if left == 0 {
        return Ok(());
    }
    let data = dataset.name.clone();
    let n_rows = datasets::rows(&source, split)?.num_rows();
    Err(Error::NotReviewed { data, split: split.to_owned(), left, n_rows }).at("/require_review")
}
