//! `show NAME [--tokens]`: rows, or tokens with the loss mask, exactly as training makes them.

use luthier_data::{Dataset, ExampleBuilder, Prompter, shown_tokens};
use luthier_protocol::Response;
use luthier_protocol::response::{Shown, ShownToken};
use luthier_protocol::spec::OnTooLong;

use crate::Error;
use crate::datasets;
use crate::error::AtExt;
use crate::service::Context;
use crate::task::{self, Task};

/// Rows shown at most; more belong into a file (`rows`).
const MAX_ROWS: usize = 1000;

pub(crate) fn show(
    context: Context<'_>,
    data: &str,
    split: Option<&str>,
    limit: usize,
    tokens_of: Option<&str>,
) -> Result<Response, Error> {
    let dataset = datasets::open(context, data).at("/data")?;
    let rows = match split {
        Some(split) => datasets::rows(&dataset, split).at("/split")?,
        None => dataset.batch.clone(),
    };
    let n_rows = rows.num_rows() as u64;
    let rows = rows.slice(0, limit.min(MAX_ROWS).min(rows.num_rows()));
    let tokens = tokens_of.map_or(Ok(Vec::new()), |model| tokens(context, &dataset, &rows, model))?;
    Ok(Response::Shown(Shown {
        data: dataset.name.clone(),
        split: split.map(str::to_owned),
        n_rows,
        columns: dataset.columns().into_iter().map(|(name, _)| name).collect(),
        rows: Dataset::sample(&rows, rows.num_rows()),
        tokens,
    }))
}

/// Needs the model's tokenizer and template, not its weights, and therefore not the device.
fn tokens(
    context: Context<'_>,
    dataset: &Dataset,
    rows: &arrow_array::RecordBatch,
    model: &str,
) -> Result<Vec<Vec<ShownToken>>, Error> {
    let resolved = context.resolve(model).at("/tokens_of")?;
    let prompter = Prompter::from_dir(&resolved.base.dir).at("/tokens_of")?;
    let tokenizer = prompter.tokenizer.clone();
    let builder =
        ExampleBuilder { prompter, max_seq_len: usize::MAX, train_on_prompt: false, on_too_long: OnTooLong::Truncate };
    let mut task = Task::open(context, dataset)?;
    let conversations = task.render(rows, &task::empty(dataset))?;
    let targets = task.targets(rows)?;
    let mut shown = Vec::with_capacity(targets.len());
    for (messages, target) in conversations.iter().zip(&targets) {
        shown.push(shown_tokens(&builder.build(messages, target)?, &tokenizer));
    }
    Ok(shown)
}
