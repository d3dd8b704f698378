//! What people said about a dataset's rows, applied.

use luthier_data::Dataset;
use luthier_data::review::{self, Action, Edit, Reviewed, Verdict};

use super::info;
use crate::Error;
use crate::project::Project;
use crate::service::Context;
use crate::store::ReviewRecord;

/// The dataset as it was imported, without people's edits.
pub(crate) fn source(project: &Project, dataset: Dataset) -> Result<Dataset, Error> {
    match &dataset.derived_from {
        Some(fingerprint) => super::open_version(project, &dataset.name, fingerprint),
        None => Ok(dataset),
    }
}

/// `source` with every edit on record.
pub(crate) fn derive(project: &Project, source: &Dataset) -> Result<Reviewed, Error> {
    let records = project.store_if_any()?.map_or(Ok(Vec::new()), |store| store.reviews(&source.name))?;
    let edits: Vec<Edit> = records.iter().filter_map(edit).collect();
    Ok(review::apply(source, &edits)?)
}

pub(crate) fn edit(record: &ReviewRecord) -> Option<Edit> {
    let cell = || Some((record.edit.column.clone()?, record.edit.new.clone()?));
    let action = match record.edit.action.as_str() {
        "accept" => Action::Accept,
        "reject" => Action::Reject,
        "correct" => cell().map(|(column, new)| Action::Correct { column, new })?,
        "label" => cell().map(|(column, new)| Action::Label { column, new })?,
        _ => return None,
    };
    Some(Edit { key: record.key.clone(), action })
}

/// Store the version that the edits make, as the one that the dataset's name stands for.
pub(crate) fn store(context: Context<'_>, source: &Dataset, derived: &Dataset) -> Result<(), Error> {
    let dir = context.project.dataset_dir(&source.name);
    if derived.derived_from.is_none() {
        source.write(&dir)?;
    } else {
        derived.write(&dir)?;
    }
    let store = context.project.store()?;
    if let Some(record) = store.dataset(&source.name)? {
        let record = crate::store::DatasetRecord { info: info::describe(derived), ..record };
        store.put_dataset(&record, &context.engine.clock().timestamp())?;
    }
    Ok(())
}

/// How many rows of a split nobody has accepted, corrected or rejected.
pub(crate) fn n_unreviewed(project: &Project, dataset: &Dataset, split: &str) -> Result<usize, Error> {
    let source = source(project, dataset.clone())?;
    let verdicts: Vec<Option<Verdict>> = derive(project, &source)?.verdicts;
    let splits = source.text_column(luthier_data::dataset::SPLIT)?;
    let every = !splits.iter().any(|name| name == split);
    Ok(splits.iter().zip(verdicts).filter(|(name, verdict)| (every || *name == split) && verdict.is_none()).count())
}
