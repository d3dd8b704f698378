//! How a dataset's rows become prompts and its completions answers: by its task template, or by the
//! default. Training, `ask` and evaluation come through here and nowhere else.

mod fewshot;

use arrow_array::RecordBatch;
use luthier_data::{
    AnswerExtractor, Dataset, LabeledRow, Message, PreferenceRow, PromptRenderer, TrainingRow, TrimExtractor,
};

pub(crate) use fewshot::{empty, shots};

use crate::Error;
use crate::datasets;
use crate::models::Opened;
use crate::plugins::{Grants, TemplateRequest};
use crate::service::Context;

/// The metric for datasets whose template names none.
const DEFAULT_METRIC: &str = "exact-match";

/// The task of a dataset.
pub(crate) struct Task {
    renderer: Box<dyn PromptRenderer>,
    extractor: Box<dyn AnswerExtractor>,
    /// Metrics that score it, best first.
    pub(crate) metrics: Vec<String>,
    /// Columns that the prompt is made of.
    pub(crate) prompt_column: Option<String>,
    /// Column of the text to learn.
    pub(crate) target_column: Option<String>,
    /// Databases that its plugins may read.
    pub(crate) grants: Grants,
}

impl Task {
    /// The task of `dataset`.
    pub(crate) fn open(context: Context<'_>, dataset: &Dataset) -> Result<Task, Error> {
        let grants = datasets::granted(context.project, &dataset.databases);
        let (prompt_column, target_column) = (dataset.roles.prompt.clone(), dataset.roles.completion.clone());
        let Some(used) = &dataset.template else {
            return Ok(Task {
                renderer: luthier_data::renderer_for(dataset),
                extractor: Box::new(TrimExtractor),
                metrics: vec![DEFAULT_METRIC.to_owned()],
                prompt_column,
                target_column,
                grants,
            });
        };
        let request = TemplateRequest { id: &used.id, config: &used.config, seed: 0 };
        let renderer =
            context.engine.plugins.open_template(context.project, &request, &grants, context.call.cancel_token())?;
        let descriptor = luthier_synth::TaskTemplate::descriptor(&renderer).clone();
        let metrics = match descriptor.metrics {
            metrics if metrics.is_empty() => vec![DEFAULT_METRIC.to_owned()],
            metrics => metrics,
        };
        Ok(Task {
            extractor: Box::new(renderer.reopen()?),
            renderer: Box::new(renderer),
            metrics,
            prompt_column: prompt_column.or_else(|| descriptor.prompt_columns.first().cloned()),
            target_column: target_column.or(descriptor.target_column),
            grants,
        })
    }

    /// Hash of everything that shapes its prompts.
    pub(crate) fn fingerprint(&self) -> String {
        self.renderer.fingerprint()
    }

    /// One conversation per row, each ending with the turn that is to be answered.
    pub(crate) fn render(&mut self, rows: &RecordBatch, shots: &RecordBatch) -> Result<Vec<Vec<Message>>, Error> {
        let conversations = self.renderer.render(rows, shots)?;
        expect_rows("conversations", rows.num_rows(), conversations.len())?;
        Ok(conversations)
    }

    /// The text to learn for each row.
    pub(crate) fn targets(&mut self, rows: &RecordBatch) -> Result<Vec<String>, Error> {
        let targets = self.renderer.targets(rows)?;
        expect_rows("targets", rows.num_rows(), targets.len())?;
        Ok(targets)
    }

    /// What each row teaches.
    pub(crate) fn training_rows(&mut self, rows: &RecordBatch) -> Result<Vec<TrainingRow>, Error> {
        let found = self.renderer.training_rows(rows)?;
        expect_rows("training rows", rows.num_rows(), found.len())?;
        Ok(found)
    }

    /// Each row's better and worse answer.
    pub(crate) fn preference_rows(
        &mut self,
        dataset: &Dataset,
        rows: &RecordBatch,
    ) -> Result<Vec<PreferenceRow>, Error> {
        Ok(luthier_data::preference_rows(&dataset.name, &dataset.roles, self.renderer.as_mut(), rows)?)
    }

    /// Each row's answer, and whether it is wanted.
    pub(crate) fn labeled_rows(&mut self, dataset: &Dataset, rows: &RecordBatch) -> Result<Vec<LabeledRow>, Error> {
        Ok(luthier_data::labeled_rows(&dataset.name, &dataset.roles, self.renderer.as_mut(), rows)?)
    }

    /// The answer in each completion.
    pub(crate) fn extract(&mut self, completions: &[String]) -> Result<Vec<luthier_data::Answer>, Error> {
        let answers = self.extractor.extract(completions)?;
        expect_rows("answers", completions.len(), answers.len())?;
        Ok(answers)
    }
}

/// An adapter answers through the prompts that it was trained with, or not at all.
pub(crate) fn check_renderer(opened: &Opened, renderer: &str) -> Result<(), Error> {
    opened.check_template()?;
    match &opened.origin {
        Some(origin) if origin.prompt_renderer != renderer => Err(Error::PromptMismatch {
            adapter: opened.label.clone(),
            what: "prompt renderer",
            trained: origin.prompt_renderer.clone(),
            found: renderer.to_owned(),
        }),
        _ => Ok(()),
    }
}

fn expect_rows(what: &str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    let what = format!("the number of {what} from the task template");
    Err(Error::invalid(&what, found, &format!("{expected}, one per row")))
}
