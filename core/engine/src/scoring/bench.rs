//! The rows that every arm is asked, and everything around them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use luthier_data::{Dataset, Message};
use luthier_eval::{Prediction, Questions};
use luthier_protocol::response::Signature;
use luthier_protocol::spec::EvaluateSpec;

use super::{Arm, Needs};
use crate::Error;
use crate::datasets;
use crate::error::AtExt;
use crate::generation::check_generation;
use crate::service::Context;
use crate::task::{self, Task};

/// The column that divides a report if the spec names none.
const DEFAULT_PART_COLUMN: &str = "part";
/// The part of rows that have none.
const ONLY_PART: &str = "all";
/// Column that tells metrics which database a row is about.
const DATABASE: &str = "database";
/// Answers per prompt; more say little more and take a while.
const MAX_SAMPLES: u32 = 1000;

/// An evaluation that can begin.
pub(crate) struct Bench {
    pub(crate) dataset: Dataset,
    pub(crate) task: Task,
    /// One per row and sample.
    pub(crate) questions: Questions,
    /// One per row.
    asked: Questions,
    pub(crate) arms: Vec<Arm>,
    rows: RecordBatch,
    /// What the rows are, for signatures.
    data: String,
}

impl Bench {
    /// Check a spec, find its rows, open its arms. Nothing is generated.
    pub(crate) fn open(context: Context<'_>, spec: &EvaluateSpec) -> Result<Bench, Error> {
        check_generation(&spec.generation, "/generation")?;
        if !(spec.confidence > 0.0 && spec.confidence < 1.0) {
            return Err(Error::invalid("confidence", spec.confidence, "between 0 and 1")).at("/confidence");
        }
        if spec.limit == Some(0) {
            return Err(Error::invalid("limit", 0, "at least 1")).at("/limit");
        }
        if spec.samples == 0 || spec.samples > MAX_SAMPLES {
            return Err(Error::invalid("samples", spec.samples, &format!("from 1 to {MAX_SAMPLES}"))).at("/samples");
        }
        if spec.samples > 1 && spec.generation.temperature == 0.0 {
            let expected = "above 0 with `samples`: greedy answers are all the same";
            return Err(Error::invalid("temperature", 0.0, expected)).at("/generation/temperature");
        }
        let dataset = datasets::open(context, &spec.data).at("/data")?;
        let rows = datasets::rows(&dataset, &spec.split).at("/split")?;
        let parts = parts(&dataset, &rows, spec.by.as_deref())?;
        let (rows, parts) = limited(&rows, parts, spec.limit)?;
        let mut task = Task::open(context, &dataset).at("/data")?;
        let arms = Arm::open_all(context, spec, &dataset, &task)?;
        if spec.split == "train" && arms.iter().any(|arm| arm.num_fewshot > 0) {
            context.call.warn("the examples in the prompt are from the split that is scored: an arm may see answers");
        }
        let asked = questions(&dataset, &rows, parts, &mut task)?;
        let questions = match spec.samples {
            1 => asked.clone(),
            n => asked.sampled(n as usize)?,
        };
        let data = data_signature(&dataset, spec);
        Ok(Bench { dataset, task, questions, asked, arms, rows, data })
    }

    /// Every arm on every row, arm by arm.
    pub(crate) fn predict(
        &mut self,
        context: Context<'_>,
        spec: &EvaluateSpec,
        needs: Needs,
    ) -> Result<Vec<Vec<Prediction>>, Error> {
        let mut predictions = Vec::with_capacity(self.arms.len());
        for arm in &mut self.arms {
            let (rows, asked) = (&self.rows, &self.asked);
            predictions.push(arm.predict(context, rows, asked, &mut self.task, &spec.generation, needs)?);
        }
        Ok(predictions)
    }

    /// An arm's signature before a metric completes it.
    pub(crate) fn signature(&self, arm: &Arm, spec: &EvaluateSpec) -> Signature {
        arm.signature(&self.data, &self.task, spec)
    }
}

/// Fingerprint of the dataset and which of its rows were asked.
fn data_signature(dataset: &Dataset, spec: &EvaluateSpec) -> String {
    let limit = spec.limit.map(|limit| format!(" limit {limit}")).unwrap_or_default();
    format!("{} split {}{limit}", dataset.fingerprint, spec.split)
}

fn parts(dataset: &Dataset, rows: &RecordBatch, by: Option<&str>) -> Result<Vec<String>, Error> {
    let column = match by {
        Some(column) => column,
        None if rows.schema().column_with_name(DEFAULT_PART_COLUMN).is_some() => DEFAULT_PART_COLUMN,
        None => return Ok(vec![ONLY_PART.to_owned(); rows.num_rows()]),
    };
    luthier_data::dataset::text_column(&dataset.name, rows, column).at("/by")
}

/// At most `limit` rows of each part, the first in the dataset's order.
fn limited(rows: &RecordBatch, parts: Vec<String>, limit: Option<usize>) -> Result<(RecordBatch, Vec<String>), Error> {
    let Some(limit) = limit else { return Ok((rows.clone(), parts)) };
    let mut n_by_part: BTreeMap<&str, usize> = BTreeMap::new();
    let keep: Vec<bool> = parts
        .iter()
        .map(|part| {
            let n = n_by_part.entry(part).or_default();
            *n += 1;
            *n <= limit
        })
        .collect();
    let mask = BooleanArray::from(keep.clone());
    let rows = arrow_select::filter::filter_record_batch(rows, &mask)
        .map_err(|error| Error::Data(luthier_data::Error::Arrow(error)))?;
    let kept = parts.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(part, _)| part.clone()).collect();
    Ok((rows, kept))
}

fn questions(dataset: &Dataset, rows: &RecordBatch, parts: Vec<String>, task: &mut Task) -> Result<Questions, Error> {
    let text = |column: &str| luthier_data::dataset::text_column(&dataset.name, rows, column);
    let prompts = match task.prompt_column.clone() {
        Some(column) => text(&column)?,
        None => last_turns(task.render(rows, &task::empty(dataset))?),
    };
    let references = task.targets(rows)?;
    let mut columns: BTreeMap<String, ArrayRef> = BTreeMap::new();
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        columns.insert(field.name().clone(), Arc::clone(column));
    }
    if let (None, Some(database)) = (columns.get(DATABASE), only_database(dataset, task)) {
        let database = StringArray::from_iter_values(std::iter::repeat_n(database, rows.num_rows()));
        columns.insert(DATABASE.to_owned(), Arc::new(database));
    }
    // Rows of one group (questions about one document, say) are not independent of each other.
    let clusters = match &dataset.roles.group {
        Some(column) => text(column)?,
        None => Vec::new(),
    };
    Ok(Questions { parts, prompts, references, columns, clusters, samples: Vec::new() })
}

/// The database of all rows, where they do not say it: the one that the task is configured with,
/// else the only one there is.
fn only_database(dataset: &Dataset, task: &Task) -> Option<String> {
    let configured = dataset.template.as_ref().and_then(|used| used.config.get(DATABASE)?.as_str());
    match (configured, task.grants.len()) {
        (Some(name), _) => Some(name.to_owned()),
        (None, 1) => task.grants.keys().next().cloned(),
        _ => None,
    }
}

fn last_turns(conversations: Vec<Vec<Message>>) -> Vec<String> {
    conversations.into_iter().map(|turns| turns.last().map(|turn| turn.content.clone()).unwrap_or_default()).collect()
}
