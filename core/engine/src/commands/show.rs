//! `show NAME`: rows; with a model, their tokens and loss mask, their lengths, or what the data lint
//! says about them, exactly as training makes them.

use arrow_array::RecordBatch;
use luthier_data::{Built, Dataset, ExampleBuilder, Prompter, lengths, shown_tokens};
use luthier_protocol::response::{Finding, Lengths, Shown, ShownToken};
use luthier_protocol::spec::{OnTooLong, ShowSpec};
use luthier_protocol::{Event, Response};

use crate::Error;
use crate::datasets;
use crate::error::AtExt;
use crate::models;
use crate::service::Context;
use crate::task::Task;
use crate::training::lint;

/// Rows shown at most; more belong into a file (`rows`).
const MAX_ROWS: usize = 1000;

/// The split that the lint looks at, as `finetune` does, unless another is named.
const TRAIN: &str = "train";

pub(crate) fn show(context: Context<'_>, spec: &ShowSpec) -> Result<Response, Error> {
    let dataset = datasets::open(context, &spec.data).at("/data")?;
    let rows = match &spec.split {
        Some(split) => datasets::rows(&dataset, split).at("/split")?,
        None => dataset.batch.clone(),
    };
    let n_rows = rows.num_rows() as u64;
    let first = rows.slice(0, spec.limit.min(MAX_ROWS).min(rows.num_rows()));
    let tokens = match &spec.tokens_of {
        Some(model) => tokens(context, &dataset, &first, &Look::at(context, spec, model).at("/tokens_of")?)?,
        None => Vec::new(),
    };
    let lengths = match &spec.lengths_of {
        Some(model) => Some(lengths_of(context, &dataset, &rows, &Look::at(context, spec, model).at("/lengths_of")?)?),
        None => None,
    };
    let findings = match &spec.lint_of {
        Some(model) => Some(findings(context, &dataset, spec, &Look::at(context, spec, model).at("/lint_of")?)?),
        None => None,
    };
    Ok(Response::Shown(Shown {
        data: dataset.name.clone(),
        split: spec.split.clone(),
        n_rows,
        columns: dataset.columns().into_iter().map(|(name, _)| name).collect(),
        rows: Dataset::sample(&first, first.num_rows()),
        tokens,
        lengths,
        findings,
    }))
}

/// A model's way with rows. Needs its tokenizer and template, not its weights, and therefore not the
/// device.
struct Look {
    builder: ExampleBuilder,
    model: String,
    max_seq_len: usize,
}

impl Look {
    fn at(context: Context<'_>, spec: &ShowSpec, model: &str) -> Result<Look, Error> {
        let resolved = context.resolve(model)?;
        let place = &resolved.base;
        let prompter = Prompter::from_dir(&place.dir)?;
        let max_seq_len = models::describe(&resolved.label, &place.source, &place.dir, None)?.max_seq_len;
        let (loss_on, on_too_long) = (spec.loss_on, OnTooLong::Truncate);
        let builder = ExampleBuilder { prompter, max_seq_len: usize::MAX, loss_on, on_too_long };
        Ok(Look { builder, model: model.to_owned(), max_seq_len })
    }
}

fn tokens(
    context: Context<'_>,
    dataset: &Dataset,
    rows: &RecordBatch,
    look: &Look,
) -> Result<Vec<Vec<ShownToken>>, Error> {
    let taught = Task::open(context, dataset)?.training_rows(rows)?;
    let tokenizer = &look.builder.prompter.tokenizer;
    taught.iter().map(|row| Ok(shown_tokens(&look.builder.build_row(row)?, tokenizer))).collect()
}

fn lengths_of(context: Context<'_>, dataset: &Dataset, rows: &RecordBatch, look: &Look) -> Result<Lengths, Error> {
    let (built, _) = build(context, dataset, rows, &look.builder)?;
    let (tokens, targets) = lengths::of_examples(&built.examples);
    let empty = || Error::invalid("the split", "without rows", "at least one row");
    Ok(Lengths {
        model: look.model.clone(),
        max_seq_len: look.max_seq_len as u64,
        n_too_long: tokens.iter().filter(|length| **length > look.max_seq_len as u64).count() as u64,
        tokens: lengths::stats(&tokens).ok_or_else(empty)?,
        targets: lengths::stats(&targets).ok_or_else(empty)?,
        histogram: lengths::histogram(&tokens),
    })
}

fn findings(context: Context<'_>, dataset: &Dataset, spec: &ShowSpec, look: &Look) -> Result<Vec<Finding>, Error> {
    let split = spec.split.as_deref().unwrap_or(TRAIN);
    let rows = datasets::rows(dataset, split).at("/split")?;
    let builder = ExampleBuilder { max_seq_len: look.max_seq_len, ..look.builder.clone() };
    let (built, mut task) = build(context, dataset, &rows, &builder)?;
    let mut findings = built.findings;
    findings.extend(lint::across_splits(dataset, split, &mut task, &rows)?);
    findings.sort_by_key(|finding| !finding.is_error);
    Ok(findings)
}

fn build(
    context: Context<'_>,
    dataset: &Dataset,
    rows: &RecordBatch,
    builder: &ExampleBuilder,
) -> Result<(Built, Task), Error> {
    let mut task = Task::open(context, dataset)?;
    let taught = task.training_rows(rows)?;
    let (stage, total) = (format!("tokenize {}", dataset.name), Some(taught.len() as u64));
    let mut progress = |done| context.call.event(Event::Progress { stage: stage.clone(), done, total });
    Ok((builder.build_rows(&taught, context.cancel(), &mut progress)?, task))
}
