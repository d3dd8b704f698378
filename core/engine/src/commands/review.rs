//! `review NAME`: record what a person says about rows, and show the next ones.

use std::collections::BTreeMap;

use luthier_data::review::{self, Reviewed as Applied, Verdict};
use luthier_data::{Dataset, dataset};
use luthier_protocol::Response;
use luthier_protocol::response::{ReviewEdit, ReviewRow, Reviewed};
use luthier_protocol::spec::{ReviewSpec, RowCells};

use crate::Error;
use crate::datasets::{self, review as derived};
use crate::error::AtExt;
use crate::service::Context;
use crate::store::ReviewRecord;

/// Rows shown at most.
const MAX_ROWS: usize = 200;

pub(crate) fn review(context: Context<'_>, spec: &ReviewSpec) -> Result<Response, Error> {
    let source = derived::source(context.project, datasets::open(context, &spec.data).at("/data")?)?;
    let before = derived::derive(context.project, &source)?;
    let records = records(context, spec, &source, &before)?;
    let applied = if records.is_empty() {
        before
    } else {
        // First on trial: an edit that leaves nothing must not be on record.
        let applied = trial(context, &source, &records)?;
        context.project.store()?.add_reviews(&records)?;
        derived::store(context, &source, &applied.derived)?;
        applied
    };
    Ok(Response::Reviewed(report(spec, &source, &applied, records)?))
}

fn trial(context: Context<'_>, source: &Dataset, records: &[ReviewRecord]) -> Result<Applied, Error> {
    let stored = context.project.store()?.reviews(&source.name)?;
    let edits: Vec<_> = stored.iter().chain(records).filter_map(derived::edit).collect();
    Ok(review::apply(source, &edits)?)
}

/// The edits that the request asks for.
fn records(
    context: Context<'_>,
    spec: &ReviewSpec,
    source: &Dataset,
    before: &Applied,
) -> Result<Vec<ReviewRecord>, Error> {
    let keys = review::row_keys(source);
    let who = spec.by.clone().unwrap_or_else(|| context.engine.account().to_owned());
    let at = context.engine.clock().timestamp();
    let record = |row: u64, action: &str, cell: Option<(String, String)>| -> Result<ReviewRecord, Error> {
        let index = index(row, source)?;
        let old = cell.as_ref().and_then(|(column, _)| old_cell(before, column, index));
        let (column, new) = cell.unzip();
        let edit = ReviewEdit {
            row,
            action: action.to_owned(),
            column,
            old,
            new,
            reason: spec.reason.clone(),
            who: who.clone(),
            at: at.clone(),
        };
        let key = keys.get(index).cloned().unwrap_or_default();
        Ok(ReviewRecord { dataset: source.name.clone(), source: source.fingerprint.clone(), key, edit })
    };
    let mut records = Vec::new();
    for row in &spec.accept {
        records.push(record(*row, "accept", None).at("/accept")?);
    }
    for row in &spec.reject {
        records.push(record(*row, "reject", None).at("/reject")?);
    }
    for RowCells { row, cells } in &spec.correct {
        for (name, new) in cells {
            let index = index(*row, source).at("/correct")?;
            let cell = review::correction(source, index, name, new).at("/correct")?;
            records.push(record(*row, "correct", Some(cell)).at("/correct")?);
        }
    }
    for RowCells { row, cells } in &spec.label {
        for (column, new) in cells {
            if column == dataset::SPLIT {
                return Err(Error::invalid("the column of a label", "split", "another column")).at("/label");
            }
            records.push(record(*row, "label", Some((column.clone(), new.clone()))).at("/label")?);
        }
    }
    Ok(records)
}

/// From a row's number to its index.
fn index(row: u64, source: &Dataset) -> Result<usize, Error> {
    let n_rows = source.batch.num_rows();
    match usize::try_from(row) {
        Ok(row) if (1..=n_rows).contains(&row) => Ok(row - 1),
        _ => Err(Error::invalid("the row", row, &format!("from 1 to {n_rows}"))),
    }
}

fn old_cell(before: &Applied, column: &str, index: usize) -> Option<String> {
    let cells = luthier_data::text_column("rows", &before.rows, column).ok()?;
    cells.get(index).cloned()
}

fn report(
    spec: &ReviewSpec,
    source: &Dataset,
    applied: &Applied,
    records: Vec<ReviewRecord>,
) -> Result<Reviewed, Error> {
    let n = |wanted: Verdict| applied.verdicts.iter().filter(|verdict| **verdict == Some(wanted)).count() as u64;
    let (accepted, rejected, corrected) = (n(Verdict::Accepted), n(Verdict::Rejected), n(Verdict::Corrected));
    let n_rows = source.batch.num_rows() as u64;
    let schema = applied.rows.schema();
    Ok(Reviewed {
        data: source.name.clone(),
        fingerprint: applied.derived.fingerprint.clone(),
        source_fingerprint: source.fingerprint.clone(),
        n_rows,
        accepted,
        rejected,
        corrected,
        labeled: applied.labels.iter().filter(|labels: &&BTreeMap<_, _>| !labels.is_empty()).count() as u64,
        left: n_rows - accepted - rejected - corrected,
        recorded: records.into_iter().map(|record| record.edit).collect(),
        next: next(spec, source, applied)?,
        columns: schema.fields().iter().map(|field| field.name().clone()).collect(),
    })
}

/// The next rows: those without a verdict first, in their order.
fn next(spec: &ReviewSpec, source: &Dataset, applied: &Applied) -> Result<Vec<ReviewRow>, Error> {
    let splits = source.text_column(dataset::SPLIT)?;
    if let Some(split) = &spec.split {
        datasets::rows(source, split).at("/split")?;
    }
    let is_wanted = |index: &usize| match &spec.split {
        Some(split) => split == "all" || splits.get(*index) == Some(split),
        None => true,
    };
    let verdict = |index: usize| applied.verdicts.get(index).copied().flatten();
    let mut order: Vec<usize> = (0..source.batch.num_rows()).filter(is_wanted).collect();
    // Stable: within both groups the order of the rows.
    order.sort_by_key(|index| verdict(*index).is_some());
    let row = |index: usize| ReviewRow {
        row: index as u64 + 1,
        verdict: verdict(index).map(|verdict| word(verdict).to_owned()),
        cells: Dataset::sample(&applied.rows.slice(index, 1), 1).pop().unwrap_or_default(),
    };
    Ok(order.into_iter().take(spec.limit.min(MAX_ROWS)).map(row).collect())
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted => "accepted",
        Verdict::Rejected => "rejected",
        Verdict::Corrected => "corrected",
    }
}
